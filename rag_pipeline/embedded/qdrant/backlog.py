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

LARGE_BACKLOG = 10
"""From how many times the indexing threshold on a collection is not left alone until it is quiet."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What an optimisation would work on.

    Shapes:
        unindexed_kb: of the vector that has most outside an index, deleted ones included.
        deleted_share: of the finished segment that has most, among those large enough to be worth it; 0 to 1.
    """

    unindexed_kb: int = 0
    deleted_share: float = 0.0


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
        return is_unindexed or backlog.deleted_share > self.deleted_share

    def are_far_passed_by(self, backlog: Backlog) -> bool:
        """Whether it should not even wait for the writers to pause."""
        return self.indexing_kb is not None and backlog.unindexed_kb > LARGE_BACKLOG * self.indexing_kb


def backlog_of(shard: Path, thresholds: Thresholds) -> Backlog:
    """The backlog of the shard in this folder, as of its last flush."""
    unindexed_bytes: Counter[str] = Counter()
    deleted_share = 0.0
    for segment in (shard / "segments").iterdir():
        for chunk in segment.glob("vector_storage*/vectors/chunk_*"):
            unindexed_bytes[chunk.parts[-3]] += chunk.stat().st_blocks * 512
        deleted_share = max(deleted_share, _deleted_share(segment, least_points=thresholds.vacuum_min_points))
    return Backlog(max(unindexed_bytes.values(), default=0) // 1024, deleted_share)


def _deleted_share(segment: Path, *, least_points: int) -> float:
    try:
        points = (segment / "id_tracker.versions").stat().st_size // _VERSION_BYTES
        if points < max(1, least_points):
            return 0.0
        return int.from_bytes((segment / "id_tracker.deleted").read_bytes()).bit_count() / points
    except FileNotFoundError:
        return 0.0
