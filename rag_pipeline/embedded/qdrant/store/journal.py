"""The writes that a shard took since it was copied, kept so that the copy can take them too.

They are the engine's operations as they were applied: filters are resolved to ids by then, and an operation may be
applied to any number of shards (measured 2026-11-25, qdrant-edge-py 0.9.0). Applied in their order to a copy of the
state that they were first applied to, they give the same state; the engine numbers them from its log, which is copied
too, so that points get the same versions as well.

The journal is only in memory. It needs no more: until the copy takes its place the old shard is the truth.
"""

from collections import deque

from qdrant_edge import EdgeShard, UpdateOperation

MAX_BYTES = 256 * 1024 * 1024
"""Of request bodies. Vectors take a quarter of their JSON, payloads up to three times theirs (measured 2026-11-25)."""


class Journal:
    """Filled by the one who holds the collection's `writing`, emptied by one other thread.

    Each side has a counter of its own, and the queue itself is safe for both.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._queue: deque[tuple[UpdateOperation, int]] = deque()
        self._kept_bytes = 0
        self._replayed_bytes = 0
        self._broken_by: str | None = None

    @property
    def broken_by(self) -> str | None:
        """Why replaying would not give the shard's state; None as long as it would."""
        return self._broken_by

    def __len__(self) -> int:
        """How many operations wait."""
        return len(self._queue)

    def keep(self, operation: UpdateOperation, *, size_bytes: int) -> None:
        """The shard took `operation`; `size_bytes` is its share of the request."""
        if self._broken_by:
            return
        self._queue.append((operation, size_bytes))
        self._kept_bytes += size_bytes
        if self._kept_bytes - self._replayed_bytes > self._max_bytes:
            self.give_up(f"more than {self._max_bytes // 2**20} MiB were written meanwhile")

    def give_up(self, why: str) -> None:
        """The shard changed in a way that is not kept here; the memory is given back."""
        self._broken_by = why
        self._queue.clear()

    def replay(self, shard: EdgeShard, *, operations: int) -> None:
        """The oldest `operations` that wait, or all there are, are applied to `shard`.

        One engine call each: whoever else wants the interpreter gets it in between.
        """
        for _ in range(operations):
            try:
                operation, size_bytes = self._queue.popleft()
            except IndexError:
                return
            shard.update(operation)
            self._replayed_bytes += size_bytes
