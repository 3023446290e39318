"""Points: what one looks like, and writing and deleting them. All writes are idempotent and wait to be durable."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from qdrant_client import QdrantClient, models

from rag_pipeline.domain.spec import DENSE_VECTOR, PAYLOAD_SCHEMA_VERSION, SPARSE_VECTOR
from rag_pipeline.vectors.client import translated

_Item = TypeVar("_Item")

BATCH = 256
"""Points in one request: under 5 MB with its text, and short enough for a search to slip in between."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point to write.

    Shapes:
        dense: float32 (dimension,), unit length.
        sparse_indices, sparse_values: uint32 and float32 (terms,), equal length.
    """

    id: UUID
    dense: np.ndarray
    sparse_indices: np.ndarray
    sparse_values: np.ndarray
    payload: dict[str, Any]


def payload(  # noqa: PLR0913 - the whole payload schema stands in one place
    *,
    collection: str,
    document_id: UUID,
    path: str,
    title: str | None,
    media_type: str | None,
    language: str | None,
    modified_at: str,
    ingested_at: str,
    ordinal: int,
    page: int | None,
    start: int,
    end: int,
    text: str,
) -> dict[str, Any]:
    """The payload of a point, version PAYLOAD_SCHEMA_VERSION.

    `text` and `doc_id` are where LlamaIndex's QdrantVectorStore looks for them. `tags` and `metadata` are filled
    once documents carry some; they exist from the start so that filters need no rebuild.
    """
    return {
        "schema": PAYLOAD_SCHEMA_VERSION,
        "collection": collection,
        "doc_id": str(document_id),
        "path": path,
        "title": title,
        "media_type": media_type,
        "language": language,
        "modified_at": modified_at,
        "ingested_at": ingested_at,
        "tags": [],
        "metadata": {},
        "ordinal": ordinal,
        "page": page,
        "start": start,
        "end": end,
        "text": text,
    }


def payload_hash(content: dict[str, Any]) -> bytes:
    """SHA-256 of a payload, 32 bytes; `ingested_at` is left out, because writing the same again changes only that."""
    stable = {key: value for key, value in content.items() if key != "ingested_at"}
    return hashlib.sha256(json.dumps(stable, sort_keys=True, ensure_ascii=False).encode()).digest()


def upsert(client: QdrantClient, physical: str, points: Sequence[Point]) -> None:
    """Write points (at most BATCH); when it returns they survive a crash of Qdrant."""
    structs = [
        models.PointStruct(
            id=str(point.id),
            vector={
                DENSE_VECTOR: point.dense.tolist(),
                SPARSE_VECTOR: models.SparseVector(
                    indices=point.sparse_indices.tolist(), values=point.sparse_values.tolist()
                ),
            },
            payload=point.payload,
        )
        for point in points
    ]
    with translated(f"writing {len(points)} points to {physical}"):
        client.upsert(physical, structs, wait=True)


def overwrite_payloads(client: QdrantClient, physical: str, payloads: Iterable[tuple[UUID, dict[str, Any]]]) -> None:
    """Replace the payloads of points, leaving their vectors alone."""
    for batch in _batched(payloads):
        operations = [
            models.OverwritePayloadOperation(
                overwrite_payload=models.SetPayload(payload=content, points=[str(point_id)])
            )
            for point_id, content in batch
        ]
        with translated(f"updating {len(batch)} payloads in {physical}"):
            client.batch_update_points(physical, operations, wait=True)


def delete(client: QdrantClient, physical: str, ids: Sequence[UUID]) -> None:
    """Delete points by id; those that do not exist are no error."""
    for batch in _batched(ids):
        with translated(f"deleting {len(batch)} points of {physical}"):
            client.delete(physical, models.PointIdsList(points=[str(point_id) for point_id in batch]), wait=True)


def _batched(items: Iterable[_Item]) -> Iterator[tuple[_Item, ...]]:
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, BATCH)):
        yield batch
