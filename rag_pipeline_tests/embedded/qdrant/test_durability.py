"""What is on the disk after any end: an acknowledged point is there, half a collection never is."""

import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, make_collection
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

ROUNDS = 3


def test_kill_during_upserts_loses_no_acknowledged_point(tmp_path: Path) -> None:
    folder, acknowledged = tmp_path / "storage", 0
    for round_ in range(ROUNDS):
        with ServerProcess(folder) as server, closing(_client(server.url)) as client:
            if round_ == 0:
                make_collection(client, "c")
            assert client.count("c").count >= acknowledged
            killer = threading.Timer(0.1 + 0.1 * round_, server.kill)
            client.upsert("c", [_numbered(acknowledged)])
            killer.start()
            acknowledged = _upsert_until_it_dies(client, first_id=acknowledged + 1)
            killer.join()
    with running_qdrant(folder) as url, closing(_client(url)) as client:
        points, _ = client.scroll("c", limit=acknowledged + 1000, with_vectors=True)
        stored = {point.id: (point.payload, point.vector) for point in points}
    assert [i for i in range(acknowledged) if stored.get(i) != ({"n": i}, {DENSE: [float(i), 1, 2, 3]})] == []


def _numbered(number: int) -> models.PointStruct:
    return models.PointStruct(id=number, vector={DENSE: [number, 1, 2, 3]}, payload={"n": number})


def _upsert_until_it_dies(client: QdrantClient, *, first_id: int) -> int:
    """How many points were acknowledged in all; ids count up from 0."""
    next_id = first_id
    try:
        while True:
            batch = range(next_id, next_id + 10)
            client.upsert(
                "c", [models.PointStruct(id=i, vector={DENSE: [i, 1, 2, 3]}, payload={"n": i}) for i in batch]
            )
            next_id += 10
    except ResponseHandlingException:
        return next_id


def test_kill_around_creation_and_deletion_leaves_whole_collections(tmp_path: Path) -> None:
    folder = tmp_path / "storage"
    for round_ in range(ROUNDS):
        with ServerProcess(folder) as server, closing(_client(server.url)) as client:
            killer = threading.Timer(0.05 + 0.05 * round_, server.kill)
            if round_ == 0:
                make_collection(client, "kept")
            killer.start()
            _come_and_go_until_it_dies(client, prefix=f"r{round_}")
            killer.join()
        with running_qdrant(folder) as url, closing(_client(url)) as client:
            for description in client.get_collections().collections:
                assert client.get_collection(description.name).config.params.vectors
                client.upsert(description.name, [models.PointStruct(id=1, vector={DENSE: [1, 2, 3, 4]})])
            assert client.collection_exists("kept")
        assert list((folder / "aside").iterdir()) == []


def _come_and_go_until_it_dies(client: QdrantClient, *, prefix: str) -> None:
    number = 0
    try:
        while True:
            make_collection(client, f"{prefix}-{number}")
            client.delete_collection(f"{prefix}-{number - 1}")
            number += 1
    except ResponseHandlingException:
        return


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_told_stop_is_clean_and_keeps_everything(tmp_path: Path, ending: signal.Signals) -> None:
    with ServerProcess(tmp_path / "storage") as server, closing(_client(server.url)) as client:
        make_collection(client, "c")
        client.create_payload_index("c", "n", models.PayloadSchemaType.INTEGER)
        client.upsert("c", [models.PointStruct(id=1, vector={DENSE: [1, 2, 3, 4]}, payload={"n": 1})])
        client.update_collection_aliases([_switch("c")])
        before = client.get_collection("c")
        server.process.send_signal(ending)
        assert server.wait() == 0
    with running_qdrant(tmp_path / "storage") as url, closing(_client(url)) as client:
        assert client.get_collection("alias") == before
        assert client.retrieve("alias", [1])[0].payload == {"n": 1}


def test_an_alias_switch_is_never_seen_half_done(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "storage") as url, closing(_client(url)) as client:
        for number, name in enumerate(("one", "two")):
            make_collection(client, name)
            client.upsert(name, [models.PointStruct(id=number, vector={DENSE: [1, 0, 0, 0]})])
        client.update_collection_aliases([_switch("one")])
        seen: set[object] = set()
        done = threading.Event()
        reader = threading.Thread(target=_read_alias_until, args=(url, done, seen))
        reader.start()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            for name in ("two", "one"):
                delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="alias"))
                client.update_collection_aliases([delete, _switch(name)])
        done.set()
        reader.join()
    assert seen == {(0,), (1,)}


def _read_alias_until(url: str, done: threading.Event, seen: set[object]) -> None:
    with closing(_client(url)) as client:
        while not done.is_set():
            seen.add(tuple(point.id for point in client.scroll("alias")[0]))


def _client(url: str) -> QdrantClient:
    """A client without its version check, which may still be asking, in a thread, when the server is gone."""
    return QdrantClient(url=url, check_compatibility=False)


def _switch(collection: str) -> models.CreateAliasOperation:
    return models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=collection, alias_name="alias"))
