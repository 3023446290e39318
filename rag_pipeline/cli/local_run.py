"""Running the `ingest` job in this process, for a command that found no instance."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rag_pipeline.errors import StartupError

_QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@contextmanager
def local_run(collection: str) -> Iterator[Callable[[], bool]]:
    """Run the job beside the block, recorded in the instance's Dagster storage like any other run.

    Yields whether the run still goes on: what has not ended when it no longer does will not.

    Raises:
        StartupError: the run failed; Dagster's own log of it is in the UI of the next `up`.
    """
    outcome: list[BaseException] = []
    runner = threading.Thread(target=_run, args=(collection, outcome), name="ingest")
    runner.start()
    try:
        yield runner.is_alive
    finally:
        runner.join()
    if outcome:
        raise StartupError(f"The run for {collection!r} failed: {outcome[0]}") from outcome[0]


def _run(collection: str, outcome: list[BaseException]) -> None:
    import dagster as dg

    from rag_pipeline.definitions import defs
    from rag_pipeline.defs.launcher import worker_tags
    from rag_pipeline.defs.partitions import collections_partitions

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    try:
        with dg.DagsterInstance.get() as instance:
            instance.add_dynamic_partitions(collections_partitions.name or "", [collection])
            defs.resolve_job_def("ingest").execute_in_process(
                instance=instance, partition_key=collection, tags=worker_tags(os.getpid()), run_config=_QUIET
            )
    except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
        outcome.append(error)
