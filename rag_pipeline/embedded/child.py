"""One child of the supervisor: how it is started, whether it lives, how its whole group is ended.

When it is started, restarted or stopped is decided in `supervisor`; which children there are, in `stack`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rag_pipeline.embedded import logs
from rag_pipeline.embedded.leftovers import MARK_VARIABLE, Mark


class ChildState(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_ready(self) -> bool:
        """Whether what needs this child can start."""
        return self in {ChildState.READY, ChildState.DONE}


@dataclass(frozen=True, slots=True)
class RunAs:
    """The system user a child runs as, where it must not be ours (PostgreSQL refuses to run as root)."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How one child is started and when it counts as ready.

    Shapes:
        command: the executable by absolute path, then its arguments.
        needs: names of the children that must be ready before this one starts, and outlive it.
        is_ready: asked again and again while it starts; answers within about 2 s and never raises.
        is_task: ends by itself; ready means that it ended with exit code 0.
        is_ours: its exit code 2 means that the last line of its log is a sentence for the user.
        before_start: called before each start, the repeated ones too.
        url: where it answers, for people.
        environment: all it gets, mark excepted; None: the supervisor's own children's environment.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    is_ready: Callable[[], bool] = lambda: True
    is_task: bool = False
    is_ours: bool = False
    before_start: Callable[[], None] | None = None
    run_as: RunAs | None = None
    url: str | None = None
    environment: Mapping[str, str] | None = None
    start_timeout_s: float = 90.0


@dataclass(slots=True)
class Child:
    """One child as it runs now. Its own process group, so that what it started ends with it."""

    spec: ChildSpec
    log_file: Path
    state: ChildState = ChildState.WAITING
    deaths: int = 0
    last_exit_code: int | None = None
    began_at: float = 0.0
    took_s: float | None = None
    start_again_at: float = 0.0
    _running: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """Process id; None when it is not running."""
        return self._running.pid if self._running is not None and self._running.returncode is None else None

    def start(self, environment: Mapping[str, str], *, mark: Mark, working_dir: Path) -> None:
        """It is running and its state is STARTING; its output goes to the log file.

        Raises:
            OSError: the command cannot be run.
        """
        if self.spec.before_start is not None:
            self.spec.before_start()
        own = self.spec.environment if self.spec.environment is not None else environment
        run_as = self.spec.run_as
        self.began_at, self.took_s = time.monotonic(), None
        with logs.open_log(self.log_file) as log:
            self._running = subprocess.Popen(  # noqa: S603  the command lines are ours, see `stack`
                self.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_dir,
                env={**own, MARK_VARIABLE: str(mark)},
                # A Ctrl-C at the terminal then reaches only the supervisor, which stops the children in order.
                process_group=0,
                user=run_as.uid if run_as else None,
                group=run_as.gid if run_as else None,
                extra_groups=[] if run_as else None,
            )
        self.state = ChildState.STARTING

    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs or when it never ran."""
        if self._running is None:
            return None
        code = self._running.poll()
        if code is not None:
            self.last_exit_code = code
        return code

    def is_gone(self) -> bool:
        """Whether neither it nor anything of its group runs."""
        if self._running is None:
            return True
        return self._running.poll() is not None and not self._signal(0)

    def ask_to_stop(self) -> None:
        """SIGINT to it and to what it started: a fast, orderly end for every server we run."""
        self.state = ChildState.STOPPING
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to it and to what it started."""
        if self._signal(signal.SIGKILL) and self._running is not None:
            with suppress(subprocess.TimeoutExpired):
                self._running.wait(timeout=2)

    def _signal(self, number: int) -> bool:
        if self._running is None:
            return False
        try:
            os.killpg(self._running.pid, number)
        except ProcessLookupError:
            return False
        return True
