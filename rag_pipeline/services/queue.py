"""Which collections need a run, decided by the ledger alone: a sensor tick that dies loses nothing."""

from collections.abc import Callable

from rag_pipeline.ledger import points, work
from rag_pipeline.ledger.engine import Ledger


def collections_needing_a_run(ledger: Ledger, *, point_grace_s: float, is_run_over: Callable[[str], bool]) -> list[str]:
    """Keys of collections with due work, most urgent first; then those with points to delete.

    Args:
        ledger: what is due.
        point_grace_s: replaced points are deleted after this long.
        is_run_over: whether the Dagster run of that id has ended; what it still holds is freed.
    """
    with ledger.begin() as connection:
        dead = [run_id for run_id in work.holding_runs(connection) if is_run_over(run_id)]
        if dead:
            work.release_runs(connection, dead)
        due = work.collections_with_due_work(connection)
        to_tidy = points.collections_to_tidy(connection, grace_s=point_grace_s)
    return due + [key for key in to_tidy if key not in due]
