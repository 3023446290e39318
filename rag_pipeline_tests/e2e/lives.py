"""The first life of an instance: files handed in while none runs, then `up`, then SIGTERM; what was seen is kept."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_pipeline_tests.e2e.instance import command, folder_options, free_ports, running, what_runs_on
from rag_pipeline_tests.e2e.kills import WholeState, whole_state, write_files
from rag_pipeline_tests.e2e.texts import sentence

COLLECTION = "killed"
COUNT = 60
PHRASE = sentence(f"{COLLECTION}/17/2/3")
"""Stands in `017.txt` of the collection."""


@dataclass(frozen=True, slots=True)
class FirstLife:
    """What was seen of it.

    Shapes:
        folder: of the instance, with `files` beside its own folders.
        ingested: how `ingest` ended, before there was an instance.
        state: of the collection, that no one disturbed.
        hits: of a search for PHRASE.
        ran: command lines of what ran while it was up, and of what was left after SIGTERM.
        exit_code: of `up`, after SIGTERM.
        said_more: what `up --json` wrote to stdout beside its line, and to stderr.
    """

    folder: Path
    files: Path
    ingested: "subprocess.CompletedProcess[str]"
    state: WholeState
    hits: list[dict[str, Any]]
    ran: list[str]
    left: list[str]
    exit_code: int
    said_more: tuple[str, str]


def live_once(folder: Path, models: Path) -> FirstLife:
    """Hand files in, start, look, stop."""
    files = write_files(folder / "files" / COLLECTION, count=COUNT)
    shutil.copytree(models, folder / "data" / "models")
    options = (*folder_options(), "--ports-from", str(free_ports()))
    ingested = command("ingest", str(files), "--collection", COLLECTION, "--json", *options, cwd=folder)
    with running(folder) as instance:
        state = whole_state(instance, COLLECTION)
        hits = instance.search(COLLECTION, PHRASE)
        ran = what_runs_on(folder)
        exit_code = instance.stop()
        left = what_runs_on(folder)
        assert instance.owner.stdout is not None
        said_more = (instance.owner.stdout.read(), (folder / "up.err").read_text())
    return FirstLife(folder, files, ingested, state, hits, ran, left, exit_code, said_more)
