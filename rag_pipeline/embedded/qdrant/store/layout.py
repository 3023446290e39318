"""Where the parts of one collection lie in its folder. Nobody else spells these names.

    config.json     the collection's configuration as REST answers it
    current         the name of the shard that holds the points, "shard-" and 32 digits; without this file it is `shard`
    intent          a request that is being written, see `intent`
    shard-.../      the engine's; any other `shard` or `shard-*` is left over and goes at the next start

The next shard is moved in beside the present one and becomes it when `current` is replaced, by one rename.

No shard has a path that another had before it. The engine keeps the paths of its files and writes to them when it lets
go of a shard, which may be long after its collection was deleted or replaced: a new one in its place would be
overwritten (seen 2026-11-25, qdrant-edge-py 0.9.0).
"""

import logging
import re
import shutil
from pathlib import Path
from uuid import uuid4

from rag_pipeline.embedded.qdrant.store.files import write_atomically

_log = logging.getLogger(__name__)

_CONFIG = "config.json"
_CURRENT = "current"
_INTENT = "intent"
FIRST = "shard"
"""The shard's folder in a snapshot, before it is given a name of its own."""

_SHARD = re.compile(r"shard(?:-(?:[1-9][0-9]{0,17}|[0-9a-f]{32}))?", re.ASCII)


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
    """Where the shard after the current one goes; nothing was ever there."""
    return collection_folder / f"{FIRST}-{uuid4().hex}"


def rename_shard(collection_folder: Path) -> None:
    """The shard of a collection that is being built has a path of its own."""
    make_current(current_shard(collection_folder).rename(next_shard(collection_folder)))


def make_current(shard: Path) -> None:
    """The collection's points are those in `shard`, a folder beside the present one.

    Raises:
        OSError: they are not; nothing has changed.
    """
    try:
        write_atomically(shard.parent / _CURRENT, f"{shard.name}\n".encode())
    except OSError:
        # From the moment the name has moved there is no way back: the next start would open `shard`.
        if current_shard(shard.parent) != shard:
            raise
        _log.warning("the change to %s may not survive a power cut", shard, exc_info=True)


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
