"""Filters from JSON. A condition of an unknown kind is refused, never left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    boolean,
    fields,
    integer,
    number,
    path,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.vectors import point_ids

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import ConditionType, MatchType, RangeType

MAX_DEPTH = 32
"""Levels of conditions inside conditions; some thousands overflow the engine's stack and kill the process
(measured 2026-11-21, qdrant-edge-py 0.9.0)."""

_CLAUSES = ("must", "should", "must_not", "min_should")
_INT_64 = 2**63
_RANGE_KEYS = ("gt", "gte", "lt", "lte")


def read_filter(value: object, *, depth: int = 0) -> edge.Filter:
    """The filter; each clause is one condition or a list of them."""
    if depth > MAX_DEPTH:
        raise WrongInputError(f"a filter nests at most {MAX_DEPTH} levels")
    given = fields(value, of="a filter", allowed=_CLAUSES)
    return edge.Filter(
        must=_conditions(given.get("must"), depth),
        should=_conditions(given.get("should"), depth),
        must_not=_conditions(given.get("must_not"), depth),
        min_should=_min_should(given.get("min_should"), depth),
    )


def filter_or_none(given: JsonObject, key: str = "filter") -> edge.Filter | None:
    """The filter under `key`, when there is one."""
    return read_filter(given[key]) if key in given else None


def _conditions(value: object, depth: int) -> list[ConditionType] | None:
    if value is None:
        return None
    return [_condition(item, depth + 1) for item in (value if isinstance(value, list) else [value])]


def _min_should(value: object, depth: int) -> edge.MinShould | None:
    if value is None:
        return None
    given = fields(value, of="min_should", allowed=("conditions", "min_count"))
    conditions = array(required(given, "conditions", of="min_should"), of="conditions")
    count = integer(required(given, "min_count", of="min_should"), of="min_count")
    return edge.MinShould([_condition(item, depth + 1) for item in conditions], count)


def _condition(value: object, depth: int) -> ConditionType:
    if not isinstance(value, dict):
        raise WrongInputError("a condition must be an object")
    if "key" in value:
        return _field_condition(value)
    for kind, read in _CONDITIONS.items():
        if kind in value:
            return read(fields(value, of="a condition", allowed=(kind,))[kind], depth)
    return read_filter(value, depth=depth)


def _field_condition(value: JsonObject) -> edge.FieldCondition:
    given = fields(value, of="a field condition", allowed=("key", *_FIELD_CONDITIONS))
    kinds = given.keys() - {"key"}
    if len(kinds) != 1:
        # The engine ORs them, the documentation does not say: better one way to read a filter.
        raise WrongInputError(f"a field condition has exactly one of {', '.join(_FIELD_CONDITIONS)}")
    kind = kinds.pop()
    condition: dict[str, Any] = {kind: _FIELD_CONDITIONS[kind](given[kind])}
    return edge.FieldCondition(path(given["key"], of="key"), **condition)


def _match(value: object) -> MatchType:
    given = fields(value, of="match", allowed=_MATCHES)
    if len(given) != 1:
        raise WrongInputError(f"match has exactly one of {', '.join(_MATCHES)}")
    ((kind, operand),) = given.items()
    return _MATCHES[kind](operand)


def _match_value(value: object) -> edge.MatchValue:
    if isinstance(value, bool):
        # A Python bool is an int, and the binding takes it for one: `true` would match 1. numpy's is only a bool
        # (measured 2026-11-21, qdrant-edge-py 0.9.0).
        return edge.MatchValue(np.bool_(value))  # pyright: ignore[reportArgumentType] - see above
    if isinstance(value, str):
        return edge.MatchValue(value)
    return edge.MatchValue(_signed(value))


def _match_among(value: object) -> list[str] | list[int]:
    among = array(value, of="any or except")
    if all(isinstance(item, str) for item in among):
        return among  # pyright: ignore[reportReturnType] - all are strings
    return [_signed(item) for item in among]


def _signed(value: object) -> int:
    return integer(value, of="match", least=-_INT_64, most=_INT_64 - 1)


def _range(value: object) -> RangeType:
    given = fields(value, of="range", allowed=_RANGE_KEYS)
    if given and all(isinstance(bound, str) for bound in given.values()):
        return edge.RangeDateTime(**given)  # pyright: ignore[reportArgumentType] - all are strings
    return edge.RangeFloat(**{key: number(bound, of=key) for key, bound in given.items()})


def _values_count(value: object) -> edge.ValuesCount:
    given = fields(value, of="values_count", allowed=_RANGE_KEYS)
    return edge.ValuesCount(**{key: integer(bound, of=key) for key, bound in given.items()})


def _unsupported_geo(_: object) -> object:
    raise UnsupportedError("geo filters")


def _key_of(value: object) -> str:
    given = fields(value, of="a condition", allowed=("key",))
    return path(required(given, "key", of="a condition"), of="key")


def _nested(value: object, depth: int) -> edge.NestedCondition:
    given = fields(value, of="nested", allowed=("key", "filter"))
    inner = read_filter(required(given, "filter", of="nested"), depth=depth + 1)
    return edge.NestedCondition(path(required(given, "key", of="nested"), of="key"), inner)


_MATCHES: Mapping[str, Callable[[object], MatchType]] = MappingProxyType(
    {
        "value": _match_value,
        "any": lambda value: edge.MatchAny(_match_among(value)),
        "except": lambda value: edge.MatchExcept(_match_among(value)),
        "text": lambda value: edge.MatchText(string(value, of="text")),
        "text_any": lambda value: edge.MatchTextAny(string(value, of="text_any")),
        "phrase": lambda value: edge.MatchPhrase(string(value, of="phrase")),
    }
)
_FIELD_CONDITIONS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "match": _match,
        "range": _range,
        "values_count": _values_count,
        "is_empty": lambda value: boolean(value, of="is_empty"),
        "is_null": lambda value: boolean(value, of="is_null"),
        "geo_radius": _unsupported_geo,
        "geo_bounding_box": _unsupported_geo,
        "geo_polygon": _unsupported_geo,
    }
)
_CONDITIONS: Mapping[str, Callable[[object, int], ConditionType]] = MappingProxyType(
    {
        "is_empty": lambda value, _: edge.IsEmptyCondition(_key_of(value)),
        "is_null": lambda value, _: edge.IsNullCondition(_key_of(value)),
        "has_id": lambda value, _: edge.HasIdCondition(set(point_ids(value))),
        "has_vector": lambda value, _: edge.HasVectorCondition(string(value, of="has_vector")),
        "nested": _nested,
    }
)
