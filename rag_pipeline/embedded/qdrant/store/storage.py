"""The storage folder: who owns it, which collections are in it, and changes to that which are whole or did not happen.

    lock            held by flock; names the owner's pid
    aliases.json
    collections/    one folder per collection (`layout`)
    incoming/       a collection that takes the place of one of the same name; the start finishes it
    snapshots/      `snapshots.shelf`
    aside/          collections, shards and snapshots being built or thrown away; emptied at the start

A collection appears and disappears by one rename, so a process killed at any moment leaves none in part. It is replaced
by the rename into `incoming`: before it the old one is there after a kill, from then on the new one.
"""

import fcntl
import logging
import os
import shutil
from pathlib import Path
from uuid import uuid4

import orjson

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.names import checked_collection_name, is_collection_name
from rag_pipeline.embedded.qdrant.problems import ConflictError, EngineFailedError, RestError, collection_missing
from rag_pipeline.embedded.qdrant.store.aliases import Aliases
from rag_pipeline.embedded.qdrant.store.collection import Collection
from rag_pipeline.embedded.qdrant.store.files import rename_durably, sync_folder, write_atomically
from rag_pipeline.embedded.qdrant.store.layout import (
    config_file,
    current_shard,
    make_current,
    next_shard,
    remove_other_shards,
    rename_shard,
)
from rag_pipeline.embedded.qdrant.store.shards import build_shard
from rag_pipeline.errors import InstanceRunningError, UsageError

_log = logging.getLogger(__name__)


class Storage:
    """An owned storage folder with its collections open. Structural changes must not overlap; the app sees to that."""

    def __init__(self, root: Path) -> None:
        """Take the folder and open what is in it.

        Raises:
            InstanceRunningError: another process owns it.
            UsageError: it cannot be made or written to.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(root / "lock")
        except OSError as error:
            raise UsageError(f"{root} cannot be used as the storage folder ({error.strerror}).") from error
        self._collections_folder = root / "collections"
        self._aside = root / "aside"
        self._incoming = root / "incoming"
        for folder in (self._collections_folder, self._aside, self._incoming):
            folder.mkdir(exist_ok=True)
        for folder in self._incoming.iterdir():
            self._let_in(folder)
        for folder in self._aside.iterdir():
            _remove(folder)
        self.root = root
        self._unloadable: dict[str, str] = {}
        self._collections: dict[str, Collection] = {}
        for folder in sorted(self._collections_folder.iterdir()):
            self._open(folder)
        self.aliases = Aliases(root / "aliases.json")
        self.aliases.keep_only(self.names)

    @property
    def names(self) -> set[str]:
        """All collections, those that did not load too."""
        return self._collections.keys() | self._unloadable.keys()

    @property
    def collections(self) -> list[Collection]:
        """The open collections."""
        return list(self._collections.values())

    def collection(self, name: str) -> Collection:
        """The open collection that `name` or its alias stands for."""
        target = self.aliases.resolve(name)
        try:
            return self._collections[target]
        except KeyError:
            pass
        if target in self._unloadable:
            raise EngineFailedError(f"Collection `{target}` could not be loaded: {self._unloadable[target]}")
        raise collection_missing(name)

    def exists(self, name: str) -> bool:
        """Whether `name` or its alias stands for a collection."""
        return self.aliases.resolve(name) in self.names

    def require_free(self, name: str) -> str:
        """The name, when a new collection may have it."""
        checked_collection_name(name)
        if name in self.names:
            raise ConflictError(f"Collection `{name}` already exists!")
        if name in self.aliases:
            raise ConflictError(f"Can't create collection with name {name}. Alias with the same name already exists")
        return name

    def create(self, name: str, schema: CollectionSchema) -> None:
        """Makes a collection; on return it is on the disk."""
        self.require_free(name)
        building = self.new_aside()
        try:
            building.mkdir()
            shard = next_shard(building)
            build_shard(shard, schema)
            write_atomically(config_file(building), orjson.dumps(schema.stored()))
            sync_folder(shard)
            make_current(shard)
            rename_durably(building, self._collections_folder / name)
        finally:
            _remove(building)
        self._collections[name] = self._load(self._collections_folder / name)

    def reconfigure(self, collection: Collection, schema: CollectionSchema) -> None:
        """Makes `schema` that of the collection. The caller holds its `writing`.

        The file is written first; a process killed before the engine follows finds it when it opens the collection.
        """
        file = config_file(self._collections_folder / collection.name)
        write_atomically(file, orjson.dumps(schema.stored()))
        try:
            collection.configure(schema)
        except RestError:
            write_atomically(file, orjson.dumps(collection.schema.stored()))
            raise

    def delete(self, name: str) -> bool:
        """Whether there was a collection of this name (an alias is none). It is gone, and so are its aliases."""
        if name not in self.names:
            return False
        discarded = self.new_aside()
        rename_durably(self._collections_folder / name, discarded)
        self._unloadable.pop(name, None)
        collection = self._collections.pop(name, None)
        self.aliases.keep_only(self.names)
        if collection:
            collection.close()
        _remove(discarded)
        return True

    def replace(self, name: str, folder: Path) -> None:
        """The collection is what `folder`, made in `aside`, holds; when it was not there, it is now. Aliases stay.

        Whoever replaces an open collection holds its `writing`, which the new one takes over.

        Raises:
            RestError: the new one cannot be opened; the old one is back.
        """
        old, target = self._collections.get(name), self._collections_folder / name
        rename_shard(folder)
        rename_durably(folder, self._incoming / name)
        discarded = self._let_in(self._incoming / name)
        try:
            new = self._load(target)
        except BaseException:
            self._put_back(target, discarded)
            raise
        if old:
            new.writing = old.writing
        self._collections[name] = new
        self._unloadable.pop(name, None)
        # The old shard is not closed: reads that began on it end well, and with the last of them it goes.
        _remove(discarded)

    def fill(self, folder: Path) -> set[str]:
        """An empty storage has all collections of `folder`, made in `aside`, by one rename; their names.

        They are opened by who takes the storage next: this process would keep them open until it ends.

        Raises:
            UsageError: the storage is not empty.
        """
        if self.names:
            raise UsageError(
                f"There are collections in {self._collections_folder}: a whole storage needs an empty one."
            )
        rename_durably(folder, self._collections_folder)
        return {collection.name for collection in self._collections_folder.iterdir()}

    def successor(self, collection: Collection) -> Collection:
        """The collection itself, or what a snapshot put into its place since; the caller holds `writing`.

        Raises:
            NotFoundError: it was deleted.
        """
        present = self._collections.get(collection.name)
        if present is None or present.writing is not collection.writing:
            raise collection_missing(collection.name)
        return present

    def folder_of(self, collection: Collection) -> Path:
        """Where the collection lies."""
        return self._collections_folder / collection.name

    def new_aside(self) -> Path:
        """A path in `aside/` that nothing has yet; what is made there is gone after a crash."""
        return self._aside / uuid4().hex

    def close(self) -> None:
        """Everything is on the disk and the folder is free; the process ends."""
        for collection in self._collections.values():
            try:
                collection.sync()
            except OSError:
                _log.exception("collection %s could not be synced", collection.name)
            collection.leave()
        self._collections.clear()
        os.close(self._lock)

    def _let_in(self, folder: Path) -> Path | None:
        """Where the collection went that was in the place of `folder`, one of `incoming`."""
        target, discarded = self._collections_folder / folder.name, None
        if target.exists():
            discarded = self.new_aside()
            rename_durably(target, discarded)
        rename_durably(folder, target)
        return discarded

    def _put_back(self, target: Path, discarded: Path | None) -> None:
        failed: Path | None = self.new_aside()
        if discarded is None:
            rename_durably(target, failed)
        else:
            rename_durably(discarded, self._incoming / target.name)
            failed = self._let_in(self._incoming / target.name)
        _remove(failed)

    def _open(self, folder: Path) -> None:
        if not is_collection_name(folder.name):
            _log.warning("%s is not a collection's folder; it is left alone", folder)
            return
        try:
            self._collections[folder.name] = self._load(folder)
        except (RestError, OSError, ValueError, KeyError) as error:
            # One broken collection must not keep the others from being searched.
            _log.exception("collection %s could not be loaded", folder.name)
            self._unloadable[folder.name] = str(error)

    def _load(self, folder: Path) -> Collection:
        schema = CollectionSchema.from_stored(orjson.loads(config_file(folder).read_bytes()))
        remove_other_shards(folder)
        collection = Collection(folder.name, folder=current_shard(folder), schema=schema)
        collection.finish_unfinished()
        return collection


def _remove(path: Path | None) -> None:
    if path is not None and path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path is not None:
        path.unlink(missing_ok=True)


def _locked(file: Path) -> int:
    """A descriptor that holds the lock until it is closed, or the process ends in any way."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        message = f"{file.parent} belongs to another embedded Qdrant (pid {owner}); stop it or choose another folder."
        raise InstanceRunningError(message) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
