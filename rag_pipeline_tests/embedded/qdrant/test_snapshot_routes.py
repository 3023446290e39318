"""Snapshots over HTTP: made, listed, loaded down, sent back, recovered, deleted; and what is refused."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from rag_pipeline_tests.embedded.qdrant.archives import plain_tar
from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, make_collection
from rag_pipeline_tests.embedded.qdrant.server import running_qdrant

TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A server of a test's own, with a collection `c` of 20 points and a snapshot of it."""

    folder: Path
    http: httpx.Client
    client: QdrantClient
    snapshot: str

    @property
    def file(self) -> Path:
        return self.folder / "snapshots" / "c" / self.snapshot

    def recovered(self, location: object, *, name: str = "c", **more: object) -> httpx.Response:
        return self.http.put(f"/collections/{name}/snapshots/recover", json={"location": location, **more})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with (
        running_qdrant(tmp_path / "storage") as url,
        httpx.Client(base_url=url, timeout=TIMEOUT_S) as http,
        closing(QdrantClient(url=url, check_compatibility=False, timeout=TIMEOUT_S)) as client,
    ):
        make_collection(client, "c")
        client.upsert("c", [numbered(i) for i in range(20)])
        made = client.create_snapshot("c")
        assert made
        yield Place(tmp_path / "storage", http, client, made.name)


def numbered(number: int) -> models.PointStruct:
    return models.PointStruct(id=number, vector={DENSE: [number, 1, 2, 3]}, payload={"n": number})


def points_of(client: QdrantClient, name: str) -> list[models.Record]:
    return client.scroll(name, limit=100_000, with_vectors=True)[0]


def upload_to(http: httpx.Client, name: str, content: bytes, **params: str) -> httpx.Response:
    path = f"/collections/{name}/snapshots/upload"
    return http.post(path, files={"snapshot": ("a.snapshot", content)}, params=params)


def test_the_client_makes_lists_recovers_and_deletes(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [numbered(1), numbered(2)])
    before = points_of(client, collection)
    made = client.create_snapshot(collection)
    assert made
    assert made.name.startswith(f"{collection}-")
    assert made.name.endswith(".snapshot")
    assert client.list_snapshots(collection) == [made]
    client.upsert(collection, [numbered(3)])
    client.delete(collection, [1])
    assert client.recover_snapshot(
        collection, location=made.name, checksum=made.checksum, priority=models.SnapshotPriority.SNAPSHOT
    )
    assert points_of(client, collection) == before
    assert client.delete_snapshot(collection, made.name)
    assert client.list_snapshots(collection) == []


def test_what_is_loaded_down_is_what_was_described(place: Place) -> None:
    described = place.http.get("/collections/c/snapshots").json()["result"][0]
    answer = place.http.get(f"/collections/c/snapshots/{place.snapshot}")
    assert described["name"] == place.snapshot
    assert described["size"] == len(answer.content) == int(answer.headers["content-length"])
    assert described["checksum"] == hashlib.sha256(answer.content).hexdigest()
    assert place.snapshot in answer.headers["content-disposition"]


def test_a_thousand_points_are_less_than_a_megabyte(client: QdrantClient, collection: str) -> None:
    client.upsert(collection, [numbered(i) for i in range(1000)])
    made = client.create_snapshot(collection)
    assert made
    assert made.size < 1024 * 1024


def test_what_is_written_after_a_recovery_stays(place: Place) -> None:
    """Without its log, the engine would take these writes and drop them."""
    assert place.recovered(place.snapshot).json()["result"] is True
    place.client.upsert("c", [numbered(100)])
    assert place.client.count("c").count == 21
    assert place.client.create_snapshot("c")
    assert place.client.count("c").count == 21


def test_an_alias_stays_and_finds_the_recovered_points(place: Place) -> None:
    alias = models.CreateAlias(collection_name="c", alias_name="alias")
    place.client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    place.client.delete("c", models.Filter())
    assert place.recovered(place.file.as_uri(), name="alias").status_code == 200
    assert place.client.count("alias").count == 20
    assert [found.name for found in place.client.get_collections().collections] == ["c"]


def test_a_deleted_collection_comes_back_from_its_snapshot(place: Place) -> None:
    place.client.delete_collection("c")
    assert place.http.get("/collections/c/snapshots").status_code == 404
    assert place.recovered(place.file.as_uri()).status_code == 200
    assert place.client.count("c").count == 20


def test_a_snapshot_becomes_another_collection_too(place: Place) -> None:
    assert place.recovered(f"c/{place.snapshot}", name="twin").status_code == 200
    assert points_of(place.client, "twin") == points_of(place.client, "c")
    place.client.delete_collection("c")
    assert place.client.count("twin").count == 20


def test_who_does_not_wait_is_told_accepted_and_it_is_done(place: Place) -> None:
    answer = place.http.post("/collections/c/snapshots?wait=false")
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    assert upload_to(place.http, "up", place.file.read_bytes(), wait="false").status_code == 202
    # One after another: when this one is done, those before it are.
    assert place.http.post("/collections/c/snapshots").status_code == 200
    assert len(place.client.list_snapshots("c")) == 3
    assert place.client.count("up").count == 20
    assert place.http.delete(f"/collections/c/snapshots/{place.snapshot}?wait=false").status_code == 202


def test_a_shard_is_saved_and_recovered_like_its_collection(place: Place) -> None:
    shard = "/collections/c/shards/0/snapshots"
    made = place.http.post(shard).json()["result"]
    assert place.http.get(shard).json()["result"] == [made]
    assert len(place.client.list_snapshots("c")) == 1
    streamed = place.http.get("/collections/c/shards/0/snapshot").content
    place.client.delete("c", models.Filter())
    for location in (made["name"], f"c/shards/0/{made['name']}"):
        assert place.http.put(f"{shard}/recover", json={"location": location, "surprise": 1}).status_code == 200
        assert place.client.count("c").count == 20
        place.client.delete("c", models.Filter())
    assert place.http.post(f"{shard}/upload", files={"snapshot": ("a", streamed)}).status_code == 200
    assert place.client.count("c").count == 20
    assert place.http.delete(f"{shard}/{made['name']}").json()["result"] is True
    assert list((place.folder / "aside").iterdir()) == []


def test_a_shard_with_other_vectors_is_refused(place: Place) -> None:
    body = {"vectors": {"size": 4, "distance": "Dot"}}
    place.http.put("/collections/other", json=body).raise_for_status()
    answer = place.http.put("/collections/other/shards/0/snapshots/recover", json={"location": f"c/{place.snapshot}"})
    assert (answer.status_code, "other vectors" in answer.text) == (400, True)


def test_the_whole_storage_is_saved_with_its_aliases(place: Place) -> None:
    made = place.http.post("/snapshots").json()["result"]
    assert place.http.get("/snapshots").json()["result"] == [made]
    content = place.http.get(f"/snapshots/{made['name']}").content
    assert hashlib.sha256(content).hexdigest() == made["checksum"]
    answer = upload_to(place.http, "x", content)
    assert (answer.status_code, "snapshot of a storage" in answer.text) == (400, True)
    assert place.http.delete(f"/snapshots/{made['name']}").json()["result"] is True
    assert place.http.get(f"/snapshots/{made['name']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/collections/missing/snapshots", 404),
        ("POST", "/collections/missing/snapshots", 404),
        ("GET", "/collections/missing/snapshots/a.snapshot", 404),
        ("DELETE", "/collections/missing/snapshots/a.snapshot", 404),
        ("GET", "/collections/c/snapshots/a.snapshot", 404),
        ("DELETE", "/collections/c/snapshots/a.snapshot", 404),
        ("DELETE", "/collections/c/snapshots/a.snapshot?wait=false", 404),
        ("GET", "/collections/c/snapshots/..%2F..%2Flock", 501),
        ("DELETE", f"/collections/c/snapshots/{'n' * 300}.snapshot", 404),
        ("POST", "/collections/c/snapshots?wait=maybe", 400),
        ("GET", "/collections/c/shards/1/snapshots", 404),
        ("POST", "/collections/c/shards/1/snapshots", 404),
        ("POST", "/collections/c/shards/x/snapshots", 400),
        ("GET", "/collections/missing/shards/0/snapshots", 404),
        ("GET", "/snapshots/a.snapshot", 404),
        ("DELETE", "/snapshots/a.snapshot", 404),
        ("DELETE", "/snapshots/c", 404),
    ],
)
def test_what_is_not_there_is_not_found(http: httpx.Client, method: str, path: str, status: int) -> None:
    http.put("/collections/c", json={"vectors": {"size": 4, "distance": "Dot"}})
    answer = http.request(method, path)
    assert (answer.status_code, "error" in answer.json()["status"]) == (status, True)


def test_nothing_outside_the_snapshots_folder_is_recovered(place: Place) -> None:
    outside = place.folder.parent / "outside.snapshot"
    outside.write_bytes(place.file.read_bytes())
    (place.file.parent / "link.snapshot").symlink_to(outside)
    (place.file.parent.parent / "linked").symlink_to(place.folder.parent)
    for location in (
        "http://127.0.0.1:1/a.snapshot",
        "https://example.org/a.snapshot",
        "ftp://example.org/a.snapshot",
        outside.as_uri(),
        str(outside),
        "../../outside.snapshot",
        f"{place.file.parent.as_uri()}/../../../outside.snapshot",
        f"{place.file.parent.as_uri()}/%2e%2e/../../outside.snapshot",
        "link.snapshot",
        (place.file.parent / "link.snapshot").as_uri(),
        "linked/outside.snapshot",
        place.file.parent.as_uri(),
        "file://example.org/etc/passwd",
        "file:///etc/passwd",
        "a\0b",
        "n" * 5000,
        "missing.snapshot",
        "",
    ):
        answer = place.recovered(location, name="new")
        assert (location, answer.status_code, "error" in answer.json()["status"]) == (location, 400, True)
    assert not place.client.collection_exists("new")


@pytest.mark.parametrize(
    "body", [{}, {"location": 1}, {"location": "a.snapshot", "priority": "often"}, {"location": "a", "checksum": 5}, []]
)
def test_a_wrong_recover_request_is_refused(http: httpx.Client, collection: str, body: object) -> None:
    assert http.put(f"/collections/{collection}/snapshots/recover", json=body).status_code == 400


def test_a_wrong_upload_is_refused_and_changes_nothing(place: Place) -> None:
    content = place.file.read_bytes()
    place.client.upsert("c", [numbered(100)])
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for wrong in (b"", b"x", flipped, content[:-1], content + b"x", plain_tar(), content[1:]):
        assert upload_to(place.http, "c", wrong).status_code == 400
        assert upload_to(place.http, "new", wrong).status_code == 400
    for params in ({"checksum": "0" * 64}, {"priority": "often"}, {"wait": "maybe"}):
        assert upload_to(place.http, "c", content, **params).status_code == 400
    assert "Qdrant server" in upload_to(place.http, "c", plain_tar()).json()["status"]["error"]
    assert upload_to(place.http, "x" * 256, content).status_code == 422
    path = "/collections/c/snapshots/upload"
    assert place.http.post(path, files={"other": ("a", content)}).status_code == 400
    assert place.http.post(path, content=content).status_code == 400
    boundary = {"Content-Type": "multipart/form-data; boundary=b"}
    cut = b'--b\r\nContent-Disposition: form-data; name="snapshot"; filename="a"\r\n\r\n' + content
    assert place.http.post(path, content=cut, headers=boundary).status_code == 400
    assert place.http.post(path, content=b"no form", headers=boundary).status_code == 400
    assert place.client.count("c").count == 21
    assert not place.client.collection_exists("new")
    assert list((place.folder / "aside").iterdir()) == []


def test_a_snapshot_under_load_restores_on_an_empty_store(place: Place, tmp_path: Path) -> None:
    """Every batch that was acknowledged before is there, and of those after only whole ones, in their order."""
    acknowledged: list[int] = []
    is_over = threading.Event()

    def write() -> None:
        while not is_over.is_set():
            first = 1000 + 10 * len(acknowledged)
            place.client.upsert("c", [numbered(i) for i in range(first, first + 10)])
            acknowledged.append(first)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 20:
            assert writer.is_alive()
            time.sleep(0.01)
        surely = len(acknowledged)
        made = place.client.create_snapshot("c")
        assert made
        possibly = len(acknowledged) + 1
    finally:
        is_over.set()
        writer.join()
    content = place.http.get(f"/collections/c/snapshots/{made.name}").content
    with (
        running_qdrant(tmp_path / "empty") as url,
        httpx.Client(base_url=url, timeout=TIMEOUT_S) as http,
        closing(QdrantClient(url=url, check_compatibility=False)) as client,
    ):
        assert upload_to(http, "c", content, checksum=made.checksum or "").status_code == 200
        points = points_of(client, "c")
    batches, rest = divmod(len(points) - 20, 10)
    assert (rest, surely <= batches <= possibly) == (0, True)
    whole = points_of(place.client, "c")[: 20 + 10 * batches]
    assert points == whole


def test_reads_and_writes_during_recoveries_never_fail(place: Place) -> None:
    place.client.upsert("c", [numbered(i) for i in range(20, 30)])
    seen: set[int] = set()
    failed: list[Exception] = []
    is_over = threading.Event()

    def keep_on(work: str) -> None:
        try:
            while not is_over.is_set():
                if work == "read":
                    seen.add(len(points_of(place.client, "c")))
                else:
                    place.client.upsert("c", [numbered(5)])
        except (UnexpectedResponse, OSError) as error:
            failed.append(error)

    workers = [threading.Thread(target=keep_on, args=(work,)) for work in ("read", "write")]
    for worker in workers:
        worker.start()
    for _ in range(3):
        assert place.recovered(place.snapshot).status_code == 200
    is_over.set()
    for worker in workers:
        worker.join()
    assert failed == []
    assert seen <= {20, 30}


def test_a_collection_with_the_longest_name_is_saved_too(tmp_path: Path) -> None:
    name = "x" * 255
    with running_qdrant(tmp_path / "storage") as url, httpx.Client(base_url=url, timeout=60) as http:
        http.put(f"/collections/{name}", json={"vectors": {"size": 4, "distance": "Dot"}}).raise_for_status()
        made = http.post(f"/collections/{name}/snapshots").raise_for_status().json()["result"]["name"]
        assert [one["name"] for one in http.get(f"/collections/{name}/snapshots").json()["result"]] == [made]
