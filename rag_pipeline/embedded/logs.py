"""Log files of an instance's children: one per child, rotated at each start, of bounded size, their end as text.

Children write to the file itself, not through a pipe of ours, so that none of them dies of a full or closed pipe.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

KEPT_FILES = 3
MAX_BYTES = 20 * 1024 * 1024
_TAIL_BYTES = 16 * 1024


def open_log(path: Path) -> BinaryIO:
    """`path` opened for appending, for a child's output; what stood there is in `path`.1, .2 (newest first)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > 0:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = _numbered(path, number)
            if older.exists():
                older.replace(_numbered(path, number + 1))
        path.replace(_numbered(path, 1))
    return path.open("ab")


def bound(path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Keep `path` under about `max_bytes` while its child goes on writing: the text moves to `path`.1.

    Copied and cut, not renamed, because the child keeps its descriptor; it appends, so it goes on at the new end.
    Where there is no room for the copy, the log stays as it is: a full disk must not end who looks after the children.
    """
    with suppress(OSError):
        if path.stat().st_size > max_bytes:
            _copy(path, _numbered(path, 1))
            os.truncate(path, 0)


def tail(path: Path, *, max_lines: int = 20) -> str:
    """The last lines of `path` that say something; empty when there are none. Looks at most 16 KiB back."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-max_lines:])


def _copy(path: Path, target: Path) -> None:
    """The copy, or none at all: half of one would take room that is lacking."""
    try:
        shutil.copyfile(path, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
