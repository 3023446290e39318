"""What a client of Qdrant may rely on: held by the embedded server, by local mode and by a real server if one is named.

Scores agree within 1e-4 relative: implementations sum float32 in different orders.
"""

from uuid import UUID, uuid4

import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, SPARSE, make_collection

A_UUID = str(UUID(int=7))
NEAR_FIRST = [1.0, 0.2, 0.0, 0.0]


@pytest.fixture
def filled(any_client: QdrantClient, name: str) -> str:
    make_collection(any_client, name)
    any_client.upsert(
        name,
        [
            _point(1, [1, 0, 0, 0], {3: 1.0}, {"kind": "a", "n": 1, "flag": True, "tags": ["x", "y"]}),
            _point(2, [0, 1, 0, 0], {3: 0.5, 4: 1.0}, {"kind": "b", "n": 2, "flag": False, "deep": {"er": 5}}),
            _point(3, [0, 0, 1, 0], {9: 2.0}, {"kind": "a", "n": 3}),
            _point(A_UUID, [0.5, 0.5, 0, 0], {4: 1.0}, {"kind": None}),
        ],
    )
    return name


def test_the_nearest_points_come_first(any_client: QdrantClient, filled: str) -> None:
    found = any_client.query_points(filled, query=NEAR_FIRST, using=DENSE, limit=3).points
    assert [(point.id, pytest.approx(point.score, rel=1e-4)) for point in found] == [
        (1, 1.0),
        (A_UUID, 0.6),
        (2, 0.2),
    ]


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (models.Distance.COSINE, 7 / (5 * 2**0.5)),
        (models.Distance.DOT, 7.0),
        (models.Distance.EUCLID, 13**0.5),
        (models.Distance.MANHATTAN, 5.0),
    ],
)
def test_each_distance_scores_as_defined(
    any_client: QdrantClient, name: str, distance: models.Distance, expected: float
) -> None:
    make_collection(any_client, name, distance=distance)
    any_client.upsert(name, [_point(1, [3, 4, 0, 0], {}, {})])
    found = any_client.query_points(name, query=[1.0, 1.0, 0.0, 0.0], using=DENSE).points
    assert found[0].score == pytest.approx(expected, rel=1e-4)


def test_a_point_is_not_its_own_neighbour(any_client: QdrantClient, filled: str) -> None:
    assert [point.id for point in any_client.query_points(filled, query=1, using=DENSE, limit=1).points] == [A_UUID]


def test_rare_terms_weigh_more_in_a_sparse_query(any_client: QdrantClient, filled: str) -> None:
    query = models.SparseVector(indices=[3, 9], values=[1.0, 1.0])
    found = any_client.query_points(filled, query=query, using=SPARSE, limit=5).points
    assert [point.id for point in found] == [3, 1, 2]


def test_fusion_prefers_what_both_lists_found(any_client: QdrantClient, filled: str) -> None:
    found = any_client.query_points(
        filled,
        prefetch=[
            models.Prefetch(query=[0.0, 1.0, 0.0, 0.0], using=DENSE, limit=2),
            models.Prefetch(query=models.SparseVector(indices=[4], values=[1.0]), using=SPARSE, limit=2),
        ],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
        limit=1,
    ).points
    assert found[0].id in (2, A_UUID)
    assert found[0].score > 0.5


def test_threshold_offset_and_filter_narrow_a_query(any_client: QdrantClient, filled: str) -> None:
    def ids(**narrowing: object) -> list[object]:
        return [p.id for p in any_client.query_points(filled, query=NEAR_FIRST, using=DENSE, **narrowing).points]  # pyright: ignore[reportArgumentType] - forwarded

    assert ids(score_threshold=0.5) == [1, A_UUID]
    assert ids(offset=1, limit=1) == [A_UUID]
    assert ids(query_filter=_where("kind", models.MatchValue(value="b"))) == [2]


def test_a_batch_of_queries_answers_each_in_order(any_client: QdrantClient, filled: str) -> None:
    queries = [
        models.QueryRequest(query=vector, using=DENSE, limit=1)
        for vector in ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])
    ]
    assert [answer.points[0].id for answer in any_client.query_batch_points(filled, queries)] == [2, 3]


def test_true_matches_only_true_and_one_only_one(any_client: QdrantClient, filled: str) -> None:
    def count(key: str, value: bool | int) -> int:
        return any_client.count(filled, count_filter=_where(key, models.MatchValue(value=value))).count

    assert (count("flag", True), count("flag", False), count("n", 1), count("n", True)) == (1, 1, 1, 0)


def test_scroll_visits_every_point_once(any_client: QdrantClient, filled: str) -> None:
    seen: list[object] = []
    offset = None
    while True:
        page, offset = any_client.scroll(filled, limit=1, offset=offset)
        seen += [point.id for point in page]
        if offset is None:
            break
    assert sorted(map(str, seen)) == sorted(map(str, [1, 2, 3, A_UUID]))


def test_selectors_bound_what_is_returned(any_client: QdrantClient, filled: str) -> None:
    def payload(selector: models.PayloadSelector | bool | list[str]) -> object:
        return any_client.retrieve(filled, [2], with_payload=selector)[0].payload

    assert payload(["kind", "deep.er"]) == {"kind": "b", "deep": {"er": 5}}
    assert payload(models.PayloadSelectorExclude(exclude=["deep", "n", "flag"])) == {"kind": "b"}
    assert not payload(False)
    vectors = any_client.retrieve(filled, [2], with_vectors=[SPARSE])[0].vector
    assert vectors == {SPARSE: models.SparseVector(indices=[3, 4], values=[0.5, 1.0])}


def test_an_upsert_replaces_the_whole_point(any_client: QdrantClient, filled: str) -> None:
    any_client.upsert(filled, [models.PointStruct(id=1, vector={DENSE: [0, 0, 0, 1]}, payload={"new": 1})])
    point = any_client.retrieve(filled, [1], with_vectors=True)[0]
    assert (point.payload, point.vector) == ({"new": 1}, {DENSE: [0, 0, 0, 1]})


def test_the_batch_form_is_the_list_form(any_client: QdrantClient, name: str) -> None:
    make_collection(any_client, name)
    ids = [5, str(uuid4())]
    any_client.upsert(
        name, models.Batch(ids=ids, vectors={DENSE: [[1, 2, 3, 4], [4, 3, 2, 1]]}, payloads=[{"a": 1}, {"a": 2}])
    )
    found = any_client.retrieve(name, ids, with_vectors=True)
    assert {(p.id, str(p.payload), str(p.vector)) for p in found} == {
        (5, "{'a': 1}", f"{{'{DENSE}': [1.0, 2.0, 3.0, 4.0]}}"),
        (ids[1], "{'a': 2}", f"{{'{DENSE}': [4.0, 3.0, 2.0, 1.0]}}"),
    }


def test_delete_by_ids_and_by_filter(any_client: QdrantClient, filled: str) -> None:
    any_client.delete(filled, [1, 999])
    any_client.delete(filled, models.FilterSelector(filter=_where("kind", models.MatchValue(value="a"))))
    assert {point.id for point in any_client.scroll(filled)[0]} == {2, A_UUID}


def test_payload_set_overwrite_delete_clear(any_client: QdrantClient, filled: str) -> None:
    def payload(identity: int) -> object:
        return any_client.retrieve(filled, [identity])[0].payload

    any_client.set_payload(filled, {"n": 9}, points=[3])
    assert payload(3) == {"kind": "a", "n": 9}
    any_client.set_payload(filled, {"er": 6}, points=[2], key="deep")
    assert payload(2) == {"kind": "b", "n": 2, "flag": False, "deep": {"er": 6}}
    any_client.overwrite_payload(filled, {"only": True}, points=_where("n", models.MatchValue(value=9)))
    assert payload(3) == {"only": True}
    any_client.delete_payload(filled, ["deep", "flag"], points=[2])
    assert payload(2) == {"kind": "b", "n": 2}
    any_client.clear_payload(filled, [2])
    assert not payload(2)


def test_vectors_update_and_delete_leave_the_payload(any_client: QdrantClient, filled: str) -> None:
    any_client.update_vectors(filled, [models.PointVectors(id=3, vector={DENSE: [9, 9, 9, 9]})])
    any_client.delete_vectors(filled, [SPARSE], [3])
    point = any_client.retrieve(filled, [3], with_vectors=True)[0]
    assert (point.payload, point.vector) == ({"kind": "a", "n": 3}, {DENSE: [9, 9, 9, 9]})


def test_batch_updates_apply_in_order(any_client: QdrantClient, filled: str) -> None:
    any_client.batch_update_points(
        filled,
        [
            models.UpsertOperation(upsert=models.PointsList(points=[_point(8, [1, 1, 1, 1], {}, {"n": 1})])),
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"n": 2}, points=[8])),
            models.DeleteOperation(delete=models.PointIdsList(points=[1])),
        ],
    )
    assert any_client.retrieve(filled, [8])[0].payload == {"n": 2}
    assert any_client.count(filled).count == 4


def test_an_alias_stands_for_its_collection(any_client: QdrantClient, filled: str) -> None:
    alias, other = f"alias-{filled}", f"other-{filled}"
    any_client.update_collection_aliases([_alias(filled, alias)])
    assert any_client.count(alias).count == 4
    assert [a.alias_name for a in any_client.get_collection_aliases(filled).aliases] == [alias]
    renaming = models.RenameAlias(old_alias_name=alias, new_alias_name=other)
    any_client.update_collection_aliases([models.RenameAliasOperation(rename_alias=renaming)])
    assert any_client.count(other).count == 4
    any_client.delete_collection(filled)
    assert other not in [a.alias_name for a in any_client.get_aliases().aliases]


def test_collections_come_and_go(any_client: QdrantClient, name: str) -> None:
    assert not any_client.collection_exists(name)
    make_collection(any_client, name)
    assert any_client.collection_exists(name)
    assert name in [c.name for c in any_client.get_collections().collections]
    any_client.delete_collection(name)
    assert not any_client.collection_exists(name)


def test_an_unnamed_vector_works_like_a_named_one(any_client: QdrantClient, name: str) -> None:
    any_client.create_collection(name, vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
    any_client.upsert(name, [models.PointStruct(id=i, vector=[i, 0]) for i in range(1, 4)])
    found = any_client.query_points(name, query=[1.0, 0.0], limit=1, with_vectors=True).points
    assert (found[0].id, found[0].vector) == (3, [3.0, 0.0])
    assert any_client.query_points(name, query=3, limit=1).points[0].id == 2


def _point(identity: int | str, dense: list[float], sparse: dict[int, float], payload: dict) -> models.PointStruct:
    vector = {DENSE: dense, SPARSE: models.SparseVector(indices=list(sparse), values=list(sparse.values()))}
    return models.PointStruct(id=identity, vector=vector, payload=payload)


def _where(key: str, match: models.MatchValue) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=key, match=match)])


def _alias(collection: str, alias: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=collection, alias_name=alias))
