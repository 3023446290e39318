"""The supervisor: starts children as soon as what they need is ready, restarts what dies, stops all in reverse.

What a child is lives in `child`, which ones an instance has in `stack`. One thread does everything: it looks at every
child a few times a second, so there is no lock, and a signal handler only has to set a flag.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rag_pipeline.embedded import logs
from rag_pipeline.embedded.child import Child, ChildSpec, ChildState
from rag_pipeline.embedded.keeper import Keeper
from rag_pipeline.embedded.leftovers import Mark, end, started_by
from rag_pipeline.errors import StartupError, UsageError

logger = logging.getLogger(__name__)

TICK_S = 0.1
_LOG_LOOK_S = 10.0
_USAGE_ERROR_EXIT_CODE = 2
_MAX_DOUBLINGS = 30
"""More are beyond any longest wait, and after 1,024 (nine hours of deaths) no float holds the number."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits.

    Shapes:
        start_deaths: a child that dies this often before everything was ready once ends the start.
        first_backoff_s, max_backoff_s: wait before a restart; doubles with each death in a row.
        settled_s: a child that ran this long starts again with the first backoff.
        stop_grace_s: between the polite signal and SIGKILL.
    """

    start_deaths: int = 2
    first_backoff_s: float = 0.5
    max_backoff_s: float = 30.0
    settled_s: float = 60.0
    stop_grace_s: float = 3.0


Observer = Callable[[Sequence[Child]], None]


class Supervisor:
    """Owner of the children of one instance; a context manager that leaves none of them behind."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        mark: Mark,
        environment: Mapping[str, str],
        patience: Patience | None = None,
        observe: Observer = lambda _children: None,
    ) -> None:
        """Prepare children for `specs` (what a spec needs stands before it); nothing starts yet.

        `observe` is called with the children about ten times a second while they start and run.
        """
        self._mark = mark
        self._environment = environment
        self._patience = patience or Patience()
        self._observer: Observer | None = observe
        self._logs_dir = mark.data_dir / "logs"
        self._keeper: Keeper | None = None
        self._was_ready = False
        self._logs_seen_at = time.monotonic()
        self.children = [Child(spec, self._logs_dir / f"{spec.name}.log") for spec in specs]
        self._by_name = {child.spec.name: child for child in self.children}

    def start(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Start everything; True when all children are ready, False when `should_stop` said so before.

        Raises:
            StartupError: a child did not become ready; its last log lines are in the message.
            UsageError: one of our own servers refused to start and said why.
        """
        self._logs_dir.mkdir(parents=True, exist_ok=True)
        self._keeper = Keeper.start(self._mark)
        while not all(child.state.is_ready for child in self.children):
            if should_stop():
                return False
            self._tick()
        self._was_ready = True
        self._show()
        return True

    def watch(self, should_stop: Callable[[], bool]) -> None:
        """Restart what dies, until `should_stop` says so."""
        while not should_stop():
            self._tick()

    def stop(self) -> None:
        """Nothing that was started runs any more: in reverse order of need, politely, then by SIGKILL."""
        waiting = [child for child in self.children if not child.is_gone()]
        deadlines: dict[str, float] = {}
        while waiting:
            for child in waiting:
                self._advance_stop(child, waiting, deadlines)
            self._show()
            waiting = [child for child in waiting if child.state is not ChildState.STOPPED]
            time.sleep(TICK_S / 5)
        end(started_by(self._mark), grace_s=1.0)
        if self._keeper is not None:
            self._keeper.dismiss()
            self._keeper = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _tick(self) -> None:
        for child in self.children:
            self._advance(child)
        now = time.monotonic()
        if now - self._logs_seen_at > _LOG_LOOK_S:
            self._logs_seen_at = now
            for child in self.children:
                logs.bound(child.log_file)
        self._show()
        time.sleep(TICK_S)

    def _show(self) -> None:
        if self._observer is None:
            return
        try:
            self._observer(self.children)
        except OSError:
            # The terminal was closed or the pipe's reader left. Nobody looks any more; the children matter more.
            self._observer = None

    def _advance(self, child: Child) -> None:
        if child.state is ChildState.WAITING:
            if all(self._by_name[name].state.is_ready for name in child.spec.needs):
                self._begin(child)
        elif child.state is ChildState.RESTARTING:
            if time.monotonic() >= child.start_again_at:
                self._begin(child)
        elif child.state is ChildState.STARTING:
            self._advance_start(child)
        elif child.state is ChildState.READY and child.exit_code() is not None:
            self._died(child)

    def _begin(self, child: Child) -> None:
        try:
            child.start(self._environment, mark=self._mark, working_dir=self._mark.data_dir)
        except OSError as error:
            if not self._was_ready:
                raise StartupError(f"{child.spec.name} cannot be started: {error}") from error
            # A full disk, no free descriptors: that may pass, and the other children work on meanwhile.
            logger.warning("%s: cannot be started now: %s", child.spec.name, error)
            child.deaths += 1
            self._back_off(child)
            return
        logger.info("%s: started, pid %s", child.spec.name, child.pid)

    def _advance_start(self, child: Child) -> None:
        code = child.exit_code()
        waited_s = time.monotonic() - child.began_at
        if code is not None:
            if child.spec.is_task and code == 0:
                child.state, child.took_s = ChildState.DONE, waited_s
            else:
                self._died(child)
        elif not child.spec.is_task and child.spec.is_ready():
            child.state, child.took_s = ChildState.READY, waited_s
            logger.info("%s: ready after %.1f s", child.spec.name, waited_s)
        elif waited_s > child.spec.start_timeout_s:
            if not self._was_ready:
                raise self._start_failed(child, f"was not ready after {child.spec.start_timeout_s:.0f} s")
            self._died(child)

    def _died(self, child: Child) -> None:
        child.kill()  # what it started would otherwise work beside its successor
        has_settled = time.monotonic() - child.began_at > self._patience.settled_s
        child.deaths = 1 if has_settled else child.deaths + 1
        logger.warning("%s: ended with exit code %s, death %d", child.spec.name, child.last_exit_code, child.deaths)
        if not self._was_ready:
            self._give_up_when_hopeless(child)
        self._back_off(child)

    def _back_off(self, child: Child) -> None:
        doublings = min(child.deaths - 1, _MAX_DOUBLINGS)
        backoff_s = min(self._patience.first_backoff_s * 2**doublings, self._patience.max_backoff_s)
        child.start_again_at = time.monotonic() + backoff_s
        child.state = ChildState.RESTARTING

    def _give_up_when_hopeless(self, child: Child) -> None:
        if child.spec.is_ours and child.last_exit_code == _USAGE_ERROR_EXIT_CODE:
            child.state = ChildState.FAILED
            raise UsageError(logs.tail(child.log_file, max_lines=1) or f"{child.spec.name} refused to start.")
        if child.spec.is_task or child.deaths >= self._patience.start_deaths:
            raise self._start_failed(child, f"ended with exit code {child.last_exit_code}")

    def _start_failed(self, child: Child, what: str) -> StartupError:
        child.state = ChildState.FAILED
        self._show()
        last_lines = logs.tail(child.log_file) or "(it wrote nothing)"
        return StartupError(f"{child.spec.name} {what}. The end of {child.log_file}:\n{last_lines}")

    def _advance_stop(self, child: Child, waiting: Sequence[Child], deadlines: dict[str, float]) -> None:
        name = child.spec.name
        if child.is_gone():
            child.state = ChildState.STOPPED
        elif any(name in other.spec.needs and other.state is not ChildState.STOPPED for other in waiting):
            return
        elif name not in deadlines:
            child.ask_to_stop()
            deadlines[name] = time.monotonic() + self._patience.stop_grace_s
        elif time.monotonic() > deadlines[name]:
            logger.warning("%s: did not stop in %.0f s, killed", name, self._patience.stop_grace_s)
            child.kill()
            child.state = ChildState.STOPPED
