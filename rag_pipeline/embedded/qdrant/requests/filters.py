"""Filters from JSON. A clause or condition of an unknown kind is refused, never left out.

Other unknown fields are ignored. That is Qdrant's own reading: a filter denies unknown fields, and an object that is no
condition is no filter either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import FormatError, UnsupportedError, ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    boolean,
    integer,
    known,
    number,
    path,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.requests.geo import geo_bounding_box, geo_polygon, geo_radius
from rag_pipeline.embedded.qdrant.requests.vectors import point_ids

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
    given = known(value, of="a filter")
    if unknown := [key for key in given if key not in _CLAUSES]:
        raise FormatError(f"unknown field `{unknown[0]}`, expected one of {', '.join(_CLAUSES)}")
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
    return [read_condition(item, depth=depth + 1) for item in (value if isinstance(value, list) else [value])]


def _min_should(value: object, depth: int) -> edge.MinShould | None:
    if value is None:
        return None
    given = known(value, of="min_should")
    conditions = array(required(given, "conditions", of="min_should"), of="conditions")
    count = integer(required(given, "min_count", of="min_should"), of="min_count")
    return edge.MinShould([read_condition(item, depth=depth + 1) for item in conditions], count)


def read_condition(value: object, *, depth: int = 0) -> ConditionType:
    """The condition, or the filter that stands for one."""
    if not isinstance(value, dict):
        raise FormatError("a condition must be an object")
    if "key" in value:
        return _field_condition(value)
    kinds = [kind for kind in _CONDITIONS if kind in value]
    if not kinds:
        return read_filter(value, depth=depth)
    if len(kinds) > 1:
        raise FormatError(f"a condition has one of {', '.join(kinds)}, not several")
    return _CONDITIONS[kinds[0]](value[kinds[0]], depth)


def _field_condition(value: JsonObject) -> ConditionType:
    given = known(value, of="a field condition")
    key = path(given["key"], of="key")
    conditions: list[ConditionType] = []
    for kind, read in _FIELD_CONDITIONS.items():
        if kind in given:
            only: dict[str, Any] = {kind: read(given[kind])}
            conditions.append(edge.FieldCondition(key, **only))
    if not conditions:
        raise ValidationError("conditions: At least one field condition must be specified")
    if len(conditions) == 1:
        return conditions[0]
    # Without an index the engine asks for any of them; with one it sees only those the index knows (measured
    # 2026-11-25, qdrant-edge-py 0.9.0). Spelled out, the answer does not depend on indexes.
    return edge.Filter(should=conditions)


def _match(value: object) -> MatchType:
    given = known(value, of="match")
    for kind, read in _MATCHES.items():
        if kind in given:
            return read(given[kind])
    raise FormatError(f"match has one of {', '.join(_MATCHES)}")


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
    if type(value) is not int or not -_INT_64 <= value < _INT_64:
        raise FormatError("match compares with strings, whole numbers of 64 bits, true and false")
    return value


def _range(value: object) -> RangeType:
    bounds = _bounds(value, of="range")
    if bounds and all(isinstance(bound, str) for bound in bounds.values()):
        return edge.RangeDateTime(**bounds)  # pyright: ignore[reportArgumentType] - all are strings
    return edge.RangeFloat(**{key: number(bound, of=key) for key, bound in bounds.items()})


def _values_count(value: object) -> edge.ValuesCount:
    bounds = _bounds(value, of="values_count")
    return edge.ValuesCount(**{key: integer(bound, of=key) for key, bound in bounds.items()})


def _bounds(value: object, *, of: str) -> JsonObject:
    given = known(value, of=of)
    return {key: given[key] for key in _RANGE_KEYS if key in given}


def _unsupported_slice(_: object, __: int) -> ConditionType:
    """Reads have theirs replaced by `slices` before."""
    raise UnsupportedError("a slice of the id space, but in a read")


def _key_of(value: object) -> str:
    given = known(value, of="a condition")
    return path(required(given, "key", of="a condition"), of="key")


def _nested(value: object, depth: int) -> edge.NestedCondition:
    given = known(value, of="nested")
    inner = read_filter(required(given, "filter", of="nested"), depth=depth + 1)
    return edge.NestedCondition(path(required(given, "key", of="nested"), of="key"), inner)


_MATCHES: Mapping[str, Callable[[object], MatchType]] = MappingProxyType(
    {
        "value": _match_value,
        "text": lambda value: edge.MatchText(string(value, of="text")),
        "text_any": lambda value: edge.MatchTextAny(string(value, of="text_any")),
        "phrase": lambda value: edge.MatchPhrase(string(value, of="phrase")),
        "prefix": lambda value: edge.MatchPrefix(string(value, of="prefix")),
        "substring": lambda value: edge.MatchSubstring(string(value, of="substring")),
        "any": lambda value: edge.MatchAny(_match_among(value)),
        "except": lambda value: edge.MatchExcept(_match_among(value)),
    }
)
_FIELD_CONDITIONS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "match": _match,
        "range": _range,
        "values_count": _values_count,
        "is_empty": lambda value: boolean(value, of="is_empty"),
        "is_null": lambda value: boolean(value, of="is_null"),
        "geo_radius": geo_radius,
        "geo_bounding_box": geo_bounding_box,
        "geo_polygon": geo_polygon,
    }
)
_CONDITIONS: Mapping[str, Callable[[object, int], ConditionType]] = MappingProxyType(
    {
        "is_empty": lambda value, _: edge.IsEmptyCondition(_key_of(value)),
        "is_null": lambda value, _: edge.IsNullCondition(_key_of(value)),
        "has_id": lambda value, _: edge.HasIdCondition(set(point_ids(value))),
        "has_vector": lambda value, _: edge.HasVectorCondition(string(value, of="has_vector")),
        "slice": _unsupported_slice,
        "nested": _nested,
    }
)
