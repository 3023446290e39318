"""A running instance as a user's script meets it: the command `rag-pipeline`, HTTP and SQL. Dagster is `dagster_ui`.

Nothing of the package is called: what is promised is what stands in the JSON line of `up --json`.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg

PROGRAM = Path(sys.executable).with_name("rag-pipeline")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0
_PORTS_OF_AN_INSTANCE = 4
_FROM_OUTSIDE = ("RAG_", "DAGSTER_", "MAKE", "MFLAGS")

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that said it is ready.

    Shapes:
        folder: holds `data`, `uploads` and what stderr said (`up.err`); commands are run in it.
        said: the JSON line of `up --json`.
    """

    folder: Path
    owner: "subprocess.Popen[str]"
    said: dict[str, Any]
    http: httpx.Client
    variables: Mapping[str, str]

    @property
    def data_dir(self) -> Path:
        """Folder of all state."""
        return self.folder / "data"

    @property
    def uploads_dir(self) -> Path:
        """Folder whose subfolders are the collections."""
        return self.folder / "uploads"

    def put(self, path: str, content: str | bytes) -> Path:
        """Write a file below the uploads folder; returns where it is."""
        target = self.uploads_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def command(self, *arguments: str, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        """What a command says and ends with, run in `folder` with relative folders as options."""
        return command(*arguments, *folder_options(), cwd=self.folder, timeout_s=timeout_s, **self.variables)

    def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - JSON
        """The JSON that GET answers."""
        answer = self.http.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def search(self, collection: str, query: str, *, limit: int = 10) -> list[dict[str, Any]]:
        """The hits of a search."""
        answer = self.http.post("/api/v1/search", json={"collection": collection, "query": query, "limit": limit})
        answer.raise_for_status()
        return answer.json()["hits"]

    def documents(self, collection: str, **parameters: str | int) -> dict[str, tuple[str, str | None]]:
        """State and reason of the collection's documents, by path; empty when there is no such collection yet."""
        found: dict[str, tuple[str, str | None]] = {}
        while True:
            wanted = {"limit": 1000, "offset": len(found), **parameters}
            answer = self.http.get(f"/api/v1/collections/{collection}/documents", params=wanted)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return {}
            answer.raise_for_status()
            page = answer.json()
            found |= {one["path"]: (one["state"], one["reason"]) for one in page["documents"]}
            if len(found) >= page["total"] or not page["documents"]:
                return found

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows from the ledger's database."""
        with psycopg.connect(self.said["database_url"]) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def qdrant(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """The result of a POST to Qdrant."""
        answer = self.http.post(f"{self.said['qdrant_url']}{path}", json=body)
        answer.raise_for_status()
        return answer.json()["result"]

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.owner.send_signal(signal.SIGTERM)
        return self.owner.wait(STOP_TIMEOUT_S)


@contextmanager
def running(folder: Path, *, models: Path | None = None, **variables: str) -> Iterator[Instance]:
    """An instance on `folder`/data and `folder`/uploads for the block; `models` is copied in before a first start."""
    if models and not (folder / "data" / "models").exists():
        shutil.copytree(models, folder / "data" / "models")
    with ExitStack() as after:
        said_wrong = after.enter_context((folder / "up.err").open("w"))
        owner = after.enter_context(
            subprocess.Popen(
                [str(PROGRAM), "up", "--json", *folder_options(), "--ports-from", str(free_ports())],
                cwd=folder,
                env=environment(**variables),
                stdout=subprocess.PIPE,
                stderr=said_wrong,
                text=True,
            )
        )
        after.callback(_end, owner, folder / "data")
        assert owner.stdout is not None
        line = owner.stdout.readline()
        assert line, f"up ended with {owner.wait(5)}: {(folder / 'up.err').read_text()}"
        said = json.loads(line)
        http = after.enter_context(httpx.Client(base_url=said["api_url"], timeout=30, trust_env=False))
        yield Instance(folder, owner, said, http, variables)


def folder_options() -> tuple[str, ...]:
    """Both folders, relative to the working directory."""
    return ("--data-dir", "data", "--uploads-dir", "uploads")


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what would steer an instance or a make, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FROM_OUTSIDE)}
    return kept | variables


def command(*arguments: str, cwd: Path, timeout_s: float = 120, **variables: str) -> "subprocess.CompletedProcess[str]":
    """What `rag-pipeline` with `arguments` says and ends with."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def free_ports() -> int:
    """A number from which on an instance's ports are free; below those that systems hand out by themselves."""
    while True:
        first = random.randrange(20_000, 30_000)
        with ExitStack() as listeners, suppress(OSError):
            for port in range(first, first + _PORTS_OF_AN_INSTANCE):
                listeners.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def wait_for(
    look: Callable[[], _Found], is_it: Callable[[_Found], bool] = bool, *, timeout_s: float = 90.0, every_s: float = 0.2
) -> _Found:
    """What `look` finds once `is_it` says yes; after `timeout_s` the test fails, showing the last that was found."""
    deadline = time.monotonic() + timeout_s
    while not is_it(found := look()):
        assert time.monotonic() < deadline, f"not after {timeout_s:.0f} s; the last that was found: {found}"
        time.sleep(every_s)
    return found


def what_runs_on(data_dir: Path) -> list[str]:
    """Command lines of all that belongs to an instance of `data_dir`, by mark, by arguments or by working folder."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            words = one.cmdline()
            marks = (one.environ().get("RAG_INSTANCE", ""), one.cwd(), *words)
            if one.status() != psutil.STATUS_ZOMBIE and any(str(data_dir) in mark for mark in marks):
                found.append(f"{one.pid} {' '.join(words)}")
    return found


def _end(owner: "subprocess.Popen[str]", data_dir: Path) -> None:
    """Nothing of the instance is left, whatever a failed test left behind."""
    if owner.poll() is None:
        owner.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            owner.wait(STOP_TIMEOUT_S)
            return
        owner.kill()
    for line in what_runs_on(data_dir):
        with suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)
