"""Generations in the ledger: what each was built for, and which one searches use."""

from dataclasses import dataclass

import sqlalchemy as sa

from rag_pipeline.domain.collections import is_key, physical_name
from rag_pipeline.domain.spec import IndexSpec
from rag_pipeline.ledger.collections import get as get_collection
from rag_pipeline.ledger.collections import set_live_generation
from rag_pipeline.ledger.tables import collections, generations


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation; `physical` is the Qdrant collection that holds its points."""

    id: int
    collection: str
    number: int
    spec: IndexSpec

    @property
    def physical(self) -> str:
        """Name in Qdrant."""
        return physical_name(self.collection, self.number)


@dataclass(frozen=True, slots=True)
class View:
    """What one search looks at from start to end: a generation, and the revision of its collection."""

    generation: Generation
    revision: int


_columns = [generations.c.id, generations.c.collection, generations.c.number, generations.c.spec]


def current_view(connection: sa.Connection, collection: str) -> View | None:
    """What a search that starts now looks at; None while the collection has never been indexed.

    Raises:
        CollectionNotFoundError: there is no such collection.
    """
    if not is_key(collection):
        get_collection(connection, collection)
    is_live = sa.and_(
        generations.c.collection == collections.c.key, generations.c.number == collections.c.live_generation
    )
    row = connection.execute(
        sa.select(collections.c.revision, *_columns)
        .select_from(collections.join(generations, is_live))
        .where(collections.c.key == collection)
    ).first()
    if row is None:
        get_collection(connection, collection)
        return None
    return View(Generation(row.id, row.collection, row.number, IndexSpec.from_json(row.spec)), row.revision)


def list_live(connection: sa.Connection) -> list[Generation]:
    """The live generation of each collection that has one, by key."""
    is_live = sa.and_(
        generations.c.collection == collections.c.key, generations.c.number == collections.c.live_generation
    )
    rows = connection.execute(
        sa.select(*_columns).select_from(collections.join(generations, is_live)).order_by(collections.c.key)
    )
    return [Generation(row.id, row.collection, row.number, IndexSpec.from_json(row.spec)) for row in rows]


def create_first(connection: sa.Connection, collection: str, spec: IndexSpec) -> Generation:
    """Generation 1 of a collection, live at once: it has no points, and there is nothing else to search."""
    row = connection.execute(
        sa.insert(generations)
        .values(collection=collection, number=1, spec=spec.as_json(), spec_fingerprint=spec.fingerprint)
        .returning(generations.c.id)
    ).one()
    set_live_generation(connection, collection, 1)
    return Generation(row.id, collection, 1, spec)
