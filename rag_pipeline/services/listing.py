"""Where things stand: collections and documents, for the API and the command line."""

from dataclasses import dataclass
from typing import Any

from rag_pipeline.ledger import collections, documents, runs
from rag_pipeline.ledger.documents import DocumentRow
from rag_pipeline.ledger.engine import Ledger


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """A collection at a glance.

    Shapes:
        documents: how many in each state; states nobody is in are left out.
        held_deletions: documents whose deletion waits for `rag-pipeline confirm-deletions`.
        last_run: {"run_id", "started_at", "finished_at", "counts"} of the newest run, None when there was none.
    """

    name: str
    title: str
    generation: int | None
    revision: int
    documents: dict[str, int]
    held_deletions: int
    held_reason: str | None
    last_run: dict[str, Any] | None


def list_collections(ledger: Ledger) -> list[CollectionStatus]:
    """Every collection, by key."""
    with ledger.begin() as connection:
        states = collections.count_states(connection)
        return [
            CollectionStatus(
                name=collection.key,
                title=collection.title,
                generation=collection.live_generation,
                revision=collection.revision,
                documents=states.get(collection.key, {}),
                held_deletions=collection.held_deletions,
                held_reason=collection.held_reason,
                last_run=_last_run(runs.last_of(connection, collection.key)),
            )
            for collection in collections.list_all(connection)
        ]


def list_documents(
    ledger: Ledger, collection: str, *, state: str | None, limit: int, offset: int
) -> tuple[list[DocumentRow], int]:
    """One page of a collection's documents by path, and how many there are in all.

    Raises:
        CollectionNotFoundError: there is no such collection.
    """
    with ledger.begin() as connection:
        collections.get(connection, collection)
        return documents.list_page(connection, collection, state=state, limit=limit, offset=offset)


def _last_run(row: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a SQLAlchemy row of JSON
    if row is None:
        return None
    return {
        "run_id": row.run_id,
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "counts": row.counts,
    }
