"""Typed reading of JSON: each function gives the value in its type, or raises what Qdrant would answer."""

from collections.abc import Collection

import orjson

from rag_pipeline.embedded.qdrant.problems import FormatError, UnsupportedError, ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.slicing import read_in_slices

JsonObject = dict[str, object]

UNSIGNED_64 = 2**64
_MAX_PATH_CHARS = 512
_MAX_FLOAT_32 = 3.4e38


def parsed(body: bytes) -> object:
    """The value that `body` spells; an empty body is none."""
    try:
        return read_in_slices(body) or orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FormatError(str(error)) from error


def known(value: object, *, of: str, unsupported: Collection[str] = ()) -> JsonObject:
    """The object without its nulls. Fields that nobody reads are ignored, as Qdrant does.

    Raises:
        UnsupportedError: it has a field of `unsupported`: one that Qdrant knows and that changes the answer.
    """
    if not isinstance(value, dict):
        raise FormatError(f"{of} must be an object")
    for key in unsupported:
        if value.get(key) is not None:
            raise UnsupportedError(f"`{key}` in {of}")
    return {key: item for key, item in value.items() if item is not None}


def picked(value: object, *, of: str, keys: Collection[str], unsupported: Collection[str] = ()) -> JsonObject:
    """The fields of the object that are in `keys` and not null, for who goes through all of them; see `known`."""
    given = known(value, of=of, unsupported=unsupported)
    return {key: given[key] for key in keys if key in given}


def array(value: object, *, of: str) -> list[object]:
    """The list."""
    if not isinstance(value, list):
        raise FormatError(f"{of} must be a list")
    return value


def required(given: JsonObject, key: str, *, of: str) -> object:
    """The field `key`, which must be there."""
    if key not in given:
        raise FormatError(f"missing field `{key}` of {of}")
    return given[key]


def string(value: object, *, of: str) -> str:
    """The string."""
    if not isinstance(value, str):
        raise FormatError(f"{of} must be a string")
    return value


def path(value: object, *, of: str, max_steps: int = _MAX_PATH_CHARS) -> str:
    """The path to a payload field, at most `max_steps` deep: the engine walks it by recursion."""
    spelled = string(value, of=of)
    if len(spelled) > _MAX_PATH_CHARS or spelled.count(".") + spelled.count("[") >= max_steps:
        raise WrongInputError(f"{of} is a path of at most {_MAX_PATH_CHARS} characters and {max_steps} steps")
    return spelled


def paths(value: object, *, of: str) -> list[str]:
    """The list of paths."""
    return [path(item, of=f"each of {of}") for item in array(value, of=of)]


def strings(value: object, *, of: str) -> list[str]:
    """The list of strings."""
    return [string(item, of=f"each of {of}") for item in array(value, of=of)]


def boolean(value: object, *, of: str) -> bool:
    """The truth value; 0 and 1 are not."""
    if not isinstance(value, bool):
        raise FormatError(f"{of} must be true or false")
    return value


def integer(value: object, *, of: str, least: int = 0, most: int = UNSIGNED_64 - 1) -> int:
    """The whole number in [least, most].

    Raises:
        FormatError: it is none, or none that Qdrant's type can hold.
        ValidationError: it is outside a narrower range.
    """
    if type(value) is not int or not min(0, least) <= value < UNSIGNED_64:
        raise FormatError(f"{of} must be a whole number from {min(0, least)} to {UNSIGNED_64 - 1}")
    if not least <= value <= most:
        allowed = f"{least} or larger" if most == UNSIGNED_64 - 1 else f"from {least} to {most}"
        raise ValidationError(f"{of}: value {value} invalid, must be {allowed}")
    return value


def number(value: object, *, of: str, least: float | None = None, most: float | None = None) -> float:
    """The number, whole or not, as a float in [least, most]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FormatError(f"{of} must be a number")
    if (least is not None and value < least) or (most is not None and value > most):
        raise ValidationError(f"{of}: value {value} invalid, must be from {least} to {most}")
    return float(value)


def float32(value: object, *, of: str) -> float:
    """The number, which 32 bits can hold: scores are computed in them, and infinity is no JSON."""
    read = number(value, of=of)
    if abs(read) > _MAX_FLOAT_32:
        raise WrongInputError(f"{of} must be a number that float32 can hold")
    return read


def choice(value: object, *, of: str, among: Collection[str]) -> str:
    """One of `among`, in any case."""
    word = string(value, of=of).lower()
    if word not in among:
        raise FormatError(f"{of} must be one of {', '.join(sorted(among))}")
    return word
