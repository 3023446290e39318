"""Finding and ending what an instance started, however its owner ended.

Everything an instance starts carries a mark in its environment, which its own children inherit: so a run worker, or
whatever that started, is found as surely as a direct child, and a recycled pid is never taken for one of ours.
PostgreSQL's server processes overwrite theirs; `postgres_leftovers` finds them by their working folder instead.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

MARK_VARIABLE = "RAG_INSTANCE"
"""Name of the environment variable that carries the mark; no setting has this name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the processes of one instance carry.

    Shapes:
        owner_id: different for each start, so that ending the leftovers of one never touches those of the next.
        data_dir: absolute; there is at most one instance per data folder.
    """

    owner_id: str
    data_dir: Path

    @classmethod
    def new(cls, data_dir: Path) -> "Mark":
        """A mark that no process carries yet."""
        return cls(owner_id=uuid4().hex, data_dir=data_dir)

    def __str__(self) -> str:
        return f"{self.owner_id}:{self.data_dir}"


def started_by(mark: Mark) -> list[psutil.Process]:
    """What carries exactly `mark`, whoever its parent is now; never the caller nor what started the caller."""
    return [running for running, found in _marked() if found == str(mark)]


def left_behind_in(data_dir: Path) -> list[psutil.Process]:
    """All that any instance of `data_dir` started. Ask only while holding the folder's lock, when it is ownerless."""
    return [running for running, found in _marked() if found.partition(":")[2] == str(data_dir)]


def postgres_leftovers(server_dir: Path) -> list[psutil.Process]:
    """PostgreSQL processes whose data directory is `server_dir`, the postmaster first when it still runs."""
    found: list[psutil.Process] = []
    for running in psutil.process_iter(["name"]):
        # Gone meanwhile, or another user's: PostgreSQL refuses a folder of another user, so that is not ours.
        with suppress(psutil.Error):
            if running.info["name"] == "postgres" and running.cwd() == str(server_dir):
                found.append(running)
    pids = {running.pid for running in found}
    return sorted(found, key=lambda running: _parent_pid(running) in pids)


def end(running: Iterable[psutil.Process], *, grace_s: float, first_signal: int = signal.SIGINT) -> None:
    """Nothing of `running` is left: asked politely by `first_signal`, killed after `grace_s` seconds.

    psutil compares start times before it signals, so a pid that was recycled meanwhile is left alone.
    """
    asked = list(running)
    for one in asked:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(first_signal)
    _, stubborn = psutil.wait_procs(asked, timeout=grace_s)
    for one in stubborn:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(stubborn, timeout=grace_s)


def _marked() -> Iterable[tuple[psutil.Process, str]]:
    own = {os.getpid()}
    with suppress(psutil.NoSuchProcess):  # an ancestor that ends just now is none of the marked ones
        own |= {parent.pid for parent in psutil.Process().parents()}
    for running in psutil.process_iter():
        if running.pid in own:
            continue
        # Gone meanwhile, a zombie, or another user's: in no case something we could end.
        with suppress(psutil.Error, OSError):
            mark = running.environ().get(MARK_VARIABLE)
            if mark:
                yield running, mark


def _parent_pid(running: psutil.Process) -> int:
    try:
        return running.ppid()
    except psutil.Error:
        return 0
