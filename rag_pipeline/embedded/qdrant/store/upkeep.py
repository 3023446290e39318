"""When a collection is optimised: what is due, how long to wait for a pause, what the last attempt taught."""

import time
from dataclasses import dataclass
from math import inf
from pathlib import Path

from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.store.backlog import Backlog, Thresholds, backlog_of, has_long_log

QUIET_S = 2.0
"""Without a write, before a collection is optimised: a bulk load that goes on would only be repeated work."""

_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 3600.0
_GROWN = 1.25
"""How many times a backlog must be what the engine found nothing to do about, before it is asked again."""


@dataclass(slots=True)
class Upkeep:
    """What one collection's optimiser knows. Times are of `time.monotonic`.

    Shapes:
        failure: why the last attempt failed; None after one that did not.
        failed_attempts: in a row.
        settled: the backlog about which the engine had nothing to do.
        needs_quiet: the last attempt was overtaken by the writers.
        deleted_since: points deleted since the collection was last put in order.
    """

    last_write_s: float = 0.0
    is_running: bool = False
    failure: str | None = None
    failed_attempts: int = 0
    not_before_s: float = 0.0
    settled: Backlog | None = None
    needs_quiet: bool = False
    last_look_s: float = -inf
    deleted_since: int = 0

    def note_write(self, *, deleted_points: int = 0) -> None:
        """The collection was just written to."""
        self.last_write_s = time.monotonic()
        self.deleted_since += deleted_points

    def wants_a_look(self, *, within_s: float) -> bool:
        """Whether anything can have become due since the collection was last looked at."""
        previous_look_s, self.last_look_s = self.last_look_s, time.monotonic()
        return previous_look_s < max(self.last_write_s, self.not_before_s) + within_s

    def due(self, shard_folder: Path, thresholds: Thresholds) -> Backlog | None:
        """The backlog, when it is past the thresholds."""
        backlog = backlog_of(shard_folder, thresholds, deleted_since=self.deleted_since)
        if not thresholds.are_passed_by(backlog) or self._is_settled(backlog):
            return None
        return backlog

    def is_time(self, backlog: Backlog, thresholds: Thresholds) -> bool:
        """Whether to begin now."""
        now = time.monotonic()
        if now < self.not_before_s or not (thresholds.is_allowed or has_long_log(backlog)):
            return False
        is_quiet = now - self.last_write_s >= QUIET_S
        return is_quiet or (thresholds.are_far_passed_by(backlog) and not self.needs_quiet)

    def note_success(self) -> None:
        """The collection is in order."""
        self.failure, self.failed_attempts, self.settled, self.needs_quiet = None, 0, None, False
        self.deleted_since = 0
        self.last_look_s = -inf  # what was written meanwhile may be due again, however long ago that was

    def note_nothing_done(self, backlog: Backlog) -> None:
        """The engine found nothing to do about `backlog`."""
        self.note_success()
        self.settled = backlog

    def note_overtaken(self) -> None:
        """There were more writes than could be kept; nothing is wrong."""
        self.needs_quiet = True

    def note_failure(self, why: str) -> None:
        """The next attempt waits, twice as long after each failure."""
        self.failure = why
        self.not_before_s = time.monotonic() + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self.failed_attempts)
        self.failed_attempts += 1

    def as_object(self, shard_folder: Path, thresholds: Thresholds) -> JsonObject:
        """`status` and `optimizer_status` of a `CollectionInfo`.

        Green: in order. Yellow: being optimised, or about to be. Grey: it would be due but is not going on, because
        the collection is to have no optimisation threads, or because the last attempt failed.
        """
        if self.is_running or self.due(shard_folder, thresholds) is None:
            status = "yellow" if self.is_running else "green"
        else:
            status = "grey" if self.failure or not thresholds.is_allowed else "yellow"
        return {"status": status, "optimizer_status": {"error": self.failure} if self.failure else "ok"}

    def _is_settled(self, backlog: Backlog) -> bool:
        return self.settled is not None and (
            backlog.unindexed_kb <= self.settled.unindexed_kb * _GROWN
            and backlog.deleted_share <= self.settled.deleted_share * _GROWN
            and backlog.log_kb <= self.settled.log_kb * _GROWN
        )
