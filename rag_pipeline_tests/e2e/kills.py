"""Killing parts of an instance in the middle of a run, and the whole state that is there in the end."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from rag_pipeline_tests.e2e import dagster_ui
from rag_pipeline_tests.e2e.instance import Instance, wait_for
from rag_pipeline_tests.e2e.ledger import LiveChunk, live_chunks, points
from rag_pipeline_tests.e2e.texts import text

_WORKER_PID_TAG = "rag/worker_pid"
_MTIME_NS = 10**18
_PARAGRAPHS = 3


@dataclass(frozen=True, slots=True)
class WholeState:
    """All that a search can depend on.

    Shapes:
        documents: state and reason by path.
        payloads: of Qdrant's points by id, without the moment they were written.
    """

    documents: dict[str, tuple[str, str | None]]
    chunks: set[LiveChunk]
    payloads: dict[str, dict[str, Any]]


def write_files(folder: Path, *, count: int) -> Path:
    """`count` text files of a few passages each; dates are equal, because they are part of the payload."""
    folder.mkdir(parents=True)
    for number in range(count):
        file = folder / f"{number:03}.txt"
        file.write_text(text(f"{folder.name}/{number}", paragraphs=_PARAGRAPHS))
        os.utime(file, ns=(_MTIME_NS, _MTIME_NS))
    return folder


def drop(instance: Instance, files: Path) -> None:
    """All files at once, as a collection of the folder's name."""
    waiting = instance.folder / f"waiting-{files.name}"
    shutil.copytree(files, waiting)
    waiting.rename(instance.uploads_dir / files.name)


def wait_until_at(instance: Instance, collection: str, *, states: tuple[str, ...]) -> dagster_ui.Run:
    """The run that is under way, once a document that it holds stands at one of `states`."""
    query = "SELECT run_id FROM rag.documents WHERE collection = %s AND run_id IS NOT NULL AND state = ANY(%s) LIMIT 1"
    found = wait_for(lambda: instance.sql(query, collection, list(states)), every_s=0.01)
    run = dagster_ui.run(instance, found[0][0])
    assert run.status == "STARTED"
    return run


def kill_worker(run: dagster_ui.Run) -> None:
    """SIGKILL to the process that executes the run."""
    os.kill(int(run.tags[_WORKER_PID_TAG]), signal.SIGKILL)


def code_server_pid(instance: Instance) -> int | None:
    """Process id of Dagster's code server; None while there is none."""
    for one in psutil.Process(instance.owner.pid).children():
        if one.status() != psutil.STATUS_ZOMBIE and "grpc" in one.cmdline():
            return one.pid
    return None


def whole_state(instance: Instance, collection: str) -> WholeState:
    """The state once Qdrant holds the live chunks only."""
    live = live_chunks(instance, collection)
    ids = {chunk.chunk_id for chunk in live}
    found = wait_for(lambda: points(instance, collection), lambda found: found.keys() == ids, timeout_s=30)
    payloads = {one: {key: value for key, value in found[one].items() if key != "ingested_at"} for one in found}
    return WholeState(instance.documents(collection), live, payloads)
