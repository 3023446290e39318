"""Run workers as processes of their own, whose death is noticed.

Dagster's DefaultRunLauncher starts workers below the code server and cannot tell whether one is alive: after a
SIGKILL of worker and code server the run stays STARTED, and a queue of one never moves again (measured on 1.13.27).
Here the worker is a child of the daemon, found again by pid and start time, so a code server may come and go, and run
monitoring ends the run of a dead worker within seconds. On several machines this is replaced by Dagster's Kubernetes,
Docker or Celery launchers, which know their workers too.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Self

import psutil
from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value

PID_TAG = "rag/worker_pid"
STARTED_TAG = "rag/worker_started"
"""Together they name one process: a pid alone may be used again."""

_START_TOLERANCE_S = 1.0


def worker_tags(pid: int) -> dict[str, str]:
    """Run tags by which a worker is found again: also for a run that a command executes in its own process."""
    return {PID_TAG: str(pid), STARTED_TAG: repr(psutil.Process(pid).create_time())}


class SubprocessRunLauncher(RunLauncher, ConfigurableClass):
    """Starts `dagster api execute_run` for each run, and knows whether it still runs."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """How dagster.yaml names this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Made by Dagster from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's worker; it outlives a code server, and is ended with the daemon by the supervisor."""
        run = context.dagster_run
        origin = context.job_code_origin
        if origin is None:
            msg = (
                f"Run {run.run_id} does not say where its code is; start it from the UI, a sensor or the command line."
            )
            raise ValueError(msg)
        arguments = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref())
        # Our own interpreter: the one that the code server recorded may be another container's.
        command = [sys.executable, "-m", "dagster", "api", "execute_run", serialize_value(arguments)]
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - Dagster's own command
        self._workers = {key: other for key, other in self._workers.items() if other.poll() is None}
        self._workers[run.run_id] = worker
        self._instance.add_run_tags(run.run_id, worker_tags(worker.pid))
        self._instance.report_engine_event(f"Started worker process {worker.pid}.", run, cls=self.__class__)

    def terminate(self, run_id: str) -> bool:
        """Ask the worker to stop as Ctrl-C does; returns whether there was one."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        worker = _worker(run)
        if worker is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(worker.pid, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's worker process is alive."""
        if PID_TAG not in run.tags:
            # Started by other means (`dagster job execute`): nobody can tell, and monitoring would fail an "unknown".
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no worker process was recorded")
        if known := self._workers.get(run.run_id):
            known.poll()  # a dead child stays a zombie, which psutil calls alive, until it is asked for
        worker_id = f"{run.tags[PID_TAG]}@{run.tags[STARTED_TAG]}"
        if _worker(run) is None:
            return CheckRunHealthResult(
                WorkerStatus.FAILED,
                f"Worker process {run.tags[PID_TAG]} is gone: killed, out of memory, or the machine restarted.",
                run_worker_id=worker_id,
            )
        return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=worker_id)


def _worker(run: DagsterRun) -> psutil.Process | None:
    """The run's worker process, None when it is gone."""
    try:
        worker = psutil.Process(int(run.tags[PID_TAG]))
        is_same = abs(worker.create_time() - float(run.tags[STARTED_TAG])) < _START_TOLERANCE_S
        return worker if is_same and worker.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return None
