"""What the embedded server has beyond local mode: payload indexes, order, update modes, random samples."""

from importlib.metadata import version
from uuid import UUID

import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, SPARSE

ONES: dict = {DENSE: [1.0, 1.0, 1.0, 1.0]}


@pytest.mark.parametrize(
    ("kind", "stored", "other", "condition"),
    [
        ("keyword", "red", "blue", {"match": models.MatchValue(value="red")}),
        ("integer", 5, 6, {"match": models.MatchValue(value=5)}),
        ("float", 0.5, 9.5, {"range": models.Range(lt=1)}),
        ("bool", True, False, {"match": models.MatchValue(value=True)}),
        ("datetime", "2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z", {"range": models.DatetimeRange(lt="2026-06-01")}),  # pyright: ignore[reportArgumentType] - pydantic parses dates
        ("uuid", str(UUID(int=1)), str(UUID(int=2)), {"match": models.MatchValue(value=str(UUID(int=1)))}),
        ("text", "the quick brown fox", "a slow fox", {"match": models.MatchText(text="quick fox")}),
    ],
)
def test_each_kind_of_index_is_listed_and_filters(
    client: QdrantClient, collection: str, kind: str, stored: object, other: object, condition: dict
) -> None:
    client.create_payload_index(collection, "field", models.PayloadSchemaType(kind))
    client.upsert(
        collection,
        [models.PointStruct(id=i, vector=ONES, payload={"field": v}) for i, v in enumerate((stored, other))],
    )
    schema = client.get_collection(collection).payload_schema["field"]
    found = client.scroll(
        collection, scroll_filter=models.Filter(must=[models.FieldCondition(key="field", **condition)])
    )[0]
    assert (schema.data_type.value, schema.points, [point.id for point in found]) == (kind, 2, [0])
    client.delete_payload_index(collection, "field")
    assert client.get_collection(collection).payload_schema == {}


def test_index_parameters_come_back_as_given(client: QdrantClient, collection: str) -> None:
    text = models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True, min_token_len=2
    )
    number = models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=False)
    client.create_payload_index(collection, "text", text)
    client.create_payload_index(collection, "number", number)
    schema = client.get_collection(collection).payload_schema
    assert (schema["text"].params, schema["number"].params) == (text, number)


def test_points_come_in_the_order_of_a_field(client: QdrantClient, collection: str) -> None:
    client.create_payload_index(collection, "n", models.PayloadSchemaType.INTEGER)
    client.upsert(collection, [models.PointStruct(id=i, vector=ONES, payload={"n": -i}) for i in range(5)])
    order = models.OrderBy(key="n", direction=models.Direction.DESC, start_from=-1)
    scrolled = client.scroll(collection, order_by=order, limit=3)[0]
    queried = client.query_points(collection, query=models.OrderByQuery(order_by=order), limit=3).points
    assert [point.id for point in scrolled] == [point.id for point in queried] == [1, 2, 3]


def test_update_modes_insert_only_or_update_only(client: QdrantClient, collection: str) -> None:
    def upsert(identity: int, mark: str, mode: models.UpdateMode) -> None:
        point = models.PointStruct(id=identity, vector=ONES, payload={"mark": mark})
        client.upsert(collection, [point], update_mode=mode)

    upsert(1, "first", models.UpdateMode.UPDATE_ONLY)
    assert client.count(collection).count == 0
    upsert(1, "first", models.UpdateMode.INSERT_ONLY)
    upsert(1, "second", models.UpdateMode.INSERT_ONLY)
    assert client.retrieve(collection, [1])[0].payload == {"mark": "first"}


def test_more_points_than_a_batch_are_written_found_and_deleted(client: QdrantClient, collection: str) -> None:
    points = [models.PointStruct(id=i, vector=ONES, payload={"odd": i % 2}) for i in range(700)]
    client.upsert(collection, points)
    odd = models.Filter(must=[models.FieldCondition(key="odd", match=models.MatchValue(value=1))])
    client.set_payload(collection, {"odd": 2}, points=odd)
    assert client.count(collection, count_filter=odd).count == 0
    even = models.Filter(must=[models.FieldCondition(key="odd", match=models.MatchValue(value=0))])
    client.delete(collection, models.FilterSelector(filter=even))
    assert client.count(collection).count == 350
    assert len(client.query_points(collection, query=ONES[DENSE], using=DENSE, limit=1000).points) == 350


@pytest.mark.parametrize(
    "fusion",
    [
        models.FusionQuery(fusion=models.Fusion.DBSF),
        models.RrfQuery(rrf=models.Rrf(k=60, weights=[1.0, 3.0])),
    ],
)
def test_a_fused_score_is_higher_where_both_lists_agree(
    client: QdrantClient, collection: str, fusion: models.FusionQuery | models.RrfQuery
) -> None:
    def vector(dense: float, term: int) -> dict:
        return {DENSE: [dense, 0, 0, 0], SPARSE: models.SparseVector(indices=[term], values=[1.0])}

    client.upsert(
        collection,
        [
            models.PointStruct(id=1, vector=vector(3, 7)),
            models.PointStruct(id=2, vector=vector(2, 8)),
            models.PointStruct(id=3, vector=vector(1, 8)),
        ],
    )
    prefetch = [
        models.Prefetch(query=[1.0, 0, 0, 0], using=DENSE),
        models.Prefetch(query=models.SparseVector(indices=[7], values=[1.0]), using=SPARSE),
    ]
    assert client.query_points(collection, prefetch=prefetch, query=fusion).points[0].id == 1


def test_a_sample_has_as_many_points_as_asked(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [models.PointStruct(id=i, vector=ONES) for i in range(9)])
    sample = client.query_points(collection, query=models.SampleQuery(sample=models.Sample.RANDOM), limit=4).points
    assert len({point.id for point in sample}) == 4


def test_the_configuration_comes_back_as_created(client: QdrantClient, name: str) -> None:
    client.create_collection(
        name,
        vectors_config={
            DENSE: models.VectorParams(
                size=8, distance=models.Distance.EUCLID, on_disk=True, hnsw_config=models.HnswConfigDiff(m=4)
            )
        },
        sparse_vectors_config={SPARSE: models.SparseVectorParams(index=models.SparseIndexParams(on_disk=True))},
        hnsw_config=models.HnswConfigDiff(m=32, ef_construct=64),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
        on_disk_payload=False,
        metadata={"made_for": "this test"},
    )
    config = client.get_collection(name).config
    assert isinstance(config.params.vectors, dict)
    vector = config.params.vectors[DENSE]
    assert (vector.size, vector.distance, vector.on_disk) == (8, models.Distance.EUCLID, True)
    assert vector.hnsw_config == models.HnswConfigDiff(m=4)
    assert (config.hnsw_config.m, config.hnsw_config.ef_construct) == (32, 64)
    assert config.optimizer_config.indexing_threshold == 0
    assert config.params.sparse_vectors
    assert config.params.sparse_vectors[SPARSE].index == models.SparseIndexParams(on_disk=True)
    assert (config.params.on_disk_payload, config.metadata) == (False, {"made_for": "this test"})
    client.delete_collection(name)


def test_the_version_is_that_of_the_client(client: QdrantClient) -> None:
    assert client.info().version.split(".")[:2] == version("qdrant-client").split(".")[:2]
