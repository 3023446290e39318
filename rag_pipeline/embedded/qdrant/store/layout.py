"""Where the parts of one collection lie in its folder. Nobody else spells these names.

    config.json     the collection's configuration as REST answers it
    current         the name of the shard that holds the points, "shard-3"; without this file it is `shard`
    intent          a request that is being written, see `intent`
    shard-3/        the engine's; any other `shard` or `shard-*` is left over and goes at the next start

The next shard is moved in beside the present one and becomes it when `current` is replaced, by one rename.
"""

import re
import shutil
from pathlib import Path

from rag_pipeline.embedded.qdrant.store.files import write_atomically

_CONFIG = "config.json"
_CURRENT = "current"
_INTENT = "intent"
FIRST = "shard"
"""The shard's folder in a collection that is new."""

_SHARD = re.compile(r"shard(?:-([1-9][0-9]{0,17}))?", re.ASCII)


def config_file(collection_folder: Path) -> Path:
    """The collection's configuration as REST answers it."""
    return collection_folder / _CONFIG


def intent_file(collection_folder: Path) -> Path:
    """The request that is being written, as long as it is."""
    return collection_folder / _INTENT


def current_shard(collection_folder: Path) -> Path:
    """The shard's folder that is in use at present.

    Raises:
        ValueError: `current` names something else than a shard; nothing may be deleted then.
    """
    try:
        name = (collection_folder / _CURRENT).read_text("ascii").strip()
    except FileNotFoundError:
        name = FIRST
    if not _SHARD.fullmatch(name):
        raise ValueError(f"{collection_folder / _CURRENT} should name a shard like shard-1 and says {name[:80]!r}")
    return collection_folder / name


def next_shard(collection_folder: Path) -> Path:
    """Where the shard after the current one goes; nothing is there yet."""
    numbers = [
        int(match[1] or 0) for path in collection_folder.iterdir() if (match := _SHARD.fullmatch(path.name)) is not None
    ]
    return collection_folder / f"{FIRST}-{max(numbers, default=0) + 1}"


def come_after(present: Path, coming: Path) -> None:
    """The shard of `coming`, a collection's folder that will replace `present`, has a name of its own.

    The engine, which keeps the paths of its files, writes to those of the old shard when it lets go of it: they must
    not be the new one's.
    """
    shard = current_shard(coming)
    make_current(shard.rename(coming / next_shard(present).name))


def make_current(shard: Path) -> None:
    """The collection's points are those in `shard`, a folder beside the present one."""
    write_atomically(shard.parent / _CURRENT, f"{shard.name}\n".encode())


def remove_other_shards(collection_folder: Path) -> None:
    """Only the current shard is left, and no half-written `current`."""
    kept = current_shard(collection_folder)
    if not kept.is_dir():
        return
    for path in collection_folder.iterdir():
        if _SHARD.fullmatch(path.name) and path != kept:
            shutil.rmtree(path)
        elif path.name.startswith(f".{_CURRENT}."):
            path.unlink()
