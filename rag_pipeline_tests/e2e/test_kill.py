"""SIGKILL in the middle of a run: the next one finishes the work, with the state of a run that nobody disturbed."""

import os
import signal
import time
from pathlib import Path

import pytest

from rag_pipeline_tests.e2e import dagster_ui
from rag_pipeline_tests.e2e.dagster_ui import wait_until_ended
from rag_pipeline_tests.e2e.instance import Instance, wait_for
from rag_pipeline_tests.e2e.kills import (
    code_server_pid,
    drop,
    kill_worker,
    wait_until_at,
    whole_state,
    write_files,
)
from rag_pipeline_tests.e2e.ledger import counts_of_runs
from rag_pipeline_tests.e2e.lives import COLLECTION, COUNT, FirstLife
from rag_pipeline_tests.e2e.texts import holds, paragraph, sentence

pytestmark = pytest.mark.slow

_NOTICED_AFTER_S = 30.0


def test_a_killed_run_is_finished_by_the_next_one_as_if_nothing_had_happened(
    instance: Instance, first_life: FirstLife
) -> None:
    drop(instance, first_life.files)
    killed = wait_until_at(instance, COLLECTION, states=("embedding",))
    kill_worker(killed)
    began = time.monotonic()
    ended = wait_for(lambda: dagster_ui.run(instance, killed.run_id), lambda run: run.is_ended)
    assert ended.status == "FAILURE"
    assert time.monotonic() - began < _NOTICED_AFTER_S
    wait_until_ended(instance, COLLECTION, count=COUNT)
    finishing = [run for run in dagster_ui.runs(instance, COLLECTION) if run.run_id != killed.run_id]
    assert {run.status for run in finishing} == {"SUCCESS"}
    counts = counts_of_runs(instance, COLLECTION)
    assert sum(counts[run.run_id]["indexed"] for run in finishing) > 0, "nothing was left to finish"
    assert sum(counts[run.run_id]["extracted"] for run in finishing) == 0, "files were read again"
    assert whole_state(instance, COLLECTION) == first_life.state


def test_a_killed_code_server_comes_back_and_nothing_waits_for_ever(instance: Instance, folder: Path) -> None:
    drop(instance, write_files(folder / "uncoded", count=20))
    wait_until_at(instance, "uncoded", states=("extracting", "chunking", "embedding", "indexing"))
    killed = code_server_pid(instance)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: code_server_pid(instance), lambda pid: pid not in {None, killed})
    wait_until_ended(instance, "uncoded", count=20)
    assert set(instance.documents("uncoded").values()) == {("indexed", None)}

    instance.put("uncoded/later.txt", paragraph("later"))
    wait_until_ended(instance, "uncoded", count=21)
    best = instance.search("uncoded", sentence("later/3"), limit=1)[0]
    assert best["document"]["path"] == "later.txt"
    assert holds(best["text"], sentence("later/3"))
