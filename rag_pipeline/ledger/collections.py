"""Collections in the ledger: their keys, folders, live generation and revision."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_pipeline.domain.collections import is_key
from rag_pipeline.errors import CollectionNotFoundError
from rag_pipeline.ledger.tables import collections, documents


@dataclass(frozen=True, slots=True)
class Collection:
    """One row. `folder` is the raw name below the uploads folder; `b""` is the uploads folder itself."""

    key: str
    title: str
    folder: bytes
    live_generation: int | None
    revision: int
    held_deletions: int
    held_reason: str | None


_columns = [collections.c[field] for field in Collection.__dataclass_fields__]


def list_all(connection: sa.Connection) -> list[Collection]:
    """All collections, by key."""
    rows = connection.execute(sa.select(*_columns).order_by(collections.c.key))
    return [Collection(*row) for row in rows]


def get(connection: sa.Connection, key: str) -> Collection:
    """The collection with this key.

    Raises:
        CollectionNotFoundError: there is none; the message names those that exist.
    """
    row = connection.execute(sa.select(*_columns).where(collections.c.key == key)).first() if is_key(key) else None
    if row is None:
        keys = connection.scalars(sa.select(collections.c.key).order_by(collections.c.key).limit(10)).all()
        known = ", ".join(keys) or "none yet: put files into uploads/<collection>/"
        raise CollectionNotFoundError(f"There is no collection {key[:80]!r}. There are: {known}.")
    return Collection(*row)


def create(connection: sa.Connection, key: str, *, title: str, folder: bytes) -> None:
    """Add a collection; nothing happens when the key or the folder already has one."""
    connection.execute(insert(collections).values(key=key, title=title, folder=folder).on_conflict_do_nothing())


def raise_revision(connection: sa.Connection, key: str) -> int:
    """The new revision of the collection; the row stays locked until the transaction ends."""
    return connection.execute(
        sa.update(collections)
        .where(collections.c.key == key)
        .values(revision=collections.c.revision + 1)
        .returning(collections.c.revision)
    ).scalar_one()


def set_live_generation(connection: sa.Connection, key: str, number: int) -> None:
    """Make generation `number` the one that searches use."""
    connection.execute(sa.update(collections).where(collections.c.key == key).values(live_generation=number))


def set_held_deletions(connection: sa.Connection, key: str, count: int, reason: str | None) -> None:
    """Record how many deletions wait for a person, and why."""
    connection.execute(
        sa.update(collections)
        .where(
            collections.c.key == key,
            sa.or_(collections.c.held_deletions != count, collections.c.held_reason.is_distinct_from(reason)),
        )
        .values(held_deletions=count, held_reason=reason)
    )


def count_states(connection: sa.Connection) -> dict[str, dict[str, int]]:
    """By collection key, how many documents are in each state; a collection without documents has an empty entry."""
    rows = connection.execute(
        sa.select(documents.c.collection, documents.c.state, sa.func.count()).group_by(
            documents.c.collection, documents.c.state
        )
    )
    counts: dict[str, dict[str, int]] = {key: {} for key in connection.scalars(sa.select(collections.c.key))}
    for key, state, count in rows:
        counts[key][state] = count
    return counts
