"""The deadline of an answer: what asks a store is done in a thread, and given up when its time is over.

A store that hangs (a frozen process, a lost disk) does not fail, it just never answers, and no timeout of a driver
covers that. Only who waits can stop waiting.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from rag_pipeline.errors import SearchDeadlineError

T = TypeVar("T")

MAX_THREADS = 40
"""As many as the API's pool of the ledger has connections. Hanging ones are never more; who finds none free waits."""
_CLOSE_WITHIN_S = 5.0


class AnswerThreads:
    """The threads that answers are made in. Their number is bounded, also while all of them hang."""

    def __init__(self, *, deadline_s: float) -> None:
        """An answer is given up after `deadline_s`, the wait for a thread included."""
        self.deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="answer")
        self._unfinished: set[Future[Any]] = set()

    async def run(self, work: Callable[[], T], *, at_most_s: float | None = None) -> T:
        """What `work` returns or raises.

        Args:
            work: done in a thread; one that is given up goes on there, and nobody hears of its end.
            at_most_s: a deadline for this answer, where that is shorter.

        Raises:
            SearchDeadlineError: it took longer than the deadline.
        """
        deadline_s = self.deadline_s if at_most_s is None else min(at_most_s, self.deadline_s)
        submitted = self._threads.submit(work)
        self._unfinished.add(submitted)
        submitted.add_done_callback(self._unfinished.discard)
        future = asyncio.wrap_future(submitted)
        done, _pending = await asyncio.wait([future], timeout=deadline_s)
        if not done:
            future.cancel()
            raise SearchDeadlineError(f"There was no answer within {deadline_s:g} s; try again in a moment.")
        return future.result()

    def close(self) -> None:
        """Take no more work; what was given up but still ends gives its connection back, what hangs is left."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait(list(self._unfinished), timeout=_CLOSE_WITHIN_S)
