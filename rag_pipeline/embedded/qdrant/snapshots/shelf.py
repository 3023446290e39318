"""Where snapshots lie in the storage folder, what they are called, and which one a request means.

    snapshots/<name>.snapshot                          of the whole storage
    snapshots/<collection>/<name>.snapshot             of a collection
    snapshots/<collection>/shards/0/<name>.snapshot    of a shard: the same, asked for by that name

Beside each lies `<name>.snapshot.checksum`, the SHA-256 of the file. A snapshot appears by one rename, after its
checksum. Snapshots outlive their collection: it can be recovered after it was deleted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from rag_pipeline.embedded.qdrant.problems import NotFoundError
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.snapshots.archive import SnapshotRefusedError
from rag_pipeline.embedded.qdrant.store.files import rename_durably, sync_folder, write_atomically

_SUFFIX = ".snapshot"
_MAX_PREFIX_BYTES = 180
"""Of a name: a collection's may be as long as a file's, and a time, a number and suffixes come behind it."""

_CHECKSUM_SUFFIX = ".checksum"
_PEER = 0
"""A server writes the number of its peer here; there is one."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The snapshots of one collection, of its shard, or of the storage; `prefix` begins the names of new ones."""

    folder: Path
    prefix: str

    def descriptions(self) -> list[JsonObject]:
        """`SnapshotDescription`s of the REST API, in order of their names."""
        return [self._description(path) for path in sorted(self.folder.glob(f"*{_SUFFIX}")) if _is_plain_file(path)]

    def path_of(self, name: str) -> Path:
        """The snapshot of this name.

        Raises:
            NotFoundError: there is none.
        """
        path = self.folder / name
        if Path(name).name != name or path.suffix != _SUFFIX or not _is_plain_file(path):
            raise NotFoundError(f"Snapshot {name[:200]} not found")
        return path

    def add(self, archive: Path, *, sha256: str) -> JsonObject:
        """The description of `archive`, which now lies here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._free_path()
        write_atomically(path.with_name(path.name + _CHECKSUM_SUFFIX), sha256.encode())
        rename_durably(archive, path)
        return self._description(path)

    def remove(self, name: str) -> None:
        """The snapshot of this name is gone, and its checksum."""
        path = self.path_of(name)
        path.unlink()
        path.with_name(path.name + _CHECKSUM_SUFFIX).unlink(missing_ok=True)
        sync_folder(self.folder)

    def _description(self, path: Path) -> JsonObject:
        found, checksum = path.stat(), path.with_name(path.name + _CHECKSUM_SUFFIX)
        created = datetime.fromtimestamp(int(found.st_mtime), UTC).replace(tzinfo=None)
        return {
            "name": path.name,
            "creation_time": created.isoformat(),
            "size": found.st_size,
            "checksum": checksum.read_text() if checksum.is_file() else None,
        }

    def _free_path(self) -> Path:
        """Two of one second are told apart by a number behind it."""
        prefix = self.prefix.encode()[:_MAX_PREFIX_BYTES].decode(errors="ignore")
        stem = f"{prefix}-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S}"
        number, path = 1, self.folder / f"{stem}{_SUFFIX}"
        while path.exists():
            number += 1
            path = self.folder / f"{stem}-{number}{_SUFFIX}"
        return path


class Shelves:
    """All of them, in the storage's folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        root.mkdir(exist_ok=True)
        for checksum in root.rglob(f"*{_SUFFIX}{_CHECKSUM_SUFFIX}*"):  # half-written ones have a longer name
            if not checksum.with_suffix("").exists():
                checksum.unlink()

    @property
    def storage(self) -> Shelf:
        """Snapshots of the whole storage."""
        return Shelf(self._root, "full-snapshot")

    def collection(self, name: str) -> Shelf:
        """Snapshots of the collection."""
        return Shelf(self._root / name, f"{name}-{_PEER}")

    def shard(self, name: str) -> Shelf:
        """Snapshots of the collection's one shard."""
        return Shelf(self._root / name / "shards" / "0", f"{name}-shard-0")

    def located(self, location: str, *, shelf: Shelf) -> Path:
        """The file that a recover request means: a `file://` path, or a name on `shelf` or below the snapshots folder.

        Raises:
            SnapshotRefusedError: it is a URL of another kind, lies outside the snapshots folder, or is not there.
        """
        scheme, separator, path = location.partition("://")
        if separator and scheme != "file":
            raise SnapshotRefusedError(
                f"the embedded Qdrant fetches nothing, so `location` cannot be a URL of {scheme[:20]}: upload the"
                " snapshot, or put it into the snapshots folder and name it by file://"
            )
        if separator:
            candidates = [Path(unquote(path.removeprefix("localhost")))]
        else:
            candidates = (
                [Path(location)] if location.startswith("/") else [shelf.folder / location, self._root / location]
            )
        for candidate in candidates:
            if self._is_inside(candidate) and _is_plain_file(candidate):
                return candidate
        raise SnapshotRefusedError(
            "`location` is not a snapshot in the snapshots folder of this server, and nothing outside of it is read"
        )

    def _is_inside(self, path: Path) -> bool:
        """Whether it lies below the root without a link on the way: `resolve` would have followed one."""
        resolved_root = self._root.resolve()
        try:
            below = path.relative_to(self._root if path.is_relative_to(self._root) else resolved_root)
            return ".." not in below.parts and path.resolve() == resolved_root / below
        except (OSError, ValueError):
            return False


def _is_plain_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False
