"""Updates from JSON: each is read and checked as a whole before any of it is applied.

The engine applies a part of a batch that it then refuses (measured 2026-11-21, qdrant-edge-py 0.9.0), so nothing that
it would refuse may reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.problems import FormatError, ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    choice,
    path,
    paths,
    picked,
    required,
    strings,
)
from rag_pipeline.embedded.qdrant.requests.filters import filter_or_none, read_filter
from rag_pipeline.embedded.qdrant.requests.vectors import VectorReader, point_id, point_ids

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PointId

BATCH_POINTS = 256
"""Points per engine call: a call holds the interpreter, 256 points of 384 dimensions for 4 ms (measured 2026-11-21)."""

BATCH = "batch"
"""The kind of a request that holds several updates; any other kind is a key of its operations."""

MAX_PAYLOAD_DEPTH = 64
"""Objects and lists inside one another. From about 127 on the engine takes the write but can then read neither the
point nor its own log: the collection would not load again (measured 2026-11-21, qdrant-edge-py 0.9.0)."""

_MAX_KEY_STEPS = 16
"""Of the path where a payload is set: it adds to the payload's own depth."""

_UPDATE_MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


@dataclass(frozen=True, slots=True)
class PointsUpdate:
    """Engine operations ready to apply, in order; `existing` are the ids that must be there before the first."""

    operations: Sequence[edge.UpdateOperation]
    existing: Sequence[PointId] = ()

    @property
    def is_one_operation(self) -> bool:
        """Whether the engine's log has it whole or not at all."""
        return len(self.operations) <= 1


@dataclass(frozen=True, slots=True)
class SelectionUpdate:
    """An operation for chosen points: given ids, or all that match a filter when it is applied.

    Shapes:
        operation: makes the engine's operation for at most BATCH_POINTS ids.
        must_exist: whether a given id without a point is an error, as it is for everything but deletion.
    """

    chosen: Sequence[PointId] | edge.Filter
    operation: Callable[[list[PointId]], edge.UpdateOperation]
    must_exist: bool = True

    @property
    def is_one_operation(self) -> bool:
        """Whether the engine's log has it whole or not at all."""
        return not isinstance(self.chosen, edge.Filter) and len(self.chosen) <= BATCH_POINTS


Update = PointsUpdate | SelectionUpdate


def _read_update(kind: str, body: object, schema: CollectionSchema) -> Update:
    return _READERS[kind](body, schema)


def read_request(kind: str, body: object, schema: CollectionSchema) -> list[Update]:
    """The updates of a request: one, or those of a BATCH."""
    return _read_updates(body, schema) if kind == BATCH else [_read_update(kind, body, schema)]


def _read_updates(body: object, schema: CollectionSchema) -> list[Update]:
    """The operations of `points/batch`."""
    given = picked(body, of="a batch update", keys=("operations",))
    operations = array(required(given, "operations", of="a batch update"), of="operations")
    return [_read_operation(operation, schema) for operation in operations]


def operands(body: object) -> Iterator[object]:
    """What each operation of `points/batch` is applied to, unchecked."""
    operations = body.get("operations") if isinstance(body, dict) else None
    for operation in operations if isinstance(operations, list) else ():
        yield from operation.values() if isinstance(operation, dict) else ()


def _read_operation(value: object, schema: CollectionSchema) -> Update:
    given = picked(value, of="an operation", keys=_READERS)
    if len(given) != 1:
        raise FormatError(f"an operation has exactly one of {', '.join(_READERS)}")
    ((kind, body),) = given.items()
    return _read_update(kind, body, schema)


def _read_upsert(body: object, schema: CollectionSchema) -> PointsUpdate:
    given = _given(body, "upsert", ("points", "batch", "update_filter", "update_mode"))
    if ("points" in given) == ("batch" in given):
        raise FormatError("an upsert has either `points` or `batch`")
    rows = array(given["points"], of="points") if "points" in given else _rows(given["batch"])
    condition = filter_or_none(given, "update_filter")
    mode = _UPDATE_MODES[choice(given.get("update_mode", "upsert"), of="update_mode", among=_UPDATE_MODES)]
    reader = VectorReader(schema)
    operations: list[edge.UpdateOperation] = []
    for start in range(0, len(rows), BATCH_POINTS):
        points = [_point(row, reader) for row in rows[start : start + BATCH_POINTS]]
        reader.finish()
        operations.append(edge.UpdateOperation.upsert_points(points, condition=condition, update_mode=mode))
    return PointsUpdate(operations)


def _point(row: object, reader: VectorReader) -> edge.Point:
    if not isinstance(row, dict):
        raise FormatError("a point must be an object")
    if "vector" not in row and "vectors" not in row:
        raise FormatError("missing field `vector` of a point")
    vectors = reader.read(row["vector"] if "vector" in row else row["vectors"])
    # Point refuses a number that the binding cannot read, so an unchecked vector cannot get further than this.
    return edge.Point(point_id(row.get("id")), vectors, _payload_or_none(row.get("payload")))


def _rows(value: object) -> list[object]:
    """The batch form (columns) as a list of points."""
    given = picked(value, of="batch", keys=("ids", "vectors", "payloads"))
    ids = array(required(given, "ids", of="batch"), of="ids")
    payloads = array(given.get("payloads", [None] * len(ids)), of="payloads")
    vectors = required(given, "vectors", of="batch")
    if isinstance(vectors, dict):
        columns = [array(column, of="vectors") for column in vectors.values()]
        _require_equal_lengths(ids, payloads, *columns)
        vectors = [{name: column[i] for name, column in vectors.items()} for i in range(len(ids))]
    rows = array(vectors, of="vectors")
    _require_equal_lengths(ids, payloads, rows)
    return [
        {"id": identity, "vector": row, "payload": payload}
        for identity, row, payload in zip(ids, rows, payloads, strict=True)
    ]


def _require_equal_lengths(*columns: list[object]) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValidationError("batch: it must have as many vectors and payloads as ids")


def _read_update_vectors(body: object, schema: CollectionSchema) -> PointsUpdate:
    given = _given(body, "update vectors", ("points", "update_filter"))
    rows = [
        picked(row, of="point vectors", keys=("id", "vector", "vectors"))
        for row in _not_empty(required(given, "points", of="update vectors"), of="points")
    ]
    condition = filter_or_none(given, "update_filter")
    reader = VectorReader(schema)
    updated = [
        edge.PointVectors(point_id(row.get("id")), reader.read(_vector_field(row, of="point vectors"))) for row in rows
    ]
    reader.finish()
    operations = [
        edge.UpdateOperation.update_vectors(updated[start : start + BATCH_POINTS], condition=condition)
        for start in range(0, len(updated), BATCH_POINTS)
    ]
    return PointsUpdate(operations, existing=[] if condition else [point.id for point in updated])


def _read_delete(body: object, _: CollectionSchema) -> SelectionUpdate:
    given = _given(body, "delete", _CHOICE_KEYS)
    return SelectionUpdate(_chosen(given), edge.UpdateOperation.delete_points, must_exist=False)


def _read_delete_vectors(body: object, schema: CollectionSchema) -> SelectionUpdate:
    given = _given(body, "delete vectors", (*_CHOICE_KEYS, "vector", "vectors"))
    names = strings(_not_empty(_vector_field(given, of="delete vectors"), of="vector"), of="vector")
    for name in names:
        if name not in schema.names:
            raise WrongInputError(f"Not existing vector name error: {name}")
    return SelectionUpdate(_chosen(given), lambda ids: edge.UpdateOperation.delete_vectors(ids, names))


def _read_set_payload(body: object, _: CollectionSchema) -> SelectionUpdate:
    given = _given(body, "set payload", (*_CHOICE_KEYS, "payload", "key"))
    payload = _payload(required(given, "payload", of="set payload"))
    key = path(given["key"], of="key", max_steps=_MAX_KEY_STEPS) if "key" in given else None
    return SelectionUpdate(_chosen(given), lambda ids: edge.UpdateOperation.set_payload(ids, payload, key))


def _read_overwrite_payload(body: object, _: CollectionSchema) -> SelectionUpdate:
    # A `key` is ignored, by the engine as by Qdrant.
    given = _given(body, "overwrite payload", (*_CHOICE_KEYS, "payload"))
    payload = _payload(required(given, "payload", of="overwrite payload"))
    return SelectionUpdate(_chosen(given), lambda ids: edge.UpdateOperation.overwrite_payload(ids, payload))


def _read_delete_payload(body: object, _: CollectionSchema) -> SelectionUpdate:
    given = _given(body, "delete payload", (*_CHOICE_KEYS, "keys"))
    keys = paths(required(given, "keys", of="delete payload"), of="keys")
    return SelectionUpdate(_chosen(given), lambda ids: edge.UpdateOperation.delete_payload(ids, keys))


def _read_clear_payload(body: object, _: CollectionSchema) -> SelectionUpdate:
    given = _given(body, "clear payload", _CHOICE_KEYS)
    return SelectionUpdate(_chosen(given), edge.UpdateOperation.clear_payload)


def _given(body: object, of: str, keys: tuple[str, ...]) -> JsonObject:
    return picked(body, of=of, keys=keys, unsupported=("shard_key",))


def _vector_field(given: JsonObject, *, of: str) -> object:
    """The field `vector`, or its alias `vectors`, as Qdrant reads them in writes."""
    return required(given, "vectors" if "vectors" in given and "vector" not in given else "vector", of=of)


def _not_empty(value: object, *, of: str) -> list[object]:
    items = array(value, of=of)
    if not items:
        raise ValidationError(f"{of}: length 0 invalid, must be 1 or larger")
    return items


def _chosen(given: JsonObject) -> list[PointId] | edge.Filter:
    if ("points" in given) == ("filter" in given):
        raise FormatError("either a list of point ids or a filter must be provided")
    return point_ids(given["points"]) if "points" in given else read_filter(given["filter"])


def _payload_or_none(value: object) -> JsonObject | None:
    return None if value is None else _payload(value)


def _payload(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise FormatError("a payload must be an object")
    layer: list[object] = [value]
    for _ in range(MAX_PAYLOAD_DEPTH):
        layer = [inner for outer in layer for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not layer:
            return cast("JsonObject", value)
    raise WrongInputError(f"a payload nests at most {MAX_PAYLOAD_DEPTH} levels")


def _inside(outer: object) -> Sequence[object]:
    return tuple(outer.values()) if isinstance(outer, dict) else cast("list[object]", outer)


_CHOICE_KEYS = ("points", "filter")
_READERS: Mapping[str, Callable[[object, CollectionSchema], Update]] = MappingProxyType(
    {
        "upsert": _read_upsert,
        "delete": _read_delete,
        "set_payload": _read_set_payload,
        "overwrite_payload": _read_overwrite_payload,
        "delete_payload": _read_delete_payload,
        "clear_payload": _read_clear_payload,
        "update_vectors": _read_update_vectors,
        "delete_vectors": _read_delete_vectors,
    }
)
UPDATE_KINDS = frozenset(_READERS)
