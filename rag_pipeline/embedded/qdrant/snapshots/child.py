"""The child process that packs and unpacks: `python -m rag_pipeline.embedded.qdrant.snapshots.child COMMAND ...`.

Compressing keeps a core busy, and opening a shard holds the interpreter lock; here neither slows a search (measured
2026-11-25 with 100,000 points in a thread instead: median 9 ms alone, 25 ms while packing, 66 ms while unpacking). And
what is in an unpacked snapshot may be anything: the engine reads it here first, where a crash or an endless loop harms
nobody.

The last line of its output is the result or the reason of a failure, which the exit code tells apart. It works only in
the storage's `aside` and ends with its parent, whose end closes the child's standard input.
"""

import os
import sys
from pathlib import Path
from threading import Thread

import orjson

from rag_pipeline.embedded.qdrant.problems import EngineFailedError
from rag_pipeline.embedded.qdrant.snapshots.archive import (
    ALIASES,
    COLLECTION,
    COLLECTIONS,
    CONFIG,
    SHARD,
    SnapshotRefusedError,
    pack,
    verify,
)
from rag_pipeline.embedded.qdrant.snapshots.unpacking import unpack
from rag_pipeline.embedded.qdrant.store.layout import FIRST, config_file, current_shard

REFUSED = 3
DISK_FAILED = 4

_NICENESS = 5


def main() -> int:
    """The exit code: 0, `REFUSED`, `DISK_FAILED`, or whatever a crash gives."""
    Thread(target=_end_with_parent, daemon=True).start()
    os.nice(_NICENESS)
    command, *arguments = sys.argv[1:]
    try:
        result = pack_folder(*arguments) if command == "pack" else restore_folder(*arguments)
    except SnapshotRefusedError as error:
        sys.stdout.write(f"{error}\n")
        return REFUSED
    except (OSError, EngineFailedError) as error:
        sys.stdout.write(f"{error}\n")
        return DISK_FAILED
    sys.stdout.write(f"{result}\n")
    return 0


def pack_folder(folder: str, archive: str, kind: str) -> str:
    """The checksum of the archive that was made."""
    return pack(Path(folder), Path(archive), kind=kind)


def restore_folder(archive: str, folder: str, kind: str, free_bytes: str, checksum: str = "") -> str:
    """Nothing; the snapshot was verified and unpacked, and each of its collections opens."""
    sha256, target = verify(Path(archive)), Path(folder)
    if checksum and checksum.lower() != sha256:
        raise SnapshotRefusedError(f"Snapshot checksum mismatch: expected {checksum[:64]}, got {sha256}")
    unpack(Path(archive), target, kind=kind, free_bytes=int(free_bytes))
    if kind != COLLECTION and not ((target / ALIASES).is_file() and (target / COLLECTIONS).is_dir()):
        raise SnapshotRefusedError(f"the snapshot has no {ALIASES} or no {COLLECTIONS}")
    for collection in [target] if kind == COLLECTION else sorted((target / COLLECTIONS).iterdir()):
        _lay_out(collection)
        _prove(collection)
    return ""


def _lay_out(folder: Path) -> None:
    """The parts of the collection lie where an open one has them."""
    for name, place in ((CONFIG, config_file(folder)), (SHARD, folder / FIRST)):
        if not (folder / name).exists():
            raise SnapshotRefusedError(f"the snapshot has no {name}")
        if place != folder / name:
            (folder / name).rename(place)
    for needed in ("edge_config.json", "segments", "wal"):
        # Without its log the engine opens a shard and from then on ignores what is written (measured 2026-11-20).
        if not (folder / FIRST / needed).exists():
            raise SnapshotRefusedError(f"the snapshot has no {SHARD}/{needed}")


def _prove(folder: Path) -> None:
    """The collection opens, and is what its configuration says. Any exception of the engine ends the process."""
    import qdrant_edge as edge

    from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema

    schema = CollectionSchema.from_config(orjson.loads(config_file(folder).read_bytes()))
    stored = orjson.loads((current_shard(folder) / "edge_config.json").read_bytes())
    dense = {name: vector["size"] for name, vector in stored.get("vectors", {}).items()}
    if dense != dict(schema.dense) or stored.get("sparse_vectors", {}).keys() != schema.sparse:
        raise SnapshotRefusedError("the vectors in the snapshot are not those of its configuration")
    shard = edge.EdgeShard.load(str(current_shard(folder)))
    shard.count(edge.CountRequest(exact=True))
    shard.scroll(edge.ScrollRequest(limit=1, with_payload=True, with_vector=True))
    shard.flush()
    shard.close()


def _end_with_parent() -> None:
    # Not `sys.stdin`: a thread that waits in it makes the interpreter abort when the process ends on its own.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
