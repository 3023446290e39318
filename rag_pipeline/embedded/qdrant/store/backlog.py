"""How much of a shard the engine could put in better order, read off its files: right after a restart as well.

The engine counts indexed vectors with those deleted since, and does not count deleted ones at all. Its files do: an
appendable segment keeps its vectors in `chunk_*` files, a finished one a bit per deleted point (seen 2026-11-25,
qdrant-edge-py 0.9.0).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rag_pipeline.embedded.qdrant.reading import JsonObject

_VERSION_BYTES = 8
"""Of a point, in `id_tracker.versions`."""

_LONG_LOG_KB = 112 * 1024
"""More than a flush leaves, or it would be due for ever: the file being filled and one before it, 32 MB each.

Replayed at every start is what came after the last flush: 100,000 points of 384 dimensions, some 200 MB, in 1.4 to
2.7 s (measured 2026-11-20).
"""

LARGE_BACKLOG = 10
"""From how many times the indexing threshold on a collection is not left alone until it is quiet."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What an optimisation would work on.

    Shapes:
        unindexed_kb: of the vector that has most outside an index, deleted ones included.
        deleted_share: of the finished segment that has most, among those large enough to be worth it; 0 to 1.
        log_kb: of the engine's log, which only a flush shortens, and only copies are flushed (`shards`).
    """

    unindexed_kb: int = 0
    deleted_share: float = 0.0
    log_kb: int = 0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on an optimisation is due, as the collection's `optimizer_config` has it.

    Shapes:
        indexing_kb: None when vectors are never to be indexed.
        is_allowed: False when the collection is to have no optimisation threads.
    """

    indexing_kb: int | None
    deleted_share: float
    vacuum_min_points: int
    is_allowed: bool

    @classmethod
    def of(cls, config: JsonObject) -> "Thresholds":
        """The thresholds in a `CollectionConfig` of the REST API."""
        optimizers = cast("dict[str, int | float | None]", config["optimizer_config"])
        return cls(
            indexing_kb=int(optimizers.get("indexing_threshold") or 0) or None,
            deleted_share=float(optimizers.get("deleted_threshold") or 0.2),
            vacuum_min_points=int(optimizers.get("vacuum_min_vector_number") or 0),
            is_allowed=optimizers.get("max_optimization_threads") != 0,
        )

    def are_passed_by(self, backlog: Backlog) -> bool:
        """Whether an optimisation would have something to do."""
        is_unindexed = self.indexing_kb is not None and backlog.unindexed_kb > self.indexing_kb
        return is_unindexed or backlog.deleted_share > self.deleted_share or has_long_log(backlog)

    def are_far_passed_by(self, backlog: Backlog) -> bool:
        """Whether it should not even wait for the writers to pause."""
        is_unindexed = self.indexing_kb is not None and backlog.unindexed_kb > LARGE_BACKLOG * self.indexing_kb
        return is_unindexed or has_long_log(backlog)


def has_long_log(backlog: Backlog) -> bool:
    """Whether flushing a copy is worth it, even when nothing else is to be done."""
    return backlog.log_kb > _LONG_LOG_KB


def log_of(shard: Path) -> Backlog:
    """Only the log of the shard in this folder."""
    return Backlog(log_kb=sum(path.stat().st_blocks for path in (shard / "wal").iterdir()) * 512 // 1024)


def backlog_of(shard: Path, thresholds: Thresholds, *, deleted_since: int = 0) -> Backlog:
    """The backlog of the shard in this folder.

    Args:
        shard: the folder.
        thresholds: of its collection.
        deleted_since: points deleted since the shard was last put in order: its files tell of deletions only after a
            flush, and a shard in use is not flushed.
    """
    unindexed_bytes: Counter[str] = Counter()
    deleted_share = 0.0
    for segment in (shard / "segments").iterdir():
        for chunk in segment.glob("vector_storage*/vectors/chunk_*"):
            unindexed_bytes[chunk.parts[-3]] += chunk.stat().st_blocks * 512
        deleted_share = max(deleted_share, _deleted_share(segment, thresholds, deleted_since))
    return Backlog(max(unindexed_bytes.values(), default=0) // 1024, deleted_share, log_of(shard).log_kb)


def _deleted_share(segment: Path, thresholds: Thresholds, deleted_since: int) -> float:
    try:
        points = (segment / "id_tracker.versions").stat().st_size // _VERSION_BYTES
        if points < max(1, thresholds.vacuum_min_points):
            return 0.0
        deleted = int.from_bytes((segment / "id_tracker.deleted").read_bytes()).bit_count()
        return min(1.0, (deleted + deleted_since) / points)
    except FileNotFoundError:
        return 0.0
