"""What is not right or not there is refused in Qdrant's shape; nothing that was sent can break a collection."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

ONES = [1.0] * DIMENSION
DENSE_ONLY = {"vectors": {DENSE: {"size": DIMENSION, "distance": "Dot"}}}


def _nested(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def _nested_filter(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"key": "a", "match": {"value": 1}}
    for _ in range(levels):
        inner = {"must": [inner]}
    return inner


def _point(**changed: object) -> dict[str, object]:
    return {"points": [{"id": 1, "vector": {DENSE: ONES}}, {"id": 2, "vector": {DENSE: ONES}, **changed}]}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"vector": {DENSE: [1.0]}}, 400),
        ({"vector": {DENSE: [1e39] * DIMENSION}}, 400),
        ({"vector": {DENSE: ["1"] * DIMENSION}}, 400),
        ({"vector": {DENSE: [None] * DIMENSION}}, 400),
        ({"vector": {DENSE: "text"}}, 400),
        ({"vector": {"unknown": ONES}}, 400),
        ({"vector": ONES}, 400),
        ({"vector": None}, 400),
        ({"vector": {SPARSE: {"indices": [1, 1], "values": [1.0, 2.0]}}}, 422),
        ({"vector": {SPARSE: {"indices": [1], "values": [1.0, 2.0]}}}, 422),
        ({"vector": {SPARSE: {"indices": [2**32], "values": [1.0]}}}, 400),
        ({"vector": {SPARSE: {"indices": [1.5], "values": [1.0]}}}, 400),
        ({"vector": {DENSE: [ONES]}}, 400),
        ({"vector": {DENSE: {"text": "embed me", "model": "m"}}}, 501),
        ({"id": -1}, 400),
        ({"id": 2**64}, 400),
        ({"id": "not-a-uuid"}, 400),
        ({"id": True}, 400),
        ({"payload": [1]}, 400),
        ({"payload": _nested(70)}, 400),
    ],
)
def test_an_upsert_with_one_bad_point_writes_none(
    http: httpx.Client, collection: str, changed: dict[str, object], status: int
) -> None:
    answer = http.put(f"/collections/{collection}/points?wait=true", json=_point(**changed))
    assert (answer.status_code, "error" in answer.json()["status"]) == (status, True)
    assert http.post(f"/collections/{collection}/points/count", json={}).json()["result"] == {"count": 0}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("points/query", {"query": [1.0], "using": DENSE}, 400),
        ("points/query", {"query": ONES, "using": "unknown"}, 400),
        ("points/query", {"query": ONES}, 400),
        ("points/query", {"query": 77, "using": DENSE}, 404),
        ("points/query", {"query": ONES, "using": DENSE, "limit": 0}, 422),
        ("points/query", {"query": ONES, "using": DENSE, "limit": 2**64}, 400),
        ("points/query", {"query": {"fusion": "rrf"}}, 400),
        ("points/query", {"query": {"rrf": {"k": 0}}}, 422),
        ("points/query", {"query": {"recommend": {"positive": [77]}}, "using": DENSE}, 404),
        ("points/query", {"query": {"nearest": ONES, "mmr": {"diversity": 2}}, "using": DENSE}, 422),
        ("points/query", {"query": ONES, "using": DENSE, "lookup_from": {"collection": "x"}}, 404),
        ("points/scroll", {"filter": {"must": [{"key": "a", "surprise": 1}]}}, 422),
        ("points/scroll", {"filter": {"musst": []}}, 400),
        ("points/scroll", {"filter": {"must": [{"key": "a", "match": {"value": 1.5}}]}}, 400),
        ("points/scroll", {"filter": {"must": [{"key": "a"}]}}, 422),
        ("points/scroll", {"filter": {"must": [{"key": "a[", "is_empty": True}]}}, 400),
        ("points/scroll", {"filter": {"must": [{"key": "a." * 400, "is_empty": True}]}}, 400),
        ("points/scroll", {"filter": {"must": [{"key": "a", "range": {"gte": "yesterday"}}]}}, 400),
        ("points/scroll", {"filter": _nested_filter(40)}, 400),
        ("points/scroll", {"order_by": "unindexed"}, 400),
        ("points/scroll", [], 400),
        ("points/delete", {}, 400),
        ("points/delete", {"points": [1], "filter": {}}, 400),
        ("points/payload", {"payload": {"a": 1}, "points": [77]}, 404),
        ("points/payload", {"payload": {"a": 1}, "points": [1], "key": ".".join("a" * 20)}, 400),
        ("points/vectors/delete", {"points": [1], "vector": ["unknown"]}, 400),
        ("points/batch", {"operations": [{"explode": {}}]}, 400),
        ("points/query/groups", {}, 400),
        ("facet", {"key": "a", "limit": 0}, 422),
        ("cluster", {"move_shard": {}}, 400),
    ],
)
def test_a_wrong_request_is_refused(http: httpx.Client, collection: str, path: str, body: object, status: int) -> None:
    answer = http.post(f"/collections/{collection}/{path}", json=body)
    assert (answer.status_code, "error" in answer.json()["status"]) == (status, True)


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("..%2Fescape", DENSE_ONLY, 501),
        ("que%3Fstion", DENSE_ONLY, 422),
        ("new%0Aline", DENSE_ONLY, 422),
        ("%2E%2E", DENSE_ONLY, 422),
        ("x" * 256, DENSE_ONLY, 422),
        ("%C3%A4" * 128, DENSE_ONLY, 422),
        ("ok", {"vectors": {"../../escape": {"size": 4, "distance": "Dot"}}}, 400),
        ("ok", {"vectors": {DENSE: {"size": 0, "distance": "Dot"}}}, 422),
        ("ok", {"vectors": {DENSE: {"size": 4, "distance": "Far"}}}, 400),
        ("ok", {"vectors": {DENSE: {"size": 4, "distance": "Dot", "datatype": "uint9"}}}, 400),
        ("ok", {**DENSE_ONLY, "sparse_vectors": {DENSE: {}}}, 400),
        ("ok", {**DENSE_ONLY, "shard_number": 0}, 422),
        ("ok", {**DENSE_ONLY, "sharding_method": "custom"}, 501),
        ("ok", {**DENSE_ONLY, "quantization_config": {"scalar": {"type": "int9"}}}, 400),
        ("ok", {**DENSE_ONLY, "quantization_config": {"scalar": {"type": "int8", "quantile": 2}}}, 422),
        ("ok", {**DENSE_ONLY, "hnsw_config": {"ef_construct": 3}}, 422),
        ("ok", {**DENSE_ONLY, "strict_mode_config": {"max_query_limit": 0}}, 422),
    ],
)
def test_a_collection_that_cannot_be_is_refused(http: httpx.Client, name: str, body: object, status: int) -> None:
    assert http.put(f"/collections/{name}", json=body).status_code == status
    assert not http.get("/collections/ok/exists").json()["result"]["exists"]


def test_names_are_taken_once(http: httpx.Client, collection: str) -> None:
    alias = {"create_alias": {"collection_name": collection, "alias_name": f"{collection}-alias"}}
    itself = {"create_alias": {"collection_name": collection, "alias_name": collection}}
    assert http.put(f"/collections/{collection}", json=DENSE_ONLY).status_code == 409
    assert http.post("/collections/aliases", json={"actions": [alias]}).status_code == 200
    assert http.put(f"/collections/{collection}-alias", json=DENSE_ONLY).status_code == 409
    assert http.post("/collections/aliases", json={"actions": [itself]}).status_code == 409


def test_one_impossible_alias_operation_undoes_the_others(http: httpx.Client, collection: str) -> None:
    wanted = {"create_alias": {"collection_name": collection, "alias_name": f"{collection}-alias"}}
    impossible = {"create_alias": {"collection_name": "missing", "alias_name": "x"}}
    assert http.post("/collections/aliases", json={"actions": [wanted, impossible]}).status_code == 404
    assert http.get(f"/collections/{collection}/aliases").json()["result"] == {"aliases": []}


def test_a_missing_collection_is_404_everywhere(http: httpx.Client) -> None:
    assert http.get("/collections/missing").status_code == 404
    assert http.put("/collections/missing/points", json=_point()).status_code == 404
    assert http.post("/collections/missing/points/query", json={"query": ONES}).status_code == 404
    assert http.delete("/collections/missing").json()["result"] is False


def test_a_body_over_the_limit_is_413_and_the_server_lives(http: httpx.Client, collection: str) -> None:
    body = b'{"points":[' + b" " * (33 * 1024 * 1024) + b"]}"
    assert http.put(f"/collections/{collection}/points", content=body).status_code == 413
    assert http.put(f"/collections/{collection}/points", content=iter([body])).status_code == 413
    assert http.post(f"/collections/{collection}/points/count", json={}).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 2000, b'{"ids": NaN}'])
def test_what_is_not_json_is_400(http: httpx.Client, collection: str, body: bytes) -> None:
    assert http.post(f"/collections/{collection}/points", content=body).status_code == 400


def test_an_empty_body_is_no_empty_object(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}"
    assert http.post(f"{path}/points/scroll", content=b"").status_code == 400
    assert http.patch(path).status_code == 400
    assert http.put("/collections/of-nothing").status_code == 400


def test_extremes_that_are_accepted_can_be_loaded_again(tmp_path: Path) -> None:
    """The engine takes writes that it cannot read back from its own log: what we let through must not be such."""
    payloads = [_nested(63), {"l": [[[[]]]]}, {"": 1, "a.b": "\x00", "i": 2**64 - 1, "f": -0.0, "big": 1e300}]
    points = [{"id": i, "vector": {DENSE: ONES}, "payload": p} for i, p in enumerate(payloads)]
    with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
        http.put("/collections/c", json=DENSE_ONLY).raise_for_status()
        http.put("/collections/c/points", json={"points": points}).raise_for_status()
        deep = {"payload": _nested(63), "points": [0], "key": ".".join("b" * 16)}
        http.post("/collections/c/points/payload", json=deep).raise_for_status()
        conditional = {"points": points[:1], "update_filter": {"must_not": [_nested_filter(31)]}}
        http.put("/collections/c/points", json=conditional).raise_for_status()
        before = http.post("/collections/c/points/scroll", json={}).json()["result"]
    with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url) as http:
        after = http.post("/collections/c/points/scroll", json={}).json()["result"]
    assert after == before
    assert len(after["points"]) == len(payloads)


def test_a_collection_that_does_not_load_leaves_the_others_alone(tmp_path: Path) -> None:
    folder = tmp_path / "storage"
    with running_qdrant(folder) as url, httpx.Client(base_url=url) as http:
        for name in ("good", "broken"):
            http.put(f"/collections/{name}", json=DENSE_ONLY).raise_for_status()
    (folder / "collections" / "broken" / "config.json").write_bytes(b"{")
    with running_qdrant(folder) as url, httpx.Client(base_url=url) as http:
        assert http.get("/collections/good").status_code == 200
        assert http.get("/collections/broken").status_code == 500
        assert http.delete("/collections/broken").json()["result"] is True
        assert http.get("/collections/broken").status_code == 404
