"""Chunk rows: written beside the live ones, then flipped live with a new revision.

A row is live for revisions [live_from, live_to). A flip closes old rows and opens new ones in one transaction, so a
search that resolved its revision before sees all of the old state, and one that did after sees all of the new.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from rag_pipeline.domain.documents import Page
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.ledger.tables import FOREVER, chunks, documents, pages, points


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage with its place: `start` and `end` count characters into the page, `page` is None without pages."""

    chunk_id: UUID
    document_id: UUID
    ordinal: int
    page: int | None
    start: int
    end: int
    token_count: int
    text: str
    embedded_hash: bytes


@dataclass(frozen=True, slots=True)
class LiveChunk:
    """A chunk as a search answers it."""

    chunk_id: UUID
    page: int | None
    start: int
    end: int
    text: str
    document_id: UUID
    path: str
    title: str | None
    media_type: str | None


_columns = [chunks.c[field] for field in Chunk.__dataclass_fields__]
_live_columns = [
    (documents if field in {"path", "title", "media_type"} else chunks).c[field]
    for field in LiveChunk.__dataclass_fields__
]


def read_pages(connection: sa.Connection, document_id: UUID) -> list[Page]:
    """The document's pages, in order."""
    rows = connection.execute(
        sa.select(pages.c.number, pages.c.text, pages.c.label)
        .where(pages.c.document_id == document_id)
        .order_by(pages.c.ordinal)
    )
    return [Page(row.number, row.text, row.label) for row in rows]


def drop_pages(connection: sa.Connection, documents_: Sequence[UUID]) -> None:
    """Forget the text of these documents: deleted means deleted."""
    connection.execute(
        sa.delete(pages).where(pages.c.document_id == sa.any_(sa.literal(list(documents_), sa.ARRAY(sa.Uuid))))
    )


def replace_pending(connection: sa.Connection, generation_id: int, document_id: UUID, rows: Sequence[Chunk]) -> None:
    """Make `rows` the document's chunks to be: not live before a flip; former ones that never went live go."""
    connection.execute(
        sa.delete(chunks).where(
            chunks.c.generation_id == generation_id,
            chunks.c.document_id == document_id,
            chunks.c.live_from == FOREVER,
        )
    )
    values = [
        {
            "generation_id": generation_id,
            "live_from": FOREVER,
            "live_to": FOREVER,
            **{field: getattr(row, field) for field in Chunk.__dataclass_fields__},
        }
        for row in rows
    ]
    if values:
        connection.execute(sa.insert(chunks), values)


def pending_of(connection: sa.Connection, generation_id: int, documents_: Sequence[UUID]) -> Iterator[Chunk]:
    """Chunks of these documents that are not live yet, document by document in order."""
    rows = connection.execute(
        sa.select(*_columns)
        .where(*_of(generation_id, documents_), chunks.c.live_from == FOREVER)
        .order_by(chunks.c.document_id, chunks.c.ordinal)
    )
    for row in rows:
        yield _chunk(row)


def live_of(connection: sa.Connection, generation_id: int, documents_: Sequence[UUID]) -> Iterator[Chunk]:
    """Chunks of these documents that are live now, document by document in order."""
    rows = connection.execute(
        sa.select(*_columns)
        .where(*_of(generation_id, documents_), chunks.c.live_to == FOREVER, chunks.c.live_from < FOREVER)
        .order_by(chunks.c.document_id, chunks.c.ordinal)
    )
    for row in rows:
        yield _chunk(row)


def pending_tokens(connection: sa.Connection, generation_id: int, documents_: Sequence[UUID]) -> dict[UUID, int]:
    """Tokens of the chunks of these documents that are not live yet, by document."""
    rows = connection.execute(
        sa.select(chunks.c.document_id, sa.func.sum(chunks.c.token_count))
        .where(*_of(generation_id, documents_), chunks.c.live_from == FOREVER)
        .group_by(chunks.c.document_id)
    )
    return {row[0]: int(row[1]) for row in rows}


def open_pending(connection: sa.Connection, generation_id: int, documents_: Sequence[UUID], revision: int) -> int:
    """Flip: from `revision` on, the pending chunks of these documents are live and no others of theirs.

    A chunk that stays where it was keeps its row. Returns how many rows were opened or closed.
    """
    mine = _of(generation_id, documents_)
    pending = chunks.alias("pending")
    unmoved = sa.and_(
        pending.c.generation_id == chunks.c.generation_id,
        pending.c.chunk_id == chunks.c.chunk_id,
        pending.c.live_from == FOREVER,
        pending.c.page.is_not_distinct_from(chunks.c.page),
        pending.c.start == chunks.c.start,
        pending.c.end == chunks.c.end,
        pending.c.ordinal == chunks.c.ordinal,
    )
    is_live = sa.and_(chunks.c.live_to == FOREVER, chunks.c.live_from < FOREVER)
    kept_ids = list(connection.scalars(sa.select(chunks.c.chunk_id).where(*mine, is_live, sa.exists().where(unmoved))))
    is_kept = chunks.c.chunk_id == sa.any_(sa.literal(kept_ids, sa.ARRAY(sa.Uuid)))
    connection.execute(sa.delete(chunks).where(*mine, chunks.c.live_from == FOREVER, is_kept))
    closed = connection.execute(
        sa.update(chunks).where(*mine, is_live, ~is_kept).values(live_to=revision, closed_at=sa.func.now())
    ).rowcount
    opened = connection.execute(
        sa.update(chunks).where(*mine, chunks.c.live_from == FOREVER).values(live_from=revision)
    ).rowcount
    return closed + opened


def close(connection: sa.Connection, generation_id: int, documents_: Sequence[UUID], revision: int) -> int:
    """Flip: from `revision` on, no chunk of these documents is live; what was pending goes. Returns rows closed."""
    mine = _of(generation_id, documents_)
    connection.execute(sa.delete(chunks).where(*mine, chunks.c.live_from == FOREVER))
    return connection.execute(
        sa.update(chunks).where(*mine, chunks.c.live_to == FOREVER).values(live_to=revision, closed_at=sa.func.now())
    ).rowcount


def live_at(
    connection: sa.Connection, generation_id: int, revision: int, chunk_ids: Sequence[UUID]
) -> dict[UUID, LiveChunk]:
    """Those of `chunk_ids` that are live at `revision`, with their documents."""
    rows = connection.execute(
        sa.select(*_live_columns)
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(
            chunks.c.generation_id == generation_id,
            chunks.c.chunk_id == sa.any_(sa.literal(list(chunk_ids), sa.ARRAY(sa.Uuid))),
            chunks.c.live_from <= revision,
            chunks.c.live_to > revision,
        )
    )
    return {row.chunk_id: LiveChunk(*row) for row in rows}


def count_live(connection: sa.Connection, generation_id: int) -> int:
    """Chunks that are live now."""
    return connection.execute(
        sa.select(sa.func.count()).where(
            chunks.c.generation_id == generation_id, chunks.c.live_to == FOREVER, chunks.c.live_from < FOREVER
        )
    ).scalar_one()


def count_live_without_point(connection: sa.Connection, generation_id: int) -> int:
    """Live chunks whose point was never recorded: always 0, unless something is wrong."""
    has_point = sa.exists().where(
        points.c.generation_id == chunks.c.generation_id, points.c.chunk_id == chunks.c.chunk_id
    )
    return connection.execute(
        sa.select(sa.func.count()).where(
            chunks.c.generation_id == generation_id,
            chunks.c.live_to == FOREVER,
            chunks.c.live_from < FOREVER,
            ~has_point,
        )
    ).scalar_one()


def count_indexed_without_chunk(connection: sa.Connection, generation_id: int, collection: str) -> int:
    """Documents that count as searchable without a live chunk: always 0, unless something is wrong.

    A document without text never counts as searchable: it ends `skipped`.
    """
    has_live_chunk = sa.exists().where(
        chunks.c.generation_id == generation_id,
        chunks.c.document_id == documents.c.id,
        chunks.c.live_to == FOREVER,
        chunks.c.live_from < FOREVER,
    )
    is_searchable = sa.or_(documents.c.indexed_hash.is_not(None), documents.c.state == DocumentState.INDEXED.value)
    return connection.execute(
        sa.select(sa.func.count()).where(documents.c.collection == collection, is_searchable, ~has_live_chunk)
    ).scalar_one()


def _of(generation_id: int, documents_: Sequence[UUID]) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        chunks.c.generation_id == generation_id,
        chunks.c.document_id == sa.any_(sa.literal(list(documents_), sa.ARRAY(sa.Uuid))),
    )


def _chunk(row: sa.Row[tuple[object, ...]]) -> Chunk:
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to a row's names
    return Chunk(**{**fields, "embedded_hash": bytes(fields["embedded_hash"])})  # pyright: ignore[reportArgumentType]
