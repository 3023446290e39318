"""Writing to and reading from a real Qdrant, and what its errors become."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline.domain.spec import DENSE_VECTOR, SPARSE_VECTOR, ChunkingSpec, IndexSpec, ModelSpec
from rag_pipeline.errors import IndexIntegrityError, VectorStoreUnavailableError
from rag_pipeline.vectors import points, store
from rag_pipeline.vectors.client import connect
from rag_pipeline.vectors.points import Point
from rag_pipeline.vectors.search import nearest_dense

SPEC = IndexSpec(ChunkingSpec(48, 8), ModelSpec("fake", "fake", dimension=4, max_tokens=64), "bm25/1")
PHYSICAL = "papers__g1"


@pytest.fixture
def client(clean_qdrant_url: str) -> Iterator[QdrantClient]:
    with closing(connect(clean_qdrant_url)) as client:
        store.ensure_generation(client, PHYSICAL, SPEC)
        yield client


def content(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - payload values
    fields: dict[str, Any] = {
        "collection": "papers",
        "document_id": UUID(int=1),
        "path": "a.txt",
        "title": None,
        "media_type": "text/plain",
        "language": "en",
        "modified_at": "2026-01-01T00:00:00+00:00",
        "ingested_at": "2026-01-02T00:00:00+00:00",
        "ordinal": 0,
        "page": None,
        "start": 0,
        "end": 5,
        "text": "words",
    }
    return points.payload(**{**fields, **changes})


def point(dense: list[float], point_id: UUID | None = None) -> Point:
    indices, values = np.array([3, 9], dtype=np.uint32), np.array([0.5, 1.5], dtype=np.float32)
    return Point(point_id or uuid4(), np.array(dense, dtype=np.float32), indices, values, content())


def test_a_generation_has_both_vectors_and_every_payload_index_from_the_start(client: QdrantClient) -> None:
    collection = client.get_collection(PHYSICAL)

    assert set(collection.payload_schema) == set(store.PAYLOAD_INDEXES)
    dense, sparse = collection.config.params.vectors, collection.config.params.sparse_vectors
    assert isinstance(dense, dict)
    assert dense[DENSE_VECTOR].size == 4
    assert sparse is not None
    assert sparse[SPARSE_VECTOR].modifier is models.Modifier.IDF


def test_making_a_generation_twice_or_after_half_of_it_gives_the_same(client: QdrantClient) -> None:
    client.delete_payload_index(PHYSICAL, "path", wait=True)
    store.ensure_generation(client, PHYSICAL, SPEC)
    store.ensure_generation(client, PHYSICAL, SPEC)

    assert set(client.get_collection(PHYSICAL).payload_schema) == set(store.PAYLOAD_INDEXES)


def test_an_alias_can_be_pointed_twice_and_moved(client: QdrantClient) -> None:
    store.ensure_generation(client, "papers__g2", SPEC)
    for physical in (PHYSICAL, PHYSICAL, "papers__g2"):
        store.point_alias(client, "papers", physical)
        assert [row.collection_name for row in client.get_aliases().aliases] == [physical]


def test_the_payload_has_a_value_for_every_index_and_what_llamaindex_looks_for() -> None:
    payload = content()

    assert set(store.PAYLOAD_INDEXES) <= set(payload)
    assert payload["text"] == "words"
    assert payload["doc_id"] == str(UUID(int=1))


def test_the_payload_hash_changes_with_everything_but_the_moment_of_writing() -> None:
    same = points.payload_hash(content())

    assert points.payload_hash(content(ingested_at="later")) == same
    assert points.payload_hash(content(page=2)) != same
    assert points.payload_hash(dict(reversed(content().items()))) == same


def test_what_is_written_is_found_best_first_and_can_be_deleted(client: QdrantClient) -> None:
    near, far = point([1, 0, 0, 0]), point([0.6, 0.8, 0, 0])
    points.upsert(client, PHYSICAL, [far, near])
    points.upsert(client, PHYSICAL, [near])
    found = nearest_dense(client, PHYSICAL, np.array([1, 0, 0, 0], dtype=np.float32), limit=10)

    assert [hit.id for hit in found] == [near.id, far.id]
    assert [hit.score for hit in found] == pytest.approx([1, 0.6], abs=1e-6)
    assert store.count_points(client, PHYSICAL) == 2
    points.delete(client, PHYSICAL, [near.id, uuid4()])
    assert store.count_points(client, PHYSICAL) == 1


def test_ties_are_broken_by_id(client: QdrantClient) -> None:
    equal = [point([1, 0, 0, 0]) for _ in range(6)]
    points.upsert(client, PHYSICAL, equal)
    found = nearest_dense(client, PHYSICAL, np.array([1, 0, 0, 0], dtype=np.float32), limit=6)

    assert [hit.id for hit in found] == sorted((one.id for one in equal), key=lambda one: one.int)


def test_a_payload_is_replaced_whole_and_the_vectors_stay(client: QdrantClient) -> None:
    many = [point([1, 0, 0, 0]) for _ in range(points.BATCH + 3)]
    for start in range(0, len(many), points.BATCH):
        points.upsert(client, PHYSICAL, many[start : start + points.BATCH])
    points.overwrite_payloads(client, PHYSICAL, [(one.id, {"page": 7}) for one in many])
    rows, _ = client.scroll(PHYSICAL, limit=1000, with_vectors=True)

    assert len(rows) == points.BATCH + 3
    for row in rows:
        assert row.payload == {"page": 7}
        assert isinstance(row.vector, dict)
        assert row.vector[DENSE_VECTOR] == [1, 0, 0, 0]


def test_a_qdrant_that_does_not_answer_is_unavailable() -> None:
    with closing(connect("http://127.0.0.1:9")) as nowhere:
        with pytest.raises(VectorStoreUnavailableError, match="asking for its collections"):
            store.check_answers(nowhere)
        with pytest.raises(VectorStoreUnavailableError) as caught:
            points.upsert(nowhere, PHYSICAL, [point([1, 0, 0, 0])])
    assert caught.value.retryable


def test_an_answer_that_makes_no_sense_is_an_integrity_error(client: QdrantClient) -> None:
    with pytest.raises(IndexIntegrityError, match="writing 1 points"):
        points.upsert(client, PHYSICAL, [point([1, 0])])
    with pytest.raises(IndexIntegrityError, match="searching nowhere__g1"):
        nearest_dense(client, "nowhere__g1", np.zeros(4, dtype=np.float32), limit=1)
