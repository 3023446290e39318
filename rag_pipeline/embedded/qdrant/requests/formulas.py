"""Formulas from JSON: expressions over the scores of the prefetches and the payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import qdrant_edge as edge
from qdrant_edge import Expression

from rag_pipeline.embedded.qdrant.problems import FormatError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    known,
    number,
    path,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.requests.filters import MAX_DEPTH, read_condition
from rag_pipeline.embedded.qdrant.requests.geo import geo_point


def formula(query: JsonObject) -> edge.Formula:
    """The formula under `formula`, with the query's `defaults`."""
    defaults = known(query.get("defaults", {}), of="defaults")
    return edge.Formula(_expression(query["formula"], 0), defaults)


def _expression(value: object, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise WrongInputError(f"a formula nests at most {MAX_DEPTH} levels")
    if isinstance(value, str):
        return Expression.Variable(value)
    if not isinstance(value, dict):
        return Expression.Constant(number(value, of="an expression"))
    for kind, read in _EXPRESSIONS.items():
        if value.get(kind) is not None:
            return read(value[kind], depth + 1)
    return Expression.Condition(read_condition(value, depth=depth))


def _several(make: Callable[[list[Expression]], Expression]) -> Callable[[object, int], Expression]:
    return lambda value, depth: make([_expression(item, depth) for item in array(value, of="operands")])


def _one(make: Callable[[Expression], Expression]) -> Callable[[object, int], Expression]:
    return lambda value, depth: make(_expression(value, depth))


def _div(value: object, depth: int) -> Expression:
    given = known(value, of="div")
    left, right = (_expression(required(given, key, of="div"), depth) for key in ("left", "right"))
    return Expression.Div(left, right, _number_or_none(given, "by_zero_default"))


def _pow(value: object, depth: int) -> Expression:
    given = known(value, of="pow")
    base, exponent = (_expression(required(given, key, of="pow"), depth) for key in ("base", "exponent"))
    return Expression.Pow(base, exponent)


def _decay(kind: edge.DecayKind) -> Callable[[object, int], Expression]:
    def read(value: object, depth: int) -> Expression:
        given = known(value, of="decay")
        x = _expression(required(given, "x", of="decay"), depth)
        target = _expression(given["target"], depth) if "target" in given else None
        return Expression.Decay(kind, x, target, _number_or_none(given, "midpoint"), _number_or_none(given, "scale"))

    return read


def _geo_distance(value: object, _: int) -> Expression:
    given = known(value, of="geo_distance")
    origin = geo_point(required(given, "origin", of="geo_distance"), of="origin")
    return Expression.GeoDistance(origin, path(required(given, "to", of="geo_distance"), of="to"))


def _number_or_none(given: JsonObject, key: str) -> float | None:
    return number(given[key], of=key) if key in given else None


def _datetime(value: object, _: int) -> Expression:
    try:
        return Expression.Datetime(string(value, of="datetime"))
    except ValueError as error:
        raise FormatError(str(error)) from error


_EXPRESSIONS: Mapping[str, Callable[[object, int], Expression]] = MappingProxyType(
    {
        "geo_distance": _geo_distance,
        "datetime": _datetime,
        "datetime_key": lambda value, _: Expression.DatetimeKey(path(value, of="datetime_key")),
        "mult": _several(Expression.Mult),
        "sum": _several(Expression.Sum),
        "max": _several(Expression.Max),
        "min": _several(Expression.Min),
        "neg": _one(Expression.Neg),
        "abs": _one(Expression.Abs),
        "div": _div,
        "sqrt": _one(Expression.Sqrt),
        "pow": _pow,
        "exp": _one(Expression.Exp),
        "log10": _one(Expression.Log10),
        "ln": _one(Expression.Ln),
        "acosh": _one(Expression.Acosh),
        "lin_decay": _decay(edge.DecayKind.Lin),
        "exp_decay": _decay(edge.DecayKind.Exp),
        "gauss_decay": _decay(edge.DecayKind.Gauss),
    }
)
