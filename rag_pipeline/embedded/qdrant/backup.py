"""Collections to snapshots and back, in steps. No lock is taken here: `routes_snapshots` says who waits for what."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from rag_pipeline.embedded.qdrant.engine import Collection
from rag_pipeline.embedded.qdrant.files import write_atomically
from rag_pipeline.embedded.qdrant.layout import FIRST, config_file
from rag_pipeline.embedded.qdrant.problems import EngineFailedError, RestError
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.shelf import Shelf
from rag_pipeline.embedded.qdrant.snapshots import SnapshotRefusedError, pack, verify
from rag_pipeline.embedded.qdrant.sparse import copy_file, copy_tree
from rag_pipeline.embedded.qdrant.storage import Storage
from rag_pipeline.embedded.qdrant.unpacking import unpack
from rag_pipeline.errors import UsageError

_log = logging.getLogger(__name__)

COLLECTION = "collection"
STORAGE = "storage"

DISK_RESERVE_BYTES = 64 * 1024 * 1024
"""What a snapshot may never take of the free disk: the collections still have to write."""

_PROOF_TIMEOUT_S = 600.0
_CONFIG = "config.json"
_SHARD = "shard"
_ALIASES = "aliases.json"
_COLLECTIONS = "collections"


def copy_collection(storage: Storage, collection: Collection, target: Path) -> None:
    """`target`, a new folder, is the collection of this moment as a snapshot holds it. The caller holds `writing`.

    Only copying happens here, so that writers wait no longer than that: 0.1 s for 100,000 points of 384 dimensions.
    """
    source = storage.folder_of(collection)
    with _disk_errors_translated(f"snapshot of `{collection.name}`"), collection.at_rest():
        target.mkdir(parents=True)
        copy_file(config_file(source), target / _CONFIG)
        copy_tree(collection.shard_folder, target / _SHARD)


def copy_aliases(storage: Storage, target: Path) -> None:
    """The aliases beside the collections of a storage's snapshot."""
    with _disk_errors_translated("snapshot"):
        write_atomically(target / _ALIASES, orjson.dumps(storage.aliases.as_objects()))


def collection_copy(staging: Path, name: str) -> Path:
    """Where in a storage's snapshot the collection lies."""
    return staging / _COLLECTIONS / name


def shelve(storage: Storage, staging: Path, shelf: Shelf, *, kind: str) -> JsonObject:
    """The description of a new snapshot on `shelf` of what was copied to `staging`."""
    archive = storage.new_aside()
    try:
        with _disk_errors_translated("snapshot"):
            return shelf.add(archive, sha256=pack(staging, archive, kind=kind))
    finally:
        archive.unlink(missing_ok=True)


def room_bytes(storage: Storage) -> int:
    """How much of the disk a snapshot may take."""
    return max(0, shutil.disk_usage(storage.new_aside().parent).free - DISK_RESERVE_BYTES)


def unpacked_collection(storage: Storage, archive: Path, *, checksum: str | None) -> Path:
    """A folder in `aside` that `Storage.replace` can take: the snapshot was verified, unpacked, and opened once.

    Raises:
        SnapshotRefusedError: it is not what it should be.
    """
    folder = storage.new_aside()
    try:
        _verify(archive, checksum=checksum)
        unpack(archive, folder, kind=COLLECTION, free_bytes=room_bytes(storage))
        _prove(_laid_out(folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def require_same_vectors(folder: Path, collection: Collection) -> None:
    """Nothing, when a shard's snapshot in `folder` fits the collection whose shard it is to be.

    Raises:
        SnapshotRefusedError: it has other vectors.
    """
    schema = CollectionSchema.from_config(orjson.loads(config_file(folder).read_bytes()))
    if (schema.dense, schema.sparse) != (collection.schema.dense, collection.schema.sparse):
        raise SnapshotRefusedError(f"the shard in the snapshot has other vectors than `{collection.name}`")


def restore_storage(root: Path, archive: Path) -> None:
    """The storage folder `root`, made when missing, holds all collections and aliases of a snapshot of a whole storage.

    Raises:
        UsageError: there are collections in it, or the snapshot is refused; nothing was changed.
        InstanceRunningError: another process owns it.
    """
    storage = Storage(root)
    try:
        _restore(storage, archive)
    finally:
        storage.close()


def _restore(storage: Storage, archive: Path) -> None:
    folder = storage.new_aside()
    try:
        _verify(archive, checksum=None)
        unpack(archive, folder, kind=STORAGE, free_bytes=room_bytes(storage))
        for collection in (folder / _COLLECTIONS).iterdir():
            _prove(_laid_out(collection))
        aliases = orjson.loads((folder / _ALIASES).read_bytes())
        storage.fill(folder / _COLLECTIONS)
        wanted = {"actions": [{"create_alias": alias} for alias in aliases]}
        storage.aliases.apply(wanted, collections=storage.names)
    except (RestError, OSError) as error:
        raise UsageError(f"{archive} could not be restored: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verify(archive: Path, *, checksum: str | None) -> None:
    sha256 = verify(archive)
    if checksum is not None and checksum.lower() != sha256:
        raise SnapshotRefusedError(f"Snapshot checksum mismatch: expected {checksum[:64]}, got {sha256}")


def _laid_out(folder: Path) -> Path:
    """The same folder, its parts where an open collection has them."""
    for name, place in ((_CONFIG, config_file(folder)), (_SHARD, folder / FIRST)):
        if not (folder / name).exists():
            raise SnapshotRefusedError(f"the snapshot has no {name}")
        if place != folder / name:
            (folder / name).rename(place)
    for needed in ("edge_config.json", "segments", "wal"):
        # Without its log the engine opens a shard and from then on ignores what is written (measured 2026-11-20).
        if not (folder / FIRST / needed).exists():
            raise SnapshotRefusedError(f"the snapshot has no {_SHARD}/{needed}")
    return folder


def _prove(folder: Path) -> None:
    command = [sys.executable, "-m", "rag_pipeline.embedded.qdrant.proof", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROOF_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SnapshotRefusedError("the collection in the snapshot takes too long to open") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1][:300]
        _log.warning("the collection of a snapshot does not open: %s", done.stderr.decode(errors="replace"))
        raise SnapshotRefusedError(f"the collection in the snapshot does not open: {reason}")


@contextmanager
def _disk_errors_translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineFailedError(f"the {what} could not be written: {os.strerror(error.errno or 0)}") from error
