"""Strict mode: what a collection does not allow is refused in Qdrant's words, and allowed again when it is off."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE

ONES = [1.0] * DIMENSION
MATCH = {"key": "a", "match": {"value": "x"}}
UNINDEXED = {"filter": {"must": [{"should": [MATCH]}]}}

PREFETCH = {"prefetch": {"query": ONES, "using": DENSE, "limit": 4}, "query": {"fusion": "rrf"}, "limit": 1}


def _points(count: int) -> dict[str, Any]:
    return {"points": [{"id": i, "vector": {DENSE: ONES}, "payload": {"a": "x"}} for i in range(count)]}


@pytest.fixture
def path(http: httpx.Client, name: str) -> Iterator[str]:
    """A collection with five points, an integer index on `n` and a multivector."""
    vectors = {
        DENSE: {"size": DIMENSION, "distance": "Dot"},
        "many": {"size": DIMENSION, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}},
    }
    http.put(f"/collections/{name}", json={"vectors": vectors, "sparse_vectors": {SPARSE: {}}}).raise_for_status()
    http.put(f"/collections/{name}/points", json=_points(5)).raise_for_status()
    index = {"field_name": "n", "field_schema": "integer"}
    http.put(f"/collections/{name}/index", json=index).raise_for_status()
    yield f"/collections/{name}"
    http.delete(f"/collections/{name}")


@pytest.mark.parametrize(
    ("limits", "endpoint", "body", "said"),
    [
        ({"max_query_limit": 3}, "POST points/query", {"limit": 4}, 'Limit exceeded 4 > 3 for "limit"'),
        ({"max_query_limit": 3}, "POST points/scroll", {"limit": 4}, 'Limit exceeded 4 > 3 for "limit"'),
        ({"max_query_limit": 3}, "POST points/query", PREFETCH, "Limit exceeded 4 > 3"),
        ({"max_query_limit": 3}, "POST points/query/batch", {"searches": [{"limit": 4}]}, "Limit exceeded"),
        ({"search_max_batchsize": 1}, "POST points/query/batch", {"searches": [{}, {}]}, "Limit exceeded 2 > 1"),
        ({"max_timeout": 2}, "POST points/count?timeout=3", {}, 'Limit exceeded 3 > 2 for "timeout"'),
        ({"max_timeout": 2}, "PUT points?timeout=3", _points(1), 'Limit exceeded 3 > 2 for "timeout"'),
        ({"unindexed_filtering_retrieve": False}, "POST points/scroll", UNINDEXED, 'not found for "a" of one of'),
        ({"unindexed_filtering_retrieve": False}, "POST points/count", UNINDEXED, "[keyword, uuid]"),
        ({"unindexed_filtering_update": False}, "POST points/delete", UNINDEXED, "Index required but not found"),
        ({"search_allow_exact": False}, "POST points/query", {"params": {"exact": True}}, "Exact search"),
        ({"search_max_hnsw_ef": 8}, "POST points/query", {"params": {"hnsw_ef": 9}}, 'for "hnsw_ef"'),
        (
            {"search_max_oversampling": 1.5},
            "POST points/query",
            {"params": {"quantization": {"oversampling": 2.0}}},
            'for "oversampling"',
        ),
        ({"upsert_max_batchsize": 2}, "PUT points", _points(3), "Limit exceeded 3 > 2"),
        (
            {"upsert_max_batchsize": 2},
            "POST points/batch",
            {"operations": [{"upsert": _points(3)}]},
            "Limit exceeded 3 > 2",
        ),
        ({"max_points_count": 5}, "PUT points", _points(1), "Max points count limit of 5"),
        ({"max_collection_vector_size_bytes": 16}, "PUT points", _points(1), "Max vector storage size limit"),
        ({"filter_max_conditions": 1}, "POST points/count", {"filter": {"must": [MATCH, MATCH]}}, "conditions"),
        (
            {"condition_max_size": 1},
            "POST points/count",
            {"filter": {"must": {"key": "a", "match": {"any": ["x", "y"]}}}},
            "condition size",
        ),
        (
            {"multivector_config": {"many": {"max_vectors": 1}}},
            "PUT points",
            {"points": [{"id": 1, "vector": {"many": [ONES, ONES]}}]},
            "multivector many",
        ),
        (
            {"sparse_config": {SPARSE: {"max_length": 1}}},
            "PUT points",
            {"batch": {"ids": [1], "vectors": {SPARSE: [{"indices": [1, 2], "values": [1.0, 1.0]}]}}},
            "sparse vector",
        ),
        ({"max_payload_index_count": 1}, "PUT index", {"field_name": "a", "field_schema": "keyword"}, "maximum"),
    ],
)
def test_more_than_is_allowed_is_refused_until_strict_mode_is_off(
    http: httpx.Client, path: str, limits: dict[str, Any], endpoint: str, body: object, said: str
) -> None:
    method, route = endpoint.split()
    http.patch(path, json={"strict_mode_config": {"enabled": True, **limits}}).raise_for_status()
    refused = http.request(method, f"{path}/{route}", json=body)
    assert refused.status_code == 400
    assert refused.json()["status"]["error"].startswith("Bad request: ")
    assert said in refused.json()["status"]["error"]
    http.patch(path, json={"strict_mode_config": {"enabled": False}}).raise_for_status()
    assert http.request(method, f"{path}/{route}", json=body).status_code == 200


@pytest.mark.parametrize(
    "filter_",
    [
        {"must": [{"key": "n", "match": {"value": 1}}]},
        {"must": {"key": "n", "range": {"gte": 1}}, "must_not": [{"has_id": [1]}]},
        {"must": {"is_empty": {"key": "n"}}},
    ],
)
def test_what_has_an_index_may_be_filtered(http: httpx.Client, path: str, filter_: dict[str, Any]) -> None:
    strict = {"enabled": True, "unindexed_filtering_retrieve": False, "unindexed_filtering_update": False}
    http.patch(path, json={"strict_mode_config": strict}).raise_for_status()
    assert http.post(f"{path}/points/count", json={"filter": filter_}).status_code == 200
    assert http.post(f"{path}/points/delete", json={"filter": filter_}).status_code == 200


@pytest.mark.parametrize(
    ("limit", "method", "route", "body"),
    [("read_rate_limit", "POST", "points/count", {}), ("write_rate_limit", "PUT", "points", _points(1))],
)
def test_more_than_the_rate_is_429_and_told_when_to_come_again(
    http: httpx.Client, path: str, limit: str, method: str, route: str, body: object
) -> None:
    http.patch(path, json={"strict_mode_config": {"enabled": True, limit: 3}}).raise_for_status()
    answers = [http.request(method, f"{path}/{route}", json=body) for _ in range(5)]
    assert [answer.status_code for answer in answers[:3]] == [200] * 3
    assert answers[-1].status_code == 429
    assert answers[-1].json()["status"]["error"].startswith("Rate limiting exceeded")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20


@pytest.mark.parametrize("body", [[], {"limit": "x"}, {"filter": {"must": [1]}}, {"prefetch": [1]}, {"filter": 3}])
def test_nonsense_is_refused_in_strict_mode_as_outside(http: httpx.Client, path: str, body: object) -> None:
    limits = {"max_query_limit": 9, "filter_max_conditions": 9, "unindexed_filtering_retrieve": False}
    http.patch(path, json={"strict_mode_config": {"enabled": True, **limits}}).raise_for_status()
    assert http.post(f"{path}/points/query", json=body).status_code == 400
    assert http.put(f"{path}/points", json={"points": [{"id": 1, "vector": {DENSE: 3}}]}).status_code == 400
