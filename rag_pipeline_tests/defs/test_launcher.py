"""Run workers: whether one is alive is known, also after its pid was used again."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from rag_pipeline.defs.launcher import PID_TAG, STARTED_TAG, SubprocessRunLauncher, worker_tags


@pytest.fixture
def worker() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def launcher(instance: dg.DagsterInstance) -> SubprocessRunLauncher:
    launcher = SubprocessRunLauncher()
    launcher.register_instance(instance)
    return launcher


def run_with(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    run = dg.DagsterRun(job_name="ingest", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags)
    instance.add_run(run)
    return run


def test_a_living_worker_is_running(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher, worker: "subprocess.Popen[bytes]"
) -> None:
    run = run_with(instance, worker_tags(worker.pid))

    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_killed_worker_is_failed_even_before_anyone_waited_for_it(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher, worker: "subprocess.Popen[bytes]"
) -> None:
    run = run_with(instance, worker_tags(worker.pid))
    worker.kill()
    worker.wait()

    health = launcher.check_run_worker_health(run)
    assert health.status is WorkerStatus.FAILED
    assert str(worker.pid) in (health.msg or "")


def test_a_pid_that_another_process_got_is_not_our_worker(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher, worker: "subprocess.Popen[bytes]"
) -> None:
    tags = worker_tags(worker.pid)
    run = run_with(instance, {**tags, STARTED_TAG: repr(float(tags[STARTED_TAG]) - 60)})

    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
    assert not launcher.terminate(run.run_id)
    assert worker.poll() is None


def test_a_run_without_a_recorded_worker_is_left_alone(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher
) -> None:
    assert launcher.check_run_worker_health(run_with(instance, {})).status is WorkerStatus.RUNNING


def test_tags_that_make_no_sense_are_a_dead_worker(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher
) -> None:
    run = run_with(instance, {PID_TAG: "no number", STARTED_TAG: "x"})

    assert launcher.check_run_worker_health(run).status is WorkerStatus.FAILED


def test_terminating_interrupts_the_worker(
    instance: dg.DagsterInstance, launcher: SubprocessRunLauncher, worker: "subprocess.Popen[bytes]"
) -> None:
    run = run_with(instance, worker_tags(worker.pid))

    assert launcher.terminate(run.run_id)
    assert worker.wait(timeout=10) != 0
    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.status is dg.DagsterRunStatus.CANCELING
