"""Aliases: names that stand for collections, switched all at once and kept in one file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

import orjson

from rag_pipeline.embedded.qdrant.names import checked_collection_name
from rag_pipeline.embedded.qdrant.problems import ConflictError, FormatError, NotFoundError, collection_missing
from rag_pipeline.embedded.qdrant.reading import array, picked, required, string
from rag_pipeline.embedded.qdrant.store.files import write_atomically

_KEYS = MappingProxyType(
    {
        "create_alias": ("collection_name", "alias_name"),
        "delete_alias": ("alias_name",),
        "rename_alias": ("old_alias_name", "new_alias_name"),
    }
)


class Aliases:
    """The aliases of a storage folder; the file is changed before the memory is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._targets: Mapping[str, str] = orjson.loads(file.read_bytes()) if file.exists() else {}

    def __contains__(self, alias: str) -> bool:
        return alias in self._targets

    def resolve(self, name: str) -> str:
        """The collection that `name` stands for: itself, when it is no alias."""
        return self._targets.get(name, name)

    def as_objects(self, *, of: str | None = None) -> list[dict[str, str]]:
        """`AliasDescription`s of the REST API, of one collection or of all, in order of their names."""
        return [
            {"alias_name": alias, "collection_name": target}
            for alias, target in sorted(self._targets.items())
            if of in (None, target)
        ]

    def keep_only(self, collections: Collection[str]) -> None:
        """Drops aliases whose collection is gone."""
        kept = {alias: target for alias, target in self._targets.items() if target in collections}
        if kept != self._targets:
            self._write(kept)

    def apply(self, body: object, *, collections: Collection[str]) -> None:
        """Applies the operations of `POST /collections/aliases`, all or none."""
        given = picked(body, of="change aliases", keys=("actions",))
        targets = dict(self._targets)
        for action in array(required(given, "actions", of="change aliases"), of="actions"):
            _apply(action, targets, collections)
        self._write(targets)

    def _write(self, targets: dict[str, str]) -> None:
        write_atomically(self._file, orjson.dumps(targets))
        self._targets = targets


def _apply(action: object, targets: dict[str, str], collections: Collection[str]) -> None:
    given = picked(action, of="an alias action", keys=_KEYS)
    if len(given) != 1:
        raise FormatError(f"an alias action has exactly one of {', '.join(_KEYS)}")
    ((kind, operand),) = given.items()
    named = picked(operand, of=kind, keys=_KEYS[kind])
    names = [string(required(named, key, of=kind), of=key) for key in _KEYS[kind]]
    if kind == "create_alias":
        collection, alias = names
        if collection not in collections:
            raise collection_missing(collection)
        targets[_free(alias, collections)] = collection
    elif kind == "delete_alias":
        targets.pop(names[0], None)
    else:
        old, new = names
        if old not in targets:
            raise NotFoundError(f"Alias {old} does not exists!")
        targets[_free(new, collections)] = targets.pop(old)


def _free(alias: str, collections: Collection[str]) -> str:
    if alias in collections:
        raise ConflictError(f"Collection `{alias}` already exists!")
    return checked_collection_name(alias)
