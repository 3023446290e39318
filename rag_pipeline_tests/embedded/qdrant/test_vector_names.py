"""Vector names come and go on a live collection, and a kill between the two writes leaves no half of one."""

import contextlib
import itertools
import json
import random
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

ONES = [1.0] * DIMENSION
KILLS = 6
NEW = {"dense": {"size": 2, "distance": "Euclid", "multivector_config": None, "datatype": None}}


def _points(*points: dict[str, Any]) -> dict[str, Any]:
    return {"points": list(points)}


def _vector(http: httpx.Client, collection: str, identity: int) -> object:
    return http.get(f"/collections/{collection}/points/{identity}").json()["result"]["vector"]


def test_a_new_name_takes_vectors_at_once(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}"
    answer = http.put(f"{path}/vectors/new?wait=true", json=NEW)
    result = models.UpdateResult.model_validate(answer.json()["result"])
    assert result.status == models.UpdateStatus.COMPLETED
    many = {"dense": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}}
    http.put(f"{path}/vectors/many", json=many).raise_for_status()
    http.put(f"{path}/vectors/words", json={"sparse": {"modifier": "idf"}}).raise_for_status()
    params = http.get(path).json()["result"]["config"]["params"]
    assert params["vectors"]["new"] == {"size": 2, "distance": "Euclid"}
    assert params["sparse_vectors"]["words"] == {"modifier": "idf"}
    vectors = {"new": [1.0, 2.0], "many": [[1.0, 2.0]], "words": {"indices": [1], "values": [2.0]}}
    http.put(f"{path}/points", json=_points({"id": 1, "vector": vectors})).raise_for_status()
    assert _vector(http, collection, 1) == vectors
    nearest = http.post(f"{path}/points/query", json={"query": [1.0, 2.0], "using": "new"}).json()["result"]
    assert [point["id"] for point in nearest["points"]] == [1]


def test_a_name_is_dropped_with_its_vectors(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}"
    http.put(f"{path}/points", json=_points({"id": 1, "vector": {DENSE: ONES}})).raise_for_status()
    http.delete(f"{path}/vectors/{SPARSE}?wait=true").raise_for_status()
    http.delete(f"{path}/vectors/{DENSE}?wait=true").raise_for_status()
    assert _vector(http, collection, 1) == {}
    assert http.put(f"{path}/points", json=_points({"id": 2, "vector": {DENSE: ONES}})).status_code == 400
    http.put(f"{path}/vectors/{DENSE}", json=NEW).raise_for_status()
    http.put(f"{path}/points", json=_points({"id": 2, "vector": {DENSE: [1.0, 2.0]}})).raise_for_status()
    assert [_vector(http, collection, 1), _vector(http, collection, 2)] == [{}, {DENSE: [1.0, 2.0]}]


@pytest.mark.parametrize(
    ("method", "vector", "body", "status"),
    [
        ("PUT", DENSE, {"dense": {"size": DIMENSION, "distance": "Dot"}}, 200),
        ("PUT", DENSE, {"dense": {"size": DIMENSION + 1, "distance": "Dot"}}, 400),
        ("PUT", DENSE, {"sparse": {}}, 400),
        ("PUT", SPARSE, NEW, 400),
        ("PUT", "new", {}, 400),
        ("PUT", "new", {**NEW, "sparse": {}}, 400),
        ("PUT", "new", {"dense": {"size": 0, "distance": "Dot"}}, 422),
        ("PUT", ".new", NEW, 400),
        ("DELETE", "unknown", None, 400),
    ],
)
def test_only_what_is_free_can_be_named(
    http: httpx.Client, collection: str, method: str, vector: str, body: object, status: int
) -> None:
    path = f"/collections/{collection}"
    before = http.get(path).json()["result"]["config"]
    assert http.request(method, f"{path}/vectors/{vector}", json=body).status_code == status
    assert http.get(path).json()["result"]["config"] == before


def test_points_of_a_vector_dropped_and_made_anew_survive_a_kill(tmp_path: Path) -> None:
    """Without a flush between them the engine's log cannot be replayed and the points in the middle are gone."""
    other = {"dense": {"size": 3, "distance": "Dot"}}
    with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
        http.put("/collections/c", json={"vectors": {"kept": {"size": 2, "distance": "Dot"}}}).raise_for_status()
        for identity, size, config in ((1, 2, NEW), (2, 3, other)):
            http.put("/collections/c/vectors/new", json=config).raise_for_status()
            point = {"id": identity, "vector": {"new": [1.0] * size}, "payload": {"size": size}}
            http.put("/collections/c/points", json=_points(point)).raise_for_status()
            if identity == 1:
                http.delete("/collections/c/vectors/new").raise_for_status()
        server.kill()
    with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url) as http:
        found = http.post("/collections/c/points/scroll", json={"with_vector": True}).json()["result"]["points"]
    assert [(point["id"], point["payload"], point["vector"]) for point in found] == [
        (1, {"size": 2}, {}),
        (2, {"size": 3}, {"new": [1.0, 1.0, 1.0]}),
    ]


@pytest.mark.parametrize("is_written_first", [True, False])
def test_a_kill_between_the_two_writes_is_made_good(tmp_path: Path, is_written_first: bool) -> None:
    """The file of the configuration is ahead of the engine by one name, which was added or dropped."""
    file = tmp_path / "storage/collections/c/config.json"
    vectors = {"kept": {"size": 2, "distance": "Dot"}, "other": {"size": 3, "distance": "Dot"}}
    with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
        http.put("/collections/c", json={"vectors": vectors}).raise_for_status()
        point = {"id": 1, "vector": {"kept": [1.0, 2.0], "other": [1.0, 2.0, 3.0]}}
        http.put("/collections/c/points", json=_points(point)).raise_for_status()
        server.kill()
    config = json.loads(file.read_bytes())
    if is_written_first:
        config["params"]["vectors"]["new"] = {"size": 4, "distance": "Dot"}
    else:
        del config["params"]["vectors"]["other"]
    file.write_text(json.dumps(config))
    for _ in range(2):
        with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url) as http:
            kept = {"kept": [1.0, 2.0]} if not is_written_first else point["vector"]
            assert _vector(http, "c", 1) == kept
            if is_written_first:
                two = {"id": 2, "vector": {"new": [1.0] * 4}}
                http.put("/collections/c/points", json=_points(two)).raise_for_status()
                assert _vector(http, "c", 2) == two["vector"]
            else:
                wider = {"dense": {"size": 9, "distance": "Dot"}}
                http.put("/collections/c/vectors/other", json=wider).raise_for_status()


def test_kills_under_changing_names_lose_no_acknowledged_point(tmp_path: Path) -> None:
    """Names come and go beside upserts while the server is killed; each round starts from what the last one left."""
    chance = random.Random(20261125)
    acknowledged: set[int] = set()
    for _ in range(KILLS):
        with ServerProcess(tmp_path / "storage") as server, httpx.Client(base_url=server.url) as http:
            http.put("/collections/c", json={"vectors": {"kept": {"size": 2, "distance": "Dot"}}})
            params = http.get("/collections/c").json()["result"]["config"]["params"]
            vectors = {name: [1.0] * vector["size"] for name, vector in params["vectors"].items()}
            body = {"points": [{"id": 0, "vector": vectors}]}
            assert http.put("/collections/c/points", json=body).status_code == 200
            found = http.post("/collections/c/points", json={"ids": sorted(acknowledged)}).json()["result"]
            assert {point["id"] for point in found} == acknowledged
            killer = threading.Timer(chance.uniform(0.05, 0.4), server.process.kill)
            killer.start()
            with contextlib.suppress(httpx.TransportError):
                for size in itertools.cycle((2, 3)):
                    http.delete("/collections/c/vectors/new")
                    config = {"dense": {"size": size, "distance": "Dot"}}
                    http.put("/collections/c/vectors/new", json=config).raise_for_status()
                    identity = len(acknowledged) + 1
                    point = {"id": identity, "vector": {"kept": [1.0, 2.0], "new": [1.0] * size}}
                    http.put("/collections/c/points", json=_points(point)).raise_for_status()
                    acknowledged.add(identity)
            killer.join()
    assert acknowledged


def test_the_client_names_vectors(client: QdrantClient, collection: str) -> None:
    config = models.DenseVectorNameConfig(dense=models.DenseVectorConfig(size=2, distance=models.Distance.DOT))
    client.http.collections_api.create_vector_name(collection, "new", vector_name_config=config)
    vectors = client.get_collection(collection).config.params.vectors
    assert isinstance(vectors, dict)
    assert vectors["new"].size == 2
    client.http.collections_api.delete_vector_name(collection, "new")
    vectors = client.get_collection(collection).config.params.vectors
    assert isinstance(vectors, dict)
    assert "new" not in vectors
