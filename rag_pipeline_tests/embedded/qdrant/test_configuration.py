"""A collection's configuration: all of the OpenAPI document is kept, answered, changed and survives a restart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline.embedded.qdrant.store.layout import current_shard
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

SMALL = {"size": 4, "distance": "Dot"}
QUANTIZATIONS: list[dict[str, Any]] = [
    {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}},
    {"product": {"compression": "x16", "memory": "cached"}},
    {"binary": {"always_ram": False, "encoding": "two_bits", "query_encoding": "scalar4bits"}},
    {"turbo": {"bits": "bits1_5"}},
]
EVERYTHING: dict[str, Any] = {
    "vectors": {
        "plain": {**SMALL, "on_disk": True, "hnsw_config": {"m": 4}, "quantization_config": QUANTIZATIONS[0]},
        "half": {**SMALL, "distance": "Cosine", "datatype": "float16", "memory": "cold"},
        "many": {**SMALL, "multivector_config": {"comparator": "max_sim"}},
    },
    "sparse_vectors": {
        "words": {"index": {"full_scan_threshold": 100, "on_disk": True, "datatype": "float16"}, "modifier": "idf"},
        "bare": {},
    },
    "shard_number": 2,
    "sharding_method": "auto",
    "replication_factor": 3,
    "write_consistency_factor": 2,
    "on_disk_payload": False,
    "payload": {"memory": "cached"},
    "id_tracker": {"memory": "cold"},
    "hnsw_config": {"m": 8, "ef_construct": 50, "payload_m": 4, "inline_storage": False},
    "wal_config": {"wal_capacity_mb": 8, "wal_retain_closed": 2},
    "optimizers_config": {"indexing_threshold": 0, "max_optimization_threads": "auto", "deleted_threshold": 0.3},
    "quantization_config": QUANTIZATIONS[1],
    "strict_mode_config": {"enabled": False, "max_query_limit": 50, "sparse_config": {"words": {"max_length": 9}}},
    "metadata": {"owner": "tests", "nested": {"a": [1, None]}},
}


def described(http: httpx.Client, name: str) -> models.CollectionInfo:
    """The collection, as the client's own model reads it."""
    answer = http.get(f"/collections/{name}")
    assert answer.status_code == 200, answer.text
    return models.CollectionInfo.model_validate(answer.json()["result"])


@contextmanager
def made(http: httpx.Client, name: str, body: dict[str, Any]) -> Iterator[str]:
    """The path of a collection made with this body, gone at the end."""
    answer = http.put(f"/collections/{name}", json=body)
    assert (answer.status_code, answer.json().get("result")) == (200, True), answer.text
    yield f"/collections/{name}"
    http.delete(f"/collections/{name}")


def nulled(body: dict[str, Any]) -> dict[str, Any]:
    """The body with a null for every optional field of the create request."""
    return {**dict.fromkeys(models.CreateCollection.model_fields), **body}


def test_everything_that_can_be_configured_is_answered_as_given(http: httpx.Client, name: str) -> None:
    with made(http, name, EVERYTHING):
        config = described(http, name).config.model_dump(mode="json", exclude_none=True)
    params = config["params"]
    assert params["vectors"] == EVERYTHING["vectors"]
    assert params["sparse_vectors"] == EVERYTHING["sparse_vectors"]
    for key in ("shard_number", "replication_factor", "write_consistency_factor", "on_disk_payload", "payload"):
        assert params[key] == EVERYTHING[key]
    assert config["hnsw_config"] == {
        "full_scan_threshold": 10_000,
        "max_indexing_threads": 0,
        "on_disk": False,
        **EVERYTHING["hnsw_config"],
    }
    assert config["wal_config"] == {"wal_segments_ahead": 0, **EVERYTHING["wal_config"]}
    assert config["optimizer_config"]["deleted_threshold"] == 0.3
    assert config["quantization_config"] == QUANTIZATIONS[1]
    assert config["strict_mode_config"] == EVERYTHING["strict_mode_config"]
    assert config["metadata"] == EVERYTHING["metadata"] | {"nested": {"a": [1, None]}}


def test_a_described_collection_has_every_part_of_the_answer(http: httpx.Client, name: str) -> None:
    with made(http, name, {"vectors": SMALL}):
        told = described(http, name)
    assert (told.status, told.optimizer_status) == (models.CollectionStatus.GREEN, models.OptimizersStatusOneOf.OK)
    assert (told.points_count, told.indexed_vectors_count, told.payload_schema) == (0, 0, {})
    assert told.update_queue == models.UpdateQueueInfo(length=0)
    assert told.created_at is not None
    assert told.config.strict_mode_config == models.StrictModeConfigOutput(enabled=False)


def test_nulls_and_unknown_fields_change_nothing(http: httpx.Client, name: str) -> None:
    with made(http, name, nulled({"vectors": {**SMALL, "surprise": 1, "on_disk": None}, "surprise": {}})):
        config = described(http, name).config
    assert config.params.vectors == models.VectorParams(size=4, distance=models.Distance.DOT)
    assert config.quantization_config is None


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("is_on_disk", [True, False])
def test_each_quantization_is_kept_for_the_collection_and_for_a_vector(
    http: httpx.Client, name: str, quantization: dict[str, Any], is_on_disk: bool
) -> None:
    vector = {**SMALL, "quantization_config": quantization, "on_disk": is_on_disk}
    body = {"vectors": vector, "quantization_config": quantization, "on_disk_payload": is_on_disk}
    with made(http, name, body) as path:
        config = http.get(path).json()["result"]["config"]
        points = [{"id": i, "vector": [float(i), 1, 0, 0]} for i in range(5)]
        http.put(f"{path}/points", json={"points": points}).raise_for_status()
        # The engine compares quantized vectors before any optimisation already; two bits do not tell these apart.
        params = {"quantization": {"rescore": True, "oversampling": 5.0}}
        query = {"query": [1, 0, 0, 0], "limit": 1, "params": params}
        found = http.post(f"{path}/points/query", json=query).json()["result"]
    assert config["quantization_config"] == config["params"]["vectors"]["quantization_config"] == quantization
    assert [point["id"] for point in found["points"]] == [4]


@pytest.mark.parametrize(
    ("datatype", "stored"),
    [
        ("float32", [1.5, 2.25, 100.0, 250.0]),
        ("float16", [1.5, 2.25, 100.0, 250.0]),
        ("uint8", [1.0, 2.0, 100.0, 250.0]),
    ],
)
def test_vectors_of_each_datatype_come_back(http: httpx.Client, name: str, datatype: str, stored: list[float]) -> None:
    with made(http, name, {"vectors": {**SMALL, "datatype": datatype}}) as path:
        points = {"points": [{"id": 1, "vector": [1.5, 2.25, 100.0, 250.0]}]}
        http.put(f"{path}/points", json=points).raise_for_status()
        assert http.get(f"{path}/points/1").json()["result"]["vector"] == stored


def test_multivectors_come_back_as_lists_of_lists(http: httpx.Client, name: str) -> None:
    multi = {**SMALL, "multivector_config": {"comparator": "max_sim"}}
    rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    with made(http, name, {"vectors": {"many": multi, "one": SMALL}}) as path:
        points = [{"id": 1, "vector": {"many": rows}}, {"id": 2, "vector": {"many": rows[0], "one": rows[1]}}]
        http.put(f"{path}/points", json={"points": points}).raise_for_status()
        columns = {"ids": [3], "vectors": {"many": [rows]}, "payloads": None}
        http.put(f"{path}/points", json={"batch": columns}).raise_for_status()
        answer = http.post(f"{path}/points", json={"ids": [1, 2, 3], "with_vector": True}).json()["result"]
    vectors = [models.Record.model_validate(point).vector for point in answer]
    assert vectors == [{"many": rows}, {"many": rows[:1], "one": rows[1]}, {"many": rows}]


@pytest.mark.parametrize(
    ("query", "scores"),
    [
        ([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], [(1, 3.0), (2, 2.0)]),
        ([1.0, 0.0, 0.0, 0.0], [(2, 2.0), (1, 1.0)]),
        (1, [(2, 2.0)]),
    ],
)
def test_a_multivector_is_scored_by_its_best_rows(
    http: httpx.Client, name: str, query: object, scores: list[tuple[int, float]]
) -> None:
    multi = {**SMALL, "multivector_config": {"comparator": "max_sim"}}
    with made(http, name, {"vectors": {"many": multi}}) as path:
        rows = [[[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]], [[2.0, 0.0, 0.0, 0.0]]]
        points = [{"id": i, "vector": {"many": many}} for i, many in enumerate(rows, 1)]
        http.put(f"{path}/points", json={"points": points}).raise_for_status()
        found = http.post(f"{path}/points/query", json={"query": query, "using": "many"}).json()["result"]["points"]
    assert [(point["id"], point["score"]) for point in found] == scores


@pytest.mark.parametrize(
    ("vector", "status"), [([], 422), ([[]], 422), ([[1.0, 0.0, 0.0, 0.0], []], 422), ([[1.0]], 400), ("x", 400)]
)
def test_a_multivector_that_would_stop_the_engine_is_refused(
    http: httpx.Client, name: str, vector: object, status: int
) -> None:
    multi = {**SMALL, "multivector_config": {"comparator": "max_sim"}}
    with made(http, name, {"vectors": multi}) as path:
        points = {"points": [{"id": 1, "vector": vector}]}
        assert http.put(f"{path}/points", json=points).status_code == status
        assert http.post(f"{path}/points/count", json={}).json()["result"] == {"count": 0}


@pytest.mark.parametrize("unusual", ["sp ace", "ünïcödé", ".hidden", "-dash", "x" * 255, "東京"])
def test_a_collection_may_be_called_almost_anything(http: httpx.Client, unusual: str) -> None:
    with made(http, unusual, {"vectors": SMALL}) as path:
        assert http.get(path).status_code == 200
        assert {"name": unusual} in http.get("/collections").json()["result"]["collections"]


def test_a_collection_without_vectors_holds_payloads(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
        http.put("/collections/bare", json={}).raise_for_status()
        points = {"points": [{"id": 1, "vector": {}, "payload": {"a": 1}}]}
        http.put("/collections/bare/points", json=points).raise_for_status()
        server.kill()
    with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url) as http:
        assert http.get("/collections/bare/points/1").json()["result"]["payload"] == {"a": 1}
        assert http.get("/collections/bare").json()["result"]["config"]["params"]["vectors"] == {}


def test_a_change_touches_what_it_names_and_nothing_else(http: httpx.Client, name: str) -> None:
    change = {
        "vectors": {"plain": {"hnsw_config": {"ef_construct": 9}, "on_disk": False}, "half": {"memory": "cached"}},
        "sparse_vectors": {"words": {"index": {"on_disk": False}}},
        "hnsw_config": {"m": 5},
        "optimizers_config": {"indexing_threshold": 7},
        "params": {"replication_factor": 1, "read_fan_out_factor": 2, "on_disk_payload": True},
        "quantization_config": QUANTIZATIONS[2],
        "strict_mode_config": {"max_timeout": 3},
        "metadata": {"owner": None, "more": 1},
    }
    with made(http, name, EVERYTHING) as path:
        before = http.get(path).json()["result"]["config"]
        assert http.patch(path, json=change).json()["result"] is True
        described(http, name)
        after = http.get(path).json()["result"]["config"]
    expected = {
        **before,
        "hnsw_config": before["hnsw_config"] | {"m": 5},
        "optimizer_config": before["optimizer_config"] | {"indexing_threshold": 7},
        "quantization_config": QUANTIZATIONS[2],
        "strict_mode_config": before["strict_mode_config"] | {"max_timeout": 3},
        "metadata": {"nested": EVERYTHING["metadata"]["nested"], "more": 1},
        "params": before["params"] | change["params"],
    }
    expected["params"]["vectors"]["plain"] |= {"hnsw_config": {"m": 4, "ef_construct": 9}, "on_disk": False}
    expected["params"]["vectors"]["half"]["memory"] = "cached"
    expected["params"]["sparse_vectors"]["words"]["index"]["on_disk"] = False
    assert after == expected


def test_quantization_and_a_vectors_own_hnsw_can_be_taken_away(http: httpx.Client, name: str) -> None:
    change = {
        "quantization_config": "Disabled",
        "vectors": {"plain": {"quantization_config": "Disabled", "hnsw_config": {}}},
    }
    with made(http, name, EVERYTHING) as path:
        http.patch(path, json=change).raise_for_status()
        config = http.get(path).json()["result"]["config"]
    assert config["quantization_config"] is None
    assert config["params"]["vectors"]["plain"] == {**SMALL, "on_disk": True}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        (dict.fromkeys(models.UpdateCollection.model_fields), 200),
        ({"vectors": {"unknown": {"on_disk": True}}}, 400),
        ({"sparse_vectors": {"unknown": {}}}, 400),
        ({"sparse_vectors": {"bare": {"modifier": "idf"}}}, 501),
        ({"hnsw_config": {"ef_construct": 1}}, 422),
        ({"hnsw_config": []}, 400),
        ({"quantization_config": "disabled"}, 400),
        ({"params": {"replication_factor": 0}}, 422),
        ({"optimizers_config": {"deleted_threshold": 1.5}}, 422),
    ],
)
def test_an_impossible_change_changes_nothing(
    http: httpx.Client, name: str, change: dict[str, Any], status: int
) -> None:
    with made(http, name, EVERYTHING) as path:
        before = http.get(path).json()["result"]["config"]
        assert http.patch(path, json={**change, "surprise": 1}).status_code == status
        assert http.get(path).json()["result"]["config"] == before


def test_a_change_of_what_is_not_there_is_404(http: httpx.Client) -> None:
    assert http.patch("/collections/missing", json={}).status_code == 404


def test_changes_survive_a_kill_and_reach_the_engine(tmp_path: Path) -> None:
    change = {"quantization_config": "Disabled", "hnsw_config": {"m": 77}, "params": {"on_disk_payload": True}}
    points = [{"id": i, "vector": {"plain": [float(i), 1, 0, 0]}} for i in range(5)]
    with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
        http.put("/collections/c", json=EVERYTHING).raise_for_status()
        http.put("/collections/c/points", json={"points": points}).raise_for_status()
        http.patch("/collections/c", json=change).raise_for_status()
        before = http.get("/collections/c").json()["result"]["config"]
        server.kill()
    with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url) as http:
        assert http.get("/collections/c").json()["result"]["config"] == before
        assert http.post("/collections/c/points/count", json={}).json()["result"] == {"count": 5}
    engine = (current_shard(tmp_path / "storage/collections/c") / "edge_config.json").read_text()
    assert '"m":77' in engine
    assert "product" not in engine


def test_the_client_configures_and_changes(client: QdrantClient, name: str) -> None:
    client.create_collection(
        name,
        vectors_config=models.VectorParams(
            size=4,
            distance=models.Distance.COSINE,
            multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
        ),
        quantization_config=models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
    )
    client.update_collection(
        name, quantization_config=models.Disabled.DISABLED, strict_mode_config=models.StrictModeConfig(max_timeout=9)
    )
    config = client.get_collection(name).config
    assert config.quantization_config is None
    assert config.strict_mode_config
    assert config.strict_mode_config.max_timeout == 9
    client.delete_collection(name)
