"""Which folder of a collection holds its points: the one that the file `current` names.

    collections/<name>/current      "shard-3"; without this file it is `shard`
    collections/<name>/shard-3/     the engine's; any other `shard` or `shard-*` is left over and goes at the next start

The next generation is moved in beside the present one and becomes it when `current` is replaced, by one rename.
"""

import re
import shutil
from pathlib import Path

from rag_pipeline.embedded.qdrant.files import write_atomically

_CURRENT = "current"
FIRST = "shard"
_GENERATION = re.compile(r"shard(?:-([1-9][0-9]{0,17}))?", re.ASCII)


def current_shard(folder: Path) -> Path:
    """The folder that holds the points of the collection in `folder`.

    Raises:
        ValueError: `current` names something else than a generation; nothing may be deleted then.
    """
    try:
        name = (folder / _CURRENT).read_text("ascii").strip()
    except FileNotFoundError:
        name = FIRST
    if not _GENERATION.fullmatch(name):
        raise ValueError(f"{folder / _CURRENT} should name a generation like shard-1 and says {name[:80]!r}")
    return folder / name


def next_shard(folder: Path) -> Path:
    """Where the generation after the current one goes; nothing is there yet."""
    numbers = [
        int(match[1] or 0) for path in folder.iterdir() if (match := _GENERATION.fullmatch(path.name)) is not None
    ]
    return folder / f"shard-{max(numbers, default=0) + 1}"


def make_current(shard: Path) -> None:
    """The collection's points are those in `shard`, a generation beside the present one."""
    write_atomically(shard.parent / _CURRENT, f"{shard.name}\n".encode())


def remove_others(folder: Path) -> None:
    """Only the current generation is left, and no half-written `current`."""
    kept = current_shard(folder)
    if not kept.is_dir():
        return
    for path in folder.iterdir():
        if _GENERATION.fullmatch(path.name) and path != kept:
            shutil.rmtree(path)
        elif path.name.startswith(f".{_CURRENT}."):
            path.unlink()
