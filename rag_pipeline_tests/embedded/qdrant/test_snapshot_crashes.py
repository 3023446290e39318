"""Killed at any moment of a snapshot or a recovery: the old or the new, whole; and nothing left over."""

import multiprocessing
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline.embedded.qdrant.problems import RestError
from rag_pipeline.embedded.qdrant.snapshots.archive import verify
from rag_pipeline.embedded.qdrant.store.layout import current_shard
from rag_pipeline.embedded.qdrant.store.storage import Storage
from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, make_collection
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

KILL_AFTER_S = (0.02, 0.15, 0.4, 0.7)
TIMEOUT_S = 60


def filled(client: QdrantClient, name: str, *, count: int) -> None:
    make_collection(client, name)
    client.upsert(name, [models.PointStruct(id=i, vector={DENSE: [i, 1, 2, 3]}) for i in range(count)])


def client_of(url: str) -> QdrantClient:
    return QdrantClient(url=url, check_compatibility=False, timeout=TIMEOUT_S)


def until_it_dies(server: ServerProcess, work: Callable[[httpx.Client], object], *, after_s: float) -> None:
    """Does `work` again and again until the server, killed after a while, does not answer."""
    killer = threading.Timer(after_s, server.kill)
    killer.start()
    try:
        with httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as http:
            while True:
                work(http)
    except httpx.TransportError:
        killer.join()


@pytest.mark.parametrize("after_s", KILL_AFTER_S)
def test_kill_while_snapshots_are_made_leaves_only_whole_ones(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder) as server, closing(client_of(server.url)) as client:
        filled(client, "c", count=200)
        until_it_dies(server, lambda http: http.post("/collections/c/snapshots"), after_s=after_s)
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        described = {made.name: made.checksum for made in client.list_snapshots("c")}
        made = client.create_snapshot("c")
        assert made
        assert client.recover_snapshot("c", location=made.name)
        assert client.count("c").count == 200
    found = {path.name: verify(path) for path in (folder / "snapshots" / "c").glob("*.snapshot")}
    assert found == described | {made.name: made.checksum}
    assert {path.name for path in (folder / "snapshots" / "c").iterdir()} == found.keys() | {
        f"{name}.checksum" for name in found
    }
    assert list((folder / "aside").iterdir()) == []


@pytest.mark.parametrize("after_s", KILL_AFTER_S)
def test_kill_while_recovering_leaves_the_old_or_the_new(tmp_path: Path, after_s: float) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder) as server, closing(client_of(server.url)) as client:
        for name, count in (("one", 10), ("two", 20)):
            filled(client, name, count=count)
            client.create_snapshot(name)
        saved = {path.parent.name: path.as_uri() for path in (folder / "snapshots").glob("*/*.snapshot")}

        def recover_each(http: httpx.Client) -> None:
            for source in ("two", "one"):
                http.put("/collections/one/snapshots/recover", json={"location": saved[source]}).raise_for_status()

        until_it_dies(server, recover_each, after_s=after_s)
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        assert client.count("one").count in (10, 20)
        client.upsert("one", [models.PointStruct(id=1000, vector={DENSE: [1, 1, 2, 3]})])
        assert client.count("one").count in (11, 21)
        assert client.count("two").count == 20
    assert list((folder / "aside").iterdir()) == list((folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("is_old_there", [True, False])
def test_a_replacement_that_was_decided_is_finished_by_the_start(tmp_path: Path, is_old_there: bool) -> None:
    """The two states in which a kill between the renames leaves the folder."""
    folder = tmp_path / "storage"
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        filled(client, "c", count=10)
        filled(client, "new", count=20)
    (folder / "collections" / "new").rename(folder / "incoming" / "c")
    if not is_old_there:
        (folder / "collections" / "c").rename(folder / "aside" / "discarded")
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        assert [found.name for found in client.get_collections().collections] == ["c"]
        assert client.count("c").count == 20
    assert list((folder / "aside").iterdir()) == list((folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["c", "other"])
def test_what_cannot_be_opened_in_its_place_gives_it_back(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "storage"
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        filled(client, "c", count=10)
    # In a process of its own: a closed storage keeps its shards until the process ends.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        other.submit(_replace_with_what_cannot_be_opened, folder, name).result()
    assert [path.name for path in (folder / "collections").iterdir()] == ["c"]
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        assert client.count("c").count == 10


def _replace_with_what_cannot_be_opened(folder: Path, name: str) -> None:
    storage = Storage(folder)
    broken = storage.new_aside()
    shutil.copytree(folder / "collections" / "c", broken)
    (current_shard(broken) / "edge_config.json").write_bytes(b"{")
    with pytest.raises(RestError):
        storage.replace(name, broken)
    assert storage.names == {"c"}
    assert storage.collection("c").count({}) == {"count": 10}
    storage.close()


def test_a_collection_deleted_and_recovered_never_shares_its_files_with_the_old_one(tmp_path: Path) -> None:
    """The engine writes to the paths of a shard when it lets go of it, long after the collection was deleted."""
    root = tmp_path / "storage"
    with running_qdrant(root) as url, closing(client_of(url)) as client:
        filled(client, "c", count=10)
        shards = [_shard_of(root)]
        made = client.create_snapshot("c")
        assert made
        location = next((root / "snapshots").rglob("*.snapshot")).as_uri()
        for _ in range(2):
            client.recover_snapshot("c", location=location)
            shards.append(_shard_of(root))
            client.delete_collection("c")
            client.recover_snapshot("c", location=location)
            shards.append(_shard_of(root))
        assert client.count("c").count == 10
    assert len(set(shards)) == len(shards)


def _shard_of(root: Path) -> str:
    return (root / "collections" / "c" / "current").read_text()


def test_a_stop_while_snapshots_are_made_is_clean(tmp_path: Path) -> None:
    folder = tmp_path / "storage"
    with ServerProcess(folder) as server, closing(client_of(server.url)) as client:
        filled(client, "c", count=200)
        for _ in range(3):
            httpx.post(f"{server.url}/collections/c/snapshots?wait=false").raise_for_status()
        assert server.stop() == 0
    with running_qdrant(folder) as url, closing(client_of(url)) as client:
        assert client.count("c").count == 200
        assert len(client.list_snapshots("c")) <= 3
