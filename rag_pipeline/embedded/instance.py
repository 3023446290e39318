"""Owning a data folder: the lock that excludes a second owner, and the file by which others find the running instance.

The lock is an `flock`: the kernel drops it with its holder, so there is no stale lock to remove, ever.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag_pipeline.embedded.leftovers import end, left_behind_in
from rag_pipeline.errors import InstanceRunningError, UsageError

logger = logging.getLogger(__name__)

LOCK_FILE = "instance.lock"
INSTANCE_FILE = "instance.json"
SCRATCH_DIR = "scratch"
"""Private copies of files that are being read; whatever stands there when nobody owns the folder is a leftover."""
_LEFTOVER_GRACE_S = 3.0
_LOCK_TRIES = 10
"""Tries, 50 ms apart: `find_instance` holds the lock for an instant when it looks."""


@dataclass(frozen=True, slots=True)
class RunningInstance:
    """Where a running instance answers; what `up --json` prints.

    Shapes:
        qdrant_api_key: None on loopback.
        data_dir, uploads_dir: absolute.
        pid: of the supervisor; SIGTERM to it stops everything.
        started_at: seconds since the epoch.
    """

    api_url: str
    dagster_url: str
    qdrant_url: str
    qdrant_api_key: str | None
    database_url: str
    pid: int
    data_dir: str
    uploads_dir: str
    started_at: float

    def as_json(self) -> dict[str, Any]:
        """The promised keys; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, text: str) -> "RunningInstance | None":
        """The instance that `text` describes; None when it is not such a description."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


@contextmanager
def own_data_dir(data_dir: Path) -> Iterator[None]:
    """Be the only owner of `data_dir` (made when missing) for the block; first clears what a killed owner left.

    That is processes that still run, and private copies of files that were being read.

    Raises:
        InstanceRunningError: another process owns it.
        UsageError: it cannot be made or written.
    """
    lock = _lock(data_dir)
    try:
        (data_dir / INSTANCE_FILE).unlink(missing_ok=True)
        end(left_behind_in(data_dir), grace_s=_LEFTOVER_GRACE_S)
        _clear_scratch(data_dir)
        yield
    finally:
        (data_dir / INSTANCE_FILE).unlink(missing_ok=True)
        os.close(lock)


def _clear_scratch(data_dir: Path) -> None:
    for left in (data_dir / SCRATCH_DIR).glob("*"):
        try:
            left.unlink()
        except OSError as error:
            logger.warning("%s: a leftover that cannot be removed (%s)", left, error.strerror)


def announce(instance: RunningInstance) -> None:
    """Others find `instance` from now on. Call while owning its data folder."""
    target = Path(instance.data_dir) / INSTANCE_FILE
    draft = target.with_suffix(".new")
    # Only for the owner's eyes: the URLs may carry a password.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(instance.as_json(), file)
    draft.replace(target)


def find_instance(data_dir: Path) -> RunningInstance | None:
    """The ready instance that owns `data_dir`, or None: none runs there, or it is not ready yet."""
    if not is_owned(data_dir):
        return None
    with suppress(FileNotFoundError):
        return RunningInstance.from_json((data_dir / INSTANCE_FILE).read_text())
    return None


def is_owned(data_dir: Path) -> bool:
    """Whether some process owns `data_dir` right now, ready or not."""
    try:
        lock = os.open(data_dir / LOCK_FILE, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def owner_pid(data_dir: Path) -> int | None:
    """Process id of the owner of `data_dir`; None when nobody owns it."""
    if not is_owned(data_dir):
        return None
    with suppress(FileNotFoundError, ValueError):
        return int((data_dir / LOCK_FILE).read_text())
    return None


def _lock(data_dir: Path) -> int:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents' text is nobody else's
        lock = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(
            f"The data folder {data_dir} cannot be used ({error.strerror}); choose another by --data-dir."
        ) from error
    for _ in range(_LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            return lock
        time.sleep(0.05)
    os.close(lock)
    raise InstanceRunningError(
        f"The data folder {data_dir} belongs to a running instance (pid {owner_pid(data_dir) or 'unknown'}); "
        "stop it by `rag-pipeline stop`, or choose another folder by --data-dir."
    )
