"""Queries and indexes as bare JSON: what Qdrant's REST takes that its client never sends, and what it refuses."""

from typing import Any

import httpx
import numpy as np
import pytest

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE

COUNT = 12
VECTORS = np.random.default_rng(3).normal(size=(COUNT, DIMENSION)).astype(np.float32)
ONES = [1.0] * DIMENSION
NEAREST_FIRST = [int(i) for i in np.argsort(-(VECTORS @ np.ones(DIMENSION)))]
TEXTS = ("red fox", "red red red fox", "a blue whale", "the whales")
PAIR = {"positive": 1, "negative": ONES}


@pytest.fixture
def filled(http: httpx.Client, collection: str) -> str:
    """The collection's URL path."""
    points = [
        {
            "id": i,
            "vector": {DENSE: VECTORS[i].tolist(), SPARSE: {"indices": [i % 3], "values": [1.0]}},
            "payload": {"n": i, "kind": "ab"[i % 2], "text": TEXTS[i % 4]},
        }
        for i in range(COUNT)
    ]
    http.put(f"/collections/{collection}/points?wait=true", json={"points": points}).raise_for_status()
    return f"/collections/{collection}"


def _ids(http: httpx.Client, path: str, body: dict[str, Any]) -> list[int]:
    answer = http.post(f"{path}/points/query", json=body)
    assert answer.status_code == 200, answer.text
    return [point["id"] for point in answer.json()["result"]["points"]]


def _formula(expression: object) -> dict[str, object]:
    return {"prefetch": {"query": ONES, "using": DENSE}, "query": {"formula": expression}}


@pytest.mark.parametrize(
    "body",
    [
        {"query": ONES},
        {"query": {"nearest": ONES}},
        {"query": {"nearest": ONES, "mmr": None}},
        {"query": {"nearest": ONES, "mmr": {"diversity": 0}}},
        {"query": {"recommend": {"positive": [ONES], "negative": None, "strategy": None}}},
        {"query": {"recommend": {"positive": [ONES], "strategy": "best_score"}}},
        {"query": {"recommend": {"positive": [ONES], "strategy": "sum_scores"}}},
        {"query": {"discover": {"target": ONES, "context": None}}},
        {"query": {"discover": {"target": ONES, "context": []}}},
        {"prefetch": {"query": ONES, "using": DENSE, "limit": 3}, "query": {"fusion": "rrf"}},
        {"prefetch": [{"query": ONES, "using": DENSE}], "query": {"fusion": "dbsf"}},
        {"prefetch": [{"query": ONES, "using": DENSE}], "query": {"rrf": {"k": 5, "weights": [2.0]}}},
        {"prefetch": [{"query": ONES, "using": DENSE}], "query": {"rrf": {"k": None}}},
        {"prefetch": [{"query": ONES, "using": DENSE}], "query": {"formula": "$score", "defaults": None}},
        {"query": ONES, "filter": None, "params": None, "score_threshold": None, "offset": None, "lookup_from": None},
        {"query": ONES, "shard_key": None, "prefetch": None, "surprise": {"nested": 1}},
        {"query": ONES, "params": {"exact": True, "hnsw_ef": 2**40, "surprise": 1}},
        {"query": ONES, "params": {"quantization": {"ignore": True, "rescore": None, "oversampling": 2.0}}},
        {"query": ONES, "params": {"acorn": {"enable": True, "max_selectivity": 0.4}, "indexed_only": True}},
    ],
)
def test_these_all_find_the_nearest_first(http: httpx.Client, filled: str, body: dict[str, Any]) -> None:
    assert _ids(http, filled, {"limit": 3, "using": DENSE, **body}) == NEAREST_FIRST[:3]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"query": ONES, "limit": 0}, 422),
        ({"query": ONES, "limit": -1}, 400),
        ({"query": ONES, "limit": 1.5}, 400),
        ({"query": ONES, "limit": "3"}, 400),
        ({"query": ONES, "offset": -1}, 400),
        ({"query": ONES, "params": {"quantization": {"oversampling": 0.5}}}, 422),
        ({"query": ONES, "params": {"acorn": {"max_selectivity": 1.5}}}, 422),
        ({"query": ONES, "params": {"exact": "yes"}}, 400),
        ({"query": ONES, "with_payload": {"include": [], "exclude": []}}, 400),
        ({"query": ONES, "with_payload": {"only": []}}, 400),
        ({"query": ONES, "with_vector": 1}, 400),
        ({"query": ONES, "score_threshold": "high"}, 400),
        ({"query": [ONES]}, 400),
        ({"query": []}, 400),
        ({"query": True}, 400),
        ({"query": 1.5}, 400),
        ({"query": {"indices": [1], "values": [1.0]}}, 400),
        ({"query": {"surprise": 1}}, 400),
        ({"query": {"fusion": "rrf", "sample": "random"}}, 400),
        ({"query": {"fusion": "mean"}, "prefetch": {"query": ONES, "using": DENSE}}, 400),
        ({"query": {"fusion": "rrf"}}, 400),
        ({"prefetch": {"query": ONES, "using": DENSE}}, 400),
        ({"query": {"rrf": {"weights": [1, 2]}}, "prefetch": {"query": ONES, "using": DENSE}}, 400),
        ({"query": {"nearest": ONES, "mmr": {"candidates_limit": 16385}}}, 422),
        ({"query": {"nearest": {"indices": [1], "values": [1.0]}, "mmr": {}}, "using": SPARSE}, 501),
        ({"query": {"rrf": {"weights": [1e300]}}, "prefetch": {"query": ONES, "using": DENSE}}, 400),
        ({"query": {"recommend": {}}}, 400),
        ({"query": {"recommend": {"negative": [1]}}}, 400),
        ({"query": {"recommend": {"strategy": "best_score"}}}, 400),
        ({"query": {"recommend": {"positive": [1], "strategy": "worst"}}}, 400),
        ({"query": {"recommend": {"positive": [[1.0]]}}}, 400),
        ({"query": {"recommend": {"positive": 1}}}, 400),
        ({"query": {"discover": {"context": [PAIR]}}}, 400),
        ({"query": {"discover": {"target": 99, "context": [PAIR]}}}, 404),
        ({"query": {"context": [{"positive": 1}]}}, 400),
        ({"query": {"order_by": "n"}}, 400),
        ({"query": {"sample": "first"}}, 400),
        ({"query": {"text": "fox", "model": "some/model"}}, 501),
        ({"query": {"text": "fox"}, "using": "text"}, 400),
        ({"query": 1, "lookup_from": {"collection": "missing"}}, 404),
        ({"query": 1, "lookup_from": {}}, 400),
        ({"query": {"formula": "$score"}}, 400),
        (_formula({"sum": "n"}), 400),
        (_formula({"surprise": ["n"]}), 400),
        (_formula("missing"), 400),
        (_formula("$unknown"), 400),
        (_formula({"ln": -1.0}), 400),
        (_formula({"div": {"left": 1.0}}), 400),
        (_formula({"exp_decay": {"x": "n", "scale": -1.0}}), 400),
        (_formula({"datetime": "yesterday"}), 400),
        (_formula(None), 400),
    ],
)
def test_a_wrong_query_is_refused(http: httpx.Client, filled: str, body: dict[str, Any], status: int) -> None:
    answer = http.post(f"{filled}/points/query", json={"using": DENSE, **body})
    assert (answer.status_code, bool(answer.json()["status"]["error"])) == (status, True)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("points/query/groups", {"query": ONES, "using": DENSE}, 400),
        ("points/query/groups", {"query": ONES, "using": DENSE, "group_by": "n", "limit": 0}, 422),
        ("points/query/groups", {"query": ONES, "using": DENSE, "group_by": "n", "group_size": 0}, 422),
        ("points/query/groups", {"query": ONES, "using": DENSE, "group_by": "n", "with_lookup": "missing"}, 404),
        ("points/search/matrix/pairs", {"using": DENSE, "sample": 1}, 422),
        ("points/search/matrix/offsets", {"using": DENSE, "limit": 0}, 422),
        ("points/search/matrix/offsets", {"using": "unknown"}, 400),
        ("facet", {}, 400),
        ("facet", {"key": "kind"}, 400),
        ("points/scroll", {"limit": 0}, 422),
        ("points/scroll", {"offset": -1}, 400),
        ("points/scroll", {"order_by": {"direction": "asc"}}, 400),
        ("points/count", {"exact": 1}, 400),
        ("points", {}, 400),
        ("points", {"ids": [-1]}, 400),
        ("points/query/batch", {}, 400),
        ("points/query/batch", {"searches": [{"query": ONES, "using": DENSE}, {"limit": 0}]}, 422),
    ],
)
def test_a_wrong_read_is_refused(http: httpx.Client, filled: str, path: str, body: dict[str, Any], status: int) -> None:
    answer = http.post(f"{filled}/{path}", json=body)
    assert (answer.status_code, bool(answer.json()["status"]["error"])) == (status, True)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"key": "n"}, 422),
        ({"key": "n", "surprise": 1}, 422),
        ({"key": "n", "match": None}, 422),
        ({"key": "n", "match": {}}, 400),
        ({"key": "n", "match": {"surprise": 1}}, 400),
        ({"key": "n", "match": {"any": [1, "a"]}}, 400),
        ({"key": "n", "match": {"any": [1.5]}}, 400),
        ({"key": "n", "match": {"value": 2**63}}, 400),
        ({"key": "n", "range": {"gte": 1, "lt": "2026-01-01"}}, 400),
        ({"key": "n", "values_count": {"gt": -1}}, 400),
        ({"key": "n", "geo_radius": {"center": {"lon": 1}, "radius": 1}}, 400),
        ({"key": "n", "geo_radius": {"center": {"lon": 181, "lat": 0}, "radius": 1}}, 400),
        ({"key": "n", "geo_polygon": {"exterior": {"points": [{"lon": 0, "lat": 0}, {"lon": 1, "lat": 1}]}}}, 400),
        ({"is_empty": "n"}, 400),
        ({"has_id": 1}, 400),
        ({"has_vector": 1}, 400),
        ({"nested": {"key": "n"}}, 400),
        ({"surprise": 1}, 400),
        ({"has_id": [1], "has_vector": DENSE}, 400),
        (None, 400),
        (1, 400),
    ],
)
def test_a_wrong_condition_is_refused_and_never_left_out(
    http: httpx.Client, filled: str, condition: object, status: int
) -> None:
    for clause in ("must", "should", "must_not"):
        answer = http.post(f"{filled}/points/count", json={"filter": {clause: [condition]}})
        assert (answer.status_code, bool(answer.json()["status"]["error"])) == (status, True)


PARAMS: list[dict[str, object]] = [
    {"type": "keyword", "is_tenant": True, "prefix": True, "memory": "cached"},
    {"type": "integer", "lookup": True, "range": False, "is_principal": False},
    {"type": "float", "is_principal": True, "on_disk": True},
    {"type": "geo", "on_disk": False, "enable_hnsw": False},
    {"type": "bool", "memory": "pinned"},
    {"type": "datetime", "is_principal": False, "memory": "cold"},
    {"type": "uuid", "is_tenant": False},
    {"type": "integer", "nested": "list[]"},
    {"type": "text", "tokenizer": "whitespace", "lowercase": False, "min_token_len": 2, "max_token_len": 9},
    {"type": "text", "tokenizer": "multilingual", "stopwords": "english", "phrase_matching": True},
    {"type": "text", "tokenizer": "word", "stopwords": {"languages": ["english", "german"], "custom": ["fox"]}},
    {"type": "text", "tokenizer": "word", "stemmer": {"type": "snowball", "language": "english"}},
    {"type": "text", "tokenizer": "prefix", "stemmer": {"type": "none"}, "ascii_folding": True},
    {"type": "text", "tokenizer": "code", "scoring": {"type": "bm25"}},
]


def test_an_index_of_each_kind_is_described_as_it_was_made(http: httpx.Client, filled: str) -> None:
    for params in PARAMS:
        field = "list[].n" if "nested" in params else "field"
        asked = {"field_name": field, "field_schema": {**params, "surprise": 1}}
        answer = http.put(f"{filled}/index?wait=true", json=asked)
        assert (answer.status_code, answer.json()["result"]["status"]) == (200, "completed")
        described = http.get(filled).json()["result"]["payload_schema"][field]
        assert described == {"data_type": params["type"], "params": params, "points": 0}


def test_a_new_index_replaces_the_one_before(http: httpx.Client, filled: str) -> None:
    for kind, points in (("integer", 12), ("keyword", 0), ("float", 12)):
        http.put(f"{filled}/index?wait=true", json={"field_name": "n", "field_schema": kind}).raise_for_status()
        described = http.get(filled).json()["result"]["payload_schema"]
        assert described == {"n": {"data_type": kind, "points": points}}


@pytest.mark.parametrize(
    ("schema", "status"),
    [
        (None, 400),
        ("complex", 400),
        ({"type": "complex"}, 400),
        ({"lookup": True}, 400),
        ({"type": "integer", "lookup": False, "range": False}, 422),
        ({"type": "text", "tokenizer": "letters"}, 400),
        ({"type": "text", "stopwords": "klingon"}, 400),
        ({"type": "text", "stemmer": {"type": "porter"}}, 400),
    ],
)
def test_a_wrong_index_is_refused(http: httpx.Client, filled: str, schema: object, status: int) -> None:
    answer = http.put(f"{filled}/index?wait=true", json={"field_name": "field", "field_schema": schema})
    assert (answer.status_code, bool(answer.json()["status"]["error"])) == (status, True)
    assert http.get(filled).json()["result"]["payload_schema"] == {}


def test_stems_stopwords_and_phrases_decide_what_a_text_filter_finds(http: httpx.Client, filled: str) -> None:
    def found(**match: str) -> list[int]:
        body = {"filter": {"must": {"key": "text", "match": match}}, "limit": 4, "with_payload": False}
        points = http.post(f"{filled}/points/scroll", json=body).raise_for_status().json()["result"]["points"]
        return sorted({point["id"] % 4 for point in points})

    stemmer = {"type": "snowball", "language": "english"}
    params = {"type": "text", "stemmer": stemmer, "stopwords": "english", "phrase_matching": True}
    http.put(f"{filled}/index?wait=true", json={"field_name": "text", "field_schema": params}).raise_for_status()
    assert found(text="Whale") == [2, 3]
    assert found(text="the fox") == [0, 1]
    assert found(text_any="blue fox") == [0, 1, 2]
    assert found(phrase="red fox") == [0, 1]
    assert found(phrase="fox red") == []


def test_a_text_query_ranks_by_the_index(http: httpx.Client, filled: str) -> None:
    params = {"type": "text", "scoring": True}
    http.put(f"{filled}/index?wait=true", json={"field_name": "text", "field_schema": params}).raise_for_status()
    found = _ids(http, filled, {"query": {"text": "red"}, "using": "text", "limit": COUNT})
    assert [i % 4 for i in found] == [1, 1, 1, 0, 0, 0]
    flat = {"text": {"query": "red", "scoring": {"bm25": {"k": 0.0, "b": 0.0}}}}
    answer = http.post(f"{filled}/points/query", json={"query": flat, "using": "text", "limit": COUNT}).json()
    assert len({point["score"] for point in answer["result"]["points"]}) == 1


def test_mmr_brings_only_the_vectors_that_were_asked_for(http: httpx.Client, filled: str) -> None:
    query = {"query": {"nearest": ONES, "mmr": {}}, "using": DENSE, "limit": 1}
    for wanted, expected in ((False, None), (True, {DENSE, SPARSE}), ([SPARSE], {SPARSE})):
        point = http.post(f"{filled}/points/query", json={**query, "with_vector": wanted}).json()["result"]["points"][0]
        assert (set(point["vector"]) if "vector" in point else None) == expected


def test_relevance_feedback_moves_towards_what_was_liked(http: httpx.Client, filled: str) -> None:
    feedback = [{"example": 2, "score": 1.0}, {"example": 5, "score": 0.0}]
    asked = {"target": ONES, "feedback": feedback, "strategy": {"naive": {"a": 1.0, "b": 0.0, "c": 0.0}}}
    found = _ids(http, filled, {"query": {"relevance_feedback": asked}, "using": DENSE, "limit": COUNT})
    assert found == [i for i in NEAREST_FIRST if i not in (2, 5)]
    asked["strategy"] = {"naive": {"a": 0.0, "b": 1.0, "c": 50.0}}
    moved = _ids(http, filled, {"query": {"relevance_feedback": asked}, "using": DENSE, "limit": COUNT})
    liked = VECTORS @ (VECTORS[2] - VECTORS[5])
    assert moved[0] == int(np.argmax(np.where(np.isin(np.arange(COUNT), (2, 5)), -np.inf, liked)))


def test_order_starts_where_asked_and_ties_break_by_id(http: httpx.Client, filled: str) -> None:
    http.put(f"{filled}/index?wait=true", json={"field_name": "n", "field_schema": "integer"}).raise_for_status()
    order = {"key": "n", "direction": "desc", "start_from": 7}
    scrolled = http.post(f"{filled}/points/scroll", json={"order_by": order, "limit": 3}).json()["result"]
    assert [(point["id"], point["order_value"]) for point in scrolled["points"]] == [(7, 7), (6, 6), (5, 5)]
    assert scrolled["next_page_offset"] is None
    assert _ids(http, filled, {"query": {"order_by": order}, "limit": 3}) == [7, 6, 5]


def test_with_vectors_is_an_alias(http: httpx.Client, filled: str) -> None:
    reads: list[tuple[str, dict[str, object]]] = [
        ("points/query", {"query": 3, "using": DENSE}),
        ("points/scroll", {}),
        ("points", {"ids": [3]}),
    ]
    for path, body in reads:
        for selected in ("with_vectors", "with_vector"):
            answer = http.post(f"{filled}/{path}", json={**body, selected: [DENSE]}).json()["result"]
            points = answer if isinstance(answer, list) else answer["points"]
            assert all(point["vector"].keys() == {DENSE} for point in points)


def test_slices_part_the_points_and_stay(http: httpx.Client, filled: str) -> None:
    extra = [{"id": f"00000000-0000-0000-0000-{i:012}", "vector": {}} for i in range(9)]
    http.put(f"{filled}/points?wait=true", json={"points": extra}).raise_for_status()

    def slice_of(total: int, index: int) -> list[object]:
        body = {"filter": {"must": [{"slice": {"total": total, "index": index}}]}, "limit": 100}
        return [point["id"] for point in http.post(f"{filled}/points/scroll", json=body).json()["result"]["points"]]

    everything = {str(identity) for identity in slice_of(1, 0)}
    parts = [slice_of(3, index) for index in range(3)]
    assert sorted(str(identity) for part in parts for identity in part) == sorted(everything)
    assert len(everything) == COUNT + 9
    assert all(parts)
    assert parts == [slice_of(3, index) for index in range(3)]


@pytest.mark.parametrize(
    ("slice_", "status"),
    [
        ({"total": 0, "index": 0}, 422),
        ({"total": 2, "index": 2}, 422),
        ({"total": 2}, 400),
        ({"total": -1, "index": 0}, 400),
    ],
)
def test_a_wrong_slice_is_refused(http: httpx.Client, filled: str, slice_: object, status: int) -> None:
    assert http.post(f"{filled}/points/count", json={"filter": {"must": {"slice": slice_}}}).status_code == status
    deleting = http.post(f"{filled}/points/delete", json={"filter": {"must": {"slice": {"total": 1, "index": 0}}}})
    assert deleting.status_code == 501


def test_texts_become_sparse_vectors_by_the_built_in_model(http: httpx.Client, filled: str) -> None:
    def document(text: str) -> dict[str, object]:
        return {"text": text, "model": "Qdrant/bm25", "options": {"language": "english", "avg_len": 3}}

    points = [{"id": 100 + i, "vector": {SPARSE: document(text)}} for i, text in enumerate(TEXTS)]
    http.put(f"{filled}/points?wait=true", json={"points": points}).raise_for_status()
    assert _ids(http, filled, {"query": document("Whales"), "using": SPARSE}) == [103, 102]
    assert _ids(http, filled, {"query": {"nearest": document("red")}, "using": SPARSE}) == [101, 100]
    wrong = {"text": "red", "model": "qdrant/bm25", "options": {"language": "klingon"}}
    for query in (wrong, {**wrong, "options": {"b": 2.0}}, {"text": 1, "model": "qdrant/bm25"}):
        answer = http.post(f"{filled}/points/query", json={"query": query, "using": SPARSE})
        assert answer.status_code == 400
    assert http.post(f"{filled}/points/query", json={"query": document("red"), "using": DENSE}).status_code == 400


def test_groups_may_be_of_numbers_that_no_filter_can_name(http: httpx.Client, filled: str) -> None:
    point = {"id": 200, "vector": {DENSE: [9.0] * DIMENSION}, "payload": {"n": 2**64 - 1}}
    http.put(f"{filled}/points?wait=true", json={"points": [point]}).raise_for_status()
    two = {"must": {"has_id": [1, 200]}}
    asked = {"query": ONES, "using": DENSE, "group_by": "n", "limit": 1, "group_size": 2, "filter": two}
    groups = http.post(f"{filled}/points/query/groups", json=asked).json()["result"]["groups"]
    assert [(group["id"], [hit["id"] for hit in group["hits"]]) for group in groups] == [(2**64 - 1, [200])]


def test_a_batch_answers_each_search_in_order(http: httpx.Client, filled: str) -> None:
    searches = [{"query": ONES, "using": DENSE, "limit": 1}, {"query": {"sample": "random"}, "limit": 2}, {}]
    answer = http.post(f"{filled}/points/query/batch", json={"searches": searches}).json()["result"]
    assert [len(one["points"]) for one in answer] == [1, 2, 10]
    assert answer[0]["points"][0]["id"] == NEAREST_FIRST[0]
