"""The process: who may have the folder, the port and an answer."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from qdrant_client import QdrantClient

from rag_pipeline_tests.embedded.qdrant.server import ServerProcess

KEY = "not-a-real-key"


@pytest.fixture(scope="module")
def keyed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("keyed") / "storage"
    with ServerProcess(folder, arguments=("--api-key-env", "ROOM_KEY"), environment={"ROOM_KEY": KEY}) as server:
        yield server.url


def test_a_second_process_on_the_folder_is_refused_and_told_the_owner(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        refused = _run("--data-dir", str(tmp_path / "storage"), "--port", "0")
    assert refused.returncode == 2
    assert f"pid {server.process.pid}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_exit_code_2_and_leaves_no_folder_locked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _run("--data-dir", str(tmp_path / "storage"), "--port", str(port))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"Port {port}" in refused.stderr


def test_the_network_is_refused_without_a_key(tmp_path: Path) -> None:
    refused = _run("--data-dir", str(tmp_path / "storage"), "--port", "0", "--host", "0.0.0.0")  # noqa: S104 - refused
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "API key" in refused.stderr


def test_an_empty_key_variable_is_refused(tmp_path: Path) -> None:
    refused = _run("--data-dir", str(tmp_path / "storage"), "--port", "0", "--api-key-env", "ROOM_UNSET_KEY")
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"api-key": "wrong"}, 401),
        ({"api-key": "schlüssel".encode()}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"api-key": KEY}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
    ],
)
def test_only_the_key_opens(keyed_url: str, headers: Mapping[str, str], status: int) -> None:
    assert httpx.get(f"{keyed_url}/collections", headers=headers).status_code == status
    assert httpx.get(f"{keyed_url}/readyz").status_code == 200


def test_the_client_opens_with_its_key(keyed_url: str) -> None:
    with pytest.warns(UserWarning, match="insecure connection"):
        client = QdrantClient(url=keyed_url, api_key=KEY, check_compatibility=False)
    assert client.get_collections().collections == []
    client.close()


@pytest.mark.parametrize("headers", [{"Origin": "https://example.org"}, {"Host": "example.org"}])
def test_without_a_key_web_pages_are_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    assert http.get("/collections", headers=headers).status_code == 403


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rag_pipeline.embedded.qdrant", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "storage") as server:
        url = httpx.URL(server.url)
        for line, kind in (
            ("PUT /collections/c", "application/json"),
            ("POST /collections/c/snapshots/upload", "multipart/form-data; boundary=b"),
        ):
            head = f"{line} HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n"
            with socket.create_connection((url.host, url.port or 0)) as leaving:
                leaving.sendall(head.encode() + b"{")
        assert httpx.get(f"{server.url}/collections").json()["result"] == {"collections": []}
        assert server.stop() == 0
    assert "Traceback" not in (tmp_path / "storage.log").read_text()
