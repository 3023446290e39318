"""`rag-pipeline qdrant` as a user meets it: it starts, serves, stops, and says in a sentence why it cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.server import ServerProcess, running_qdrant

PROGRAM = Path(sys.executable).with_name("rag-pipeline")
STOPS_WITHIN_S = 20


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rag_pipeline.cli", "qdrant", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command, until the block ends; killed at the latest then."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_cleanly(tmp_path: Path, ending: signal.Signals) -> None:
    with running("--data-dir", str(tmp_path / "q"), "--port", "0", "--json") as process:
        ready = json.loads(said(process))
        assert (ready["data_dir"], ready["pid"]) == (str(tmp_path / "q"), process.pid)
        with closing(QdrantClient(url=ready["url"])) as client:
            client.create_collection("c", vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
            client.upsert("c", [models.PointStruct(id=1, vector=[1, 2])])
        process.send_signal(ending)
        assert process.wait(STOPS_WITHIN_S) == 0
    with running("--data-dir", str(tmp_path / "q"), "--port", "0") as process:
        sentence, stop = said(process), said(process)
        url = sentence.split()[-1]
        assert "Ctrl-C" in stop
        assert httpx.post(f"{url}/collections/c/points/count", json={}).json()["result"] == {"count": 1}


def test_with_a_key_it_may_listen_to_the_network(tmp_path: Path) -> None:
    arguments = ("--data-dir", str(tmp_path / "q"), "--port", "0", "--host", "0.0.0.0", "--json")  # noqa: S104
    with running(*arguments, "--api-key-env", "QDRANT_KEY", QDRANT_KEY="not-a-real-key") as process:
        port = json.loads(said(process))["url"].rsplit(":", 1)[1]
        url = f"http://127.0.0.1:{port}/collections"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"api-key": "not-a-real-key"}).status_code == 200


def test_what_cannot_be_done_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ServerProcess(tmp_path / "owned") as server, socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = {
            f"pid {server.process.pid}": ("--data-dir", str(tmp_path / "owned"), "--port", "0"),
            f"Port {port}": ("--data-dir", str(tmp_path / "q"), "--port", port),
            "API key": ("--data-dir", str(tmp_path / "q"), "--port", "0", "--host", "0.0.0.0"),  # noqa: S104
            "ROOM_UNSET_KEY": ("--data-dir", str(tmp_path / "q"), "--port", "0", "--api-key-env", "ROOM_UNSET_KEY"),
            "storage folder": ("--data-dir", str(tmp_path / "file"), "--port", "0"),
            "could not be restored": (
                *("--data-dir", str(tmp_path / "q"), "--port", "0"),
                *("--storage-snapshot", str(tmp_path / "file")),
            ),
        }
        for expected, arguments in cases.items():
            done = run(*arguments)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
            assert expected in done.stderr
    assert run("--port", "0").returncode == 2
    assert "Missing option '--data-dir'" in run("--port", "0").stderr


def test_help_says_how_to_connect_and_where_to_read_on() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("QdrantClient(url=", "--api-key-env", "docs/embedded-qdrant.md", "6333"):
        assert word in done.stdout


def test_a_whole_storage_is_restored_into_an_empty_folder(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "old") as url, closing(QdrantClient(url=url, check_compatibility=False)) as client:
        for number, name in enumerate(("one", "two")):
            client.create_collection(name, vectors_config=models.VectorParams(size=2, distance=models.Distance.DOT))
            client.upsert(name, [models.PointStruct(id=i, vector=[i, 2]) for i in range(10 * (number + 1))])
        alias = models.CreateAlias(collection_name="two", alias_name="alias")
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        made = client.create_full_snapshot()
        assert made
    archive = tmp_path / "old" / "snapshots" / made.name
    arguments = ("--data-dir", str(tmp_path / "new"), "--port", "0", "--storage-snapshot", str(archive))
    with running(*arguments, "--json") as process:
        url = json.loads(said(process))["url"]
        with closing(QdrantClient(url=url, check_compatibility=False)) as client:
            assert {name: client.count(name).count for name in ("one", "two", "alias")} == {
                "one": 10,
                "two": 20,
                "alias": 20,
            }
    again = run(*arguments)
    assert (again.returncode, "needs an empty one" in again.stderr) == (2, True)


def test_an_upload_over_the_limit_is_413(tmp_path: Path) -> None:
    arguments = ("--data-dir", str(tmp_path / "q"), "--port", "0", "--json", "--max-snapshot-bytes", "100000")
    with running(*arguments) as process:
        path = f"{json.loads(said(process))['url']}/collections/c/snapshots/upload"
        assert httpx.post(path, files={"snapshot": ("a", bytes(99_000))}).status_code == 400
        assert httpx.post(path, files={"snapshot": ("a", bytes(2_000_000))}).status_code == 413
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        head = b'--b\r\nContent-Disposition: form-data; name="snapshot"; filename="a"\r\n\r\n'
        chunks = iter([head, *([bytes(50_000)] * 40)])
        assert httpx.post(path, content=chunks, headers=headers).status_code == 413
    assert list((tmp_path / "q" / "aside").iterdir()) == []
