"""Making what a generation needs in Qdrant: its physical collection with every vector and index, and the alias."""

from typing import Any

from qdrant_client import QdrantClient, models

from rag_pipeline.domain.spec import DENSE_VECTOR, SPARSE_VECTOR, IndexSpec
from rag_pipeline.vectors.client import translated

PAYLOAD_INDEXES: dict[str, models.PayloadSchemaType] = {
    "doc_id": models.PayloadSchemaType.KEYWORD,
    "path": models.PayloadSchemaType.KEYWORD,
    "media_type": models.PayloadSchemaType.KEYWORD,
    "language": models.PayloadSchemaType.KEYWORD,
    "page": models.PayloadSchemaType.INTEGER,
    "modified_at": models.PayloadSchemaType.DATETIME,
    "ingested_at": models.PayloadSchemaType.DATETIME,
    "tags": models.PayloadSchemaType.KEYWORD,
}
"""Every payload field that can be filtered by. All exist from the first generation on; `points.payload` fills them."""


def ensure_generation(client: QdrantClient, physical: str, spec: IndexSpec) -> None:
    """Make the physical collection of a generation, or complete one whose making was interrupted."""
    with translated(f"making collection {physical}"):
        if not client.collection_exists(physical):
            client.create_collection(
                physical,
                vectors_config={
                    DENSE_VECTOR: models.VectorParams(size=spec.model.dimension, distance=models.Distance.COSINE)
                },
                sparse_vectors_config={SPARSE_VECTOR: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
        present = client.get_collection(physical).payload_schema
        for field, kind in PAYLOAD_INDEXES.items():
            if field not in present:
                client.create_payload_index(physical, field, kind, wait=True)


def point_alias(client: QdrantClient, alias: str, physical: str) -> None:
    """Make `alias` name `physical`, in one step; outside readers follow it, our searches follow the ledger."""
    with translated(f"pointing alias {alias} at {physical}"):
        if any(row.alias_name == alias for row in client.get_collection_aliases(physical).aliases):
            return
        client.update_collection_aliases(
            change_aliases_operations=[
                models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=physical, alias_name=alias))
            ]
        )


def count_points(client: QdrantClient, physical: str) -> int:
    """Points in the physical collection, counted exactly."""
    with translated(f"counting points of {physical}"):
        return client.count(physical, exact=True).count


def check_answers(client: QdrantClient, *, timeout_s: float = 2.0) -> None:
    """Nothing, when Qdrant answers within `timeout_s`; that is a look, so it is shorter than the client's own timeout.

    Raises:
        VectorStoreUnavailableError: it does not.
    """
    with translated("asking for its collections"):
        # `get_collections` takes no timeout.
        client.http.client.request(type_=dict[str, Any], method="GET", url="/collections", timeout=timeout_s)
