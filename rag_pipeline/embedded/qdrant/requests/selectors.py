"""What of a point is asked for: `with_payload`, `with_vector`, `order_by`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import FormatError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    choice,
    known,
    path,
    paths,
    required,
    strings,
)

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import WithPayloadType, WithVectorType

_DIRECTIONS = {"asc": edge.Direction.Asc, "desc": edge.Direction.Desc}


def with_payload(given: JsonObject, *, default: bool) -> WithPayloadType:
    """The selector under `with_payload`."""
    value = given.get("with_payload", default)
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return edge.PayloadSelector.Include(paths(value, of="with_payload"))
    keys = known(value, of="with_payload")
    if keys.keys() not in ({"include"}, {"exclude"}):
        # Qdrant denies unknown fields here.
        raise FormatError("with_payload has one of `include` and `exclude`")
    if "include" in keys:
        return edge.PayloadSelector.Include(paths(keys["include"], of="include"))
    return edge.PayloadSelector.Exclude(paths(keys["exclude"], of="exclude"))


def with_vector(given: JsonObject) -> WithVectorType:
    """The selector under `with_vector`, or under its alias `with_vectors`."""
    value = given.get("with_vector", given.get("with_vectors", False))
    return value if isinstance(value, bool) else strings(value, of="with_vector")


def order_by(value: object) -> edge.OrderBy:
    """The order; the engine refuses a key without an index that knows ranges."""
    given = known({"key": value} if isinstance(value, str) else value, of="order_by")
    start = given.get("start_from")
    if isinstance(start, bool) or not isinstance(start, (int, float, str, type(None))):
        raise FormatError("start_from must be a number or a date")
    return edge.OrderBy(
        path(required(given, "key", of="order_by"), of="key"),
        direction=_DIRECTIONS[choice(given.get("direction", "asc"), of="direction", among=_DIRECTIONS)],
        start_from=start,
    )
