"""Engine objects as REST JSON (numpy arrays and UUIDs included: `replies` writes them)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from qdrant_edge import Record, ScoredPoint

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.requests.indexes import index_as_object
from rag_pipeline.embedded.qdrant.requests.vectors import as_object

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import ShardInfo, Vector, WithVectorType


def scored_points(points: Iterable[ScoredPoint], *, wanted: WithVectorType) -> list[JsonObject]:
    """`ScoredPoint`s of the REST API, best first as the engine gives them, with the `wanted` vectors."""
    return [
        {
            "id": point.id,
            "version": point.version,
            "score": np.float32(point.score),
            **_content(point, _only(point.vector, wanted)),
        }
        for point in points
    ]


def records(points: Iterable[Record]) -> list[JsonObject]:
    """`Record`s of the REST API."""
    return [{"id": point.id, **_content(point, point.vector)} for point in points]


def collection_description(schema: CollectionSchema, shard: ShardInfo, *, points_count: int) -> JsonObject:
    """A `CollectionInfo` of the REST API but for what `Upkeep.as_object` adds."""
    created = {"created_at": schema.created_at} if schema.created_at else {}
    return {
        "indexed_vectors_count": shard.indexed_vectors_count,
        "points_count": points_count,
        "segments_count": shard.segments_count,
        "config": schema.config,
        "payload_schema": {field: index_as_object(index) for field, index in shard.payload_schema.items()},
        # Nothing waits: an update is applied before it is answered.
        "update_queue": {"length": 0},
        **created,
    }


def _only(vector: Vector | None, wanted: WithVectorType) -> Vector | None:
    """What was asked for: MMR gives its own vector along (measured 2026-11-25, qdrant-edge-py 0.9.0)."""
    if wanted is True or vector is None:
        return vector
    if wanted is False:
        return None
    if not isinstance(vector, dict):
        return vector if "" in wanted else None
    return {name: named for name, named in vector.items() if name in wanted}


def _content(point: Record | ScoredPoint, vector: Vector | None) -> JsonObject:
    content: JsonObject = {}
    payload, order_value = point.payload, point.order_value
    if payload is not None:
        content["payload"] = payload
    if vector is not None:
        content["vector"] = _vectors(vector)
    if order_value is not None:
        content["order_value"] = order_value
    return content


def _vectors(vector: Vector) -> object:
    if not isinstance(vector, dict):
        return np.asarray(vector, dtype=np.float32)
    if vector.keys() == {""}:
        return as_object(vector[""])
    return {name: as_object(named) for name, named in vector.items()}
