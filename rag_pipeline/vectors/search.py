"""Reading: nearest points of one physical collection."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from qdrant_client import QdrantClient

from rag_pipeline.domain.spec import DENSE_VECTOR
from rag_pipeline.vectors.client import translated


@dataclass(frozen=True, slots=True)
class Scored:
    """A point found, with its similarity (cosine, higher is nearer)."""

    id: UUID
    score: float


def nearest_dense(
    client: QdrantClient, physical: str, vector: np.ndarray, *, limit: int, timeout_s: float = 10.0
) -> list[Scored]:
    """The `limit` points nearest to `vector` (float32, unit length), best first, ties by id.

    Ids only: what a hit says comes from the ledger.
    """
    with translated(f"searching {physical}"):
        answer = client.query_points(
            physical,
            query=vector.tolist(),
            using=DENSE_VECTOR,
            limit=limit,
            with_payload=False,
            with_vectors=False,
            timeout=max(1, round(timeout_s)),
        )
    found = [Scored(UUID(str(point.id)), point.score) for point in answer.points]
    return sorted(found, key=lambda point: (-point.score, point.id.int))
