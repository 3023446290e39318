"""What runs did, and the verdicts of the checks they made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_pipeline.ledger.tables import runs, verdicts


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what `name` says was true of a collection when last judged."""

    collection: str
    name: str
    has_passed: bool
    detail: dict[str, Any]
    judged_at: datetime


def start(connection: sa.Connection, run_id: str, *, job: str, collection: str) -> None:
    """Note that a run began."""
    connection.execute(
        insert(runs).values(run_id=run_id, job=job, collection=collection, counts={}).on_conflict_do_nothing()
    )


def finish(connection: sa.Connection, run_id: str, counts: Mapping[str, Any]) -> None:
    """Note what a run did."""
    connection.execute(
        sa.update(runs).where(runs.c.run_id == run_id).values(counts=dict(counts), finished_at=sa.func.now())
    )


def last_of(connection: sa.Connection, collection: str) -> sa.Row[Any] | None:
    """(run_id, counts, started_at, finished_at) of the collection's newest run; None when there was none."""
    return connection.execute(
        sa.select(runs.c.run_id, runs.c.counts, runs.c.started_at, runs.c.finished_at)
        .where(runs.c.collection == collection)
        .order_by(runs.c.started_at.desc())
        .limit(1)
    ).first()  # pyright: ignore[reportReturnType] - Row's column types are of no use to the reader


def record_verdict(
    connection: sa.Connection, collection: str, name: str, *, has_passed: bool, detail: Mapping[str, Any]
) -> None:
    """Keep the verdict in place of the last one."""
    statement = insert(verdicts).values(
        collection=collection, name=name, has_passed=has_passed, detail=dict(detail), judged_at=sa.func.now()
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[verdicts.c.collection, verdicts.c.name],
            set_={key: statement.excluded[key] for key in ("has_passed", "detail", "judged_at")},
        )
    )


def list_verdicts(connection: sa.Connection, name: str) -> list[Verdict]:
    """The last verdict of check `name` on each collection, by key."""
    rows = connection.execute(
        sa.select(*(verdicts.c[field] for field in Verdict.__dataclass_fields__))
        .where(verdicts.c.name == name)
        .order_by(verdicts.c.collection)
    )
    return [Verdict(*row) for row in rows]
