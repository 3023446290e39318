"""SIGKILL to the run's worker at random moments, ten times: each ends as an ingest that nobody disturbed."""

import random
import time
from pathlib import Path

import pytest

from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline_tests.e2e import dagster_ui
from rag_pipeline_tests.e2e.dagster_ui import wait_until_ended
from rag_pipeline_tests.e2e.instance import Instance, running, wait_for
from rag_pipeline_tests.e2e.kills import drop, kill_worker, whole_state, write_files
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir

_ROUNDS = 10
_COUNT = 60
_LONGEST_RUN_S = 12.0
_ROUND_TIMEOUT_S = 180.0


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_moment_ends_as_an_undisturbed_one(
    default_model: LocalModel, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    del default_model
    models = tmp_path_factory.getbasetemp() / "models"
    with temporary_data_dir() as one, temporary_data_dir() as other:
        rounds = [write_files(one / "files" / f"round-{number}", count=_COUNT) for number in range(_ROUNDS)]
        with running(one, models=models, RAG_INGEST__POINT_GRACE_S="2") as instance:
            killed = [_killed_once(instance, files) for files in rounds]
            disturbed = [whole_state(instance, files.name) for files in rounds]
        with running(other, models=models, RAG_INGEST__POINT_GRACE_S="2") as instance:
            for files in rounds:
                drop(instance, files)
            for files in rounds:
                wait_until_ended(instance, files.name, count=_COUNT, timeout_s=_ROUND_TIMEOUT_S)
            undisturbed = [whole_state(instance, files.name) for files in rounds]
    assert disturbed == undisturbed
    assert sum(ended == "FAILURE" for _moment_s, _stage, ended, _noticed_s in killed) >= _ROUNDS // 2
    with capsys.disabled():
        for moment_s, stage, ended, noticed_s in killed:
            print(  # noqa: T201
                f"\nkilled after {moment_s:5.2f} s at {stage:<11}: {ended}, seen after {noticed_s:4.1f} s", end=""
            )
        print(f"\n{_ROUNDS} rounds of {_COUNT} documents, each ended in the undisturbed state")  # noqa: T201


def _killed_once(instance: Instance, files: Path) -> tuple[float, str, str, float]:
    """When the worker was killed, at which stage most documents stood, how the run ended, and how soon that showed."""
    drop(instance, files)
    started = wait_for(
        lambda: [run for run in dagster_ui.runs(instance, files.name) if run.status == "STARTED"], every_s=0.05
    )[0]
    moment_s = random.uniform(0, _LONGEST_RUN_S) ** 2 / _LONGEST_RUN_S  # more often early: most runs are short
    time.sleep(moment_s)
    states = [state for state, _reason in instance.documents(files.name).values()]
    if dagster_ui.run(instance, started.run_id).status == "STARTED":
        kill_worker(started)
    began = time.monotonic()
    ended = wait_for(lambda: dagster_ui.run(instance, started.run_id), lambda run: run.is_ended)
    noticed_s = time.monotonic() - began
    wait_until_ended(instance, files.name, count=_COUNT, timeout_s=_ROUND_TIMEOUT_S)
    return moment_s, max(states, key=states.count), ended.status, noticed_s
