"""A progress bar over submitted documents, on stderr: stdout is for the result."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rag_pipeline.ledger.documents import DocumentRow
    from rag_pipeline.ledger.engine import Ledger
    from rag_pipeline.services.submit import Submitted


def follow_with_progress(
    ledger: "Ledger", submitted: "Submitted", *, is_worked_on: Callable[[], bool] = lambda: True
) -> "list[DocumentRow]":
    """The submitted documents at their end; how many are there, and at which stage the others are, is shown."""
    from rag_pipeline.services.submit import follow

    rows: list[DocumentRow] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[stage]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(submitted.collection, total=len(submitted.paths), stage="")
        for rows in follow(ledger, submitted, is_worked_on=is_worked_on):
            waiting = sorted({row.state for row in rows if not row.is_ended})
            ended = sum(row.is_ended for row in rows)
            progress.update(task, completed=ended, stage=", ".join(waiting))
    return rows
