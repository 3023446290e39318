"""The keeper: a small process that ends an instance's children when their owner dies without doing so itself.

It waits at a pipe whose other end only the owner holds; the kernel closes that end however the owner dies, by SIGKILL
too. PR_SET_PDEATHSIG would not do: it reaches direct children only (not the run workers of Dagster's daemon), follows
the thread that forked, is cleared when PostgreSQL changes user, and exists on Linux alone.

Runs as `python -m rag_pipeline.embedded.keeper OWNER_ID DATA_DIR`; `Keeper` is the owner's side of it.
"""

import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rag_pipeline.embedded.leftovers import Mark, end, started_by

_DISMISSED = b"dismissed\n"
_GRACE_S = 3.0


@dataclass(frozen=True, slots=True)
class Keeper:
    """The owner's side: as long as it lives undismissed, its death ends everything that carries the mark."""

    _running: subprocess.Popen[bytes]

    @classmethod
    def start(cls, mark: Mark) -> Self:
        """A keeper for `mark`, in a session of its own so that signals to the owner's group miss it."""
        return cls(
            subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-P", "-m", __name__, mark.owner_id, str(mark.data_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        )

    def dismiss(self) -> None:
        """The children are gone already: the keeper ends without doing anything."""
        with suppress(BrokenPipeError):
            self._running.communicate(_DISMISSED)


def main(owner_id: str, data_dir: str) -> None:
    """Wait for the owner's end; unless it dismissed us first, end what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == _DISMISSED:
        return
    end(started_by(Mark(owner_id=owner_id, data_dir=Path(data_dir))), grace_s=_GRACE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
