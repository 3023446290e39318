"""The storage folder: who owns it, which collections are in it, and changes to that which are whole or did not happen.

    lock            held by flock; names the owner's pid
    aliases.json
    collections/    one folder per collection: config.json (REST) and the engine's shard (see `generations`)
    aside/          collections and shards being built or thrown away; emptied at the start

A collection appears and disappears by one rename, so a process killed at any moment leaves none in part.
"""

import fcntl
import logging
import os
import shutil
from pathlib import Path
from uuid import uuid4

import orjson

from rag_pipeline.embedded.qdrant import generations
from rag_pipeline.embedded.qdrant.aliases import Aliases
from rag_pipeline.embedded.qdrant.engine import Collection, build_shard
from rag_pipeline.embedded.qdrant.files import rename_durably, sync_folder, write_atomically
from rag_pipeline.embedded.qdrant.names import checked_collection_name, is_collection_name
from rag_pipeline.embedded.qdrant.problems import ConflictError, EngineFailedError, RestError, collection_missing
from rag_pipeline.embedded.qdrant.schema import CollectionSchema
from rag_pipeline.errors import InstanceRunningError

_log = logging.getLogger(__name__)

_CONFIG = "config.json"


class Storage:
    """An owned storage folder with its collections open. Structural changes must not overlap; the app sees to that."""

    def __init__(self, root: Path) -> None:
        """Take the folder and open what is in it.

        Raises:
            InstanceRunningError: another process owns it.
        """
        root.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(root / "lock")
        self._collections_folder = root / "collections"
        self._aside = root / "aside"
        shutil.rmtree(self._aside, ignore_errors=True)
        for folder in (self._collections_folder, self._aside):
            folder.mkdir(exist_ok=True)
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

    def new_folder_aside(self) -> Path:
        """A path in `aside/` that nothing has yet; what is made there is gone after a crash."""
        return self._aside / uuid4().hex

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
        building = self.new_folder_aside()
        try:
            building.mkdir()
            build_shard(building / generations.FIRST, schema)
            write_atomically(building / _CONFIG, orjson.dumps(schema.config))
            sync_folder(building / generations.FIRST)
            rename_durably(building, self._collections_folder / name)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        self._collections[name] = self._load(self._collections_folder / name)

    def delete(self, name: str) -> bool:
        """Whether there was a collection of this name (an alias is none). It is gone, and so are its aliases."""
        if name not in self.names:
            return False
        discarded = self.new_folder_aside()
        rename_durably(self._collections_folder / name, discarded)
        self._unloadable.pop(name, None)
        collection = self._collections.pop(name, None)
        self.aliases.keep_only(self.names)
        if collection:
            collection.close()
        shutil.rmtree(discarded, ignore_errors=True)
        return True

    def close(self) -> None:
        """Everything is flushed and closed, and the folder is free."""
        for collection in self._collections.values():
            try:
                collection.flush()
            except (RestError, OSError):
                _log.exception("collection %s was not flushed; its log will be replayed", collection.name)
            collection.close()
        self._collections.clear()
        os.close(self._lock)

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
        schema = CollectionSchema.from_config(orjson.loads((folder / _CONFIG).read_bytes()))
        generations.remove_others(folder)
        return Collection(folder.name, folder=generations.current_shard(folder), schema=schema)


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
