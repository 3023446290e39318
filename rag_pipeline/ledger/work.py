"""Work: what is due, claiming it under a lease, and recording how each document went on or ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from rag_pipeline.domain.documents import Document
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import CollectionBusyError, ReasonCode
from rag_pipeline.ledger.documents import Priority
from rag_pipeline.ledger.tables import collections, documents, pages

_SUSPECT_AFTER = 2
"""Claims without an end after which a document is claimed alone."""

_END_STATES = [state.value for state in DocumentState if state.is_terminal]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A document under this run's lease.

    Shapes:
        seq: the reason to work that this claim answers; a higher one may come meanwhile.
        content_hash: of the file its pages are of; indexed_hash: of the version that is live. None: none.
        attempts: claims since it last reached a stage or a good end, this one included.
    """

    id: UUID
    path: str
    path_bytes: bytes
    state: DocumentState
    seq: int
    extracted_seq: int
    done_seq: int
    is_delete_wanted: bool
    size_bytes: int
    mtime_ns: int
    content_hash: bytes | None
    indexed_hash: bytes | None
    extractor: str | None
    media_type: str | None
    title: str | None
    language: str | None
    attempts: int


_claimed_columns = [
    documents.c.id,
    documents.c.path,
    documents.c.path_bytes,
    documents.c.state,
    documents.c.seen_seq,
    documents.c.extracted_seq,
    documents.c.done_seq,
    documents.c.is_delete_wanted,
    documents.c.seen_size_bytes,
    documents.c.seen_mtime_ns,
    documents.c.content_hash,
    documents.c.indexed_hash,
    documents.c.extractor,
    documents.c.media_type,
    documents.c.title,
    documents.c.language,
    documents.c.attempts,
]


def _is_due() -> sa.ColumnElement[bool]:
    # A document whose file is gone has nothing to be read from, until it is back or its deletion is asked for.
    is_there = sa.or_(documents.c.vanished_at.is_(None), documents.c.is_delete_wanted)
    return sa.and_(documents.c.seen_seq > documents.c.done_seq, documents.c.not_before <= sa.func.now(), is_there)


def _is_free() -> sa.ColumnElement[bool]:
    return sa.or_(documents.c.run_id.is_(None), documents.c.lease_until < sa.func.now())


def collections_with_due_work(connection: sa.Connection) -> list[str]:
    """Keys of collections that have due work nobody holds, the most urgent and longest waiting first."""
    rows = connection.execute(
        sa.select(documents.c.collection)
        .where(_is_due(), _is_free())
        .group_by(documents.c.collection)
        .order_by(sa.func.min(documents.c.priority), sa.func.min(documents.c.not_before), documents.c.collection)
    )
    return list(rows.scalars())


def claim(
    connection: sa.Connection, collection: str, *, run_id: str, lease_s: float, max_documents: int, max_bytes: int
) -> list[Claimed]:
    """Lease due documents to this run, most urgent first: at most so many, and so many bytes (one at least).

    A document that several runs died with is claimed alone, so that only the one that kills them is failed for it.
    """
    candidates = connection.execute(
        sa.select(documents.c.id, documents.c.seen_size_bytes, documents.c.attempts)
        .where(documents.c.collection == collection, _is_due(), _is_free())
        .order_by(documents.c.priority, documents.c.first_seen_at, documents.c.id)
        .limit(max_documents)
        .with_for_update(skip_locked=True)
    ).all()
    ids, total = [], 0
    for candidate in candidates:
        total += candidate.seen_size_bytes
        is_suspect = candidate.attempts >= _SUSPECT_AFTER
        if ids and (total > max_bytes or is_suspect):
            break
        ids.append(candidate.id)
        if is_suspect:
            break
    if not ids:
        return []
    leased = connection.execute(
        sa.update(documents)
        .where(_among(ids))
        .values(run_id=run_id, lease_until=_in(lease_s), attempts=documents.c.attempts + 1)
        .returning(*_claimed_columns)
    )
    claimed = {row[0]: _claimed(row) for row in leased}
    return [claimed[document] for document in ids]


def _claimed(row: sa.Row[Any]) -> Claimed:
    document = Claimed(*row)
    fields = {name: getattr(document, name) for name in Claimed.__dataclass_fields__}
    for name in ("path_bytes", "content_hash", "indexed_hash"):
        fields[name] = None if fields[name] is None else bytes(fields[name])
    return Claimed(**{**fields, "state": DocumentState(document.state)})


def extend_leases(connection: sa.Connection, *, run_id: str, lease_s: float) -> None:
    """A sign of life: all leases of this run start anew."""
    connection.execute(sa.update(documents).where(documents.c.run_id == run_id).values(lease_until=_in(lease_s)))


def release_runs(connection: sa.Connection, run_ids: Sequence[str]) -> int:
    """Free what these runs, which are over, still hold; returns how many documents that were."""
    held = documents.c.run_id == sa.any_(sa.literal(list(run_ids), sa.ARRAY(sa.Text)))
    return connection.execute(sa.update(documents).where(held).values(run_id=None, lease_until=None)).rowcount


def release_collection(connection: sa.Connection, collection: str) -> None:
    """Free everything that is held in the collection; for its only writer, at its start."""
    connection.execute(
        sa.update(documents)
        .where(documents.c.collection == collection, documents.c.run_id.is_not(None))
        .values(run_id=None, lease_until=None)
    )


def give_back(connection: sa.Connection, run_id: str) -> None:
    """Free what a run still holds at its orderly end; unlike a death that does not count as an attempt."""
    connection.execute(
        sa.update(documents)
        .where(documents.c.run_id == run_id)
        .values(run_id=None, lease_until=None, attempts=sa.func.greatest(documents.c.attempts - 1, 0))
    )


def holding_runs(connection: sa.Connection) -> list[str]:
    """Ids of runs that hold leases."""
    return list(connection.scalars(sa.select(documents.c.run_id).where(documents.c.run_id.is_not(None)).distinct()))


def check_held(connection: sa.Connection, ids: Sequence[UUID], *, run_id: str) -> None:
    """Nothing, when this run still holds these documents; they stay locked until the transaction ends.

    The writer lock is gone with its session (a restart of PostgreSQL, a proxy that drops idle connections), and a run
    that does not notice works beside its successor: two flips of one document close what each other opened.

    Raises:
        CollectionBusyError: another run took them over.
    """
    statement = sa.select(documents.c.run_id).where(_among(ids)).order_by(documents.c.id).with_for_update()
    if any(holder != run_id for holder in connection.scalars(statement).all()):
        raise CollectionBusyError(f"Another run took over documents of run {run_id}; nothing more is written by it.")


def advance(connection: sa.Connection, ids: Sequence[UUID], state: DocumentState, *, run_id: str) -> None:
    """Note that these documents, which `run_id` holds, are at `state` now.

    What attempts count starts anew with each stage that a document reaches: a stop now and then on a long way is no
    fault of it. Each try of a document begins at `extracting`, so that stage ends nothing.
    """
    check_held(connection, ids, run_id=run_id)
    attempts = {} if state is DocumentState.EXTRACTING else {"attempts": 0}
    changes = {"state": state.value, "changed_at": sa.func.now(), **attempts}
    connection.execute(sa.update(documents).where(_among(ids)).values(**changes))


def record_extraction(
    connection: sa.Connection,
    document_id: UUID,
    document: Document,
    *,
    seq: int,
    **facts: Any,  # noqa: ANN401
) -> None:
    """Keep the pages of an extracted document in place of older ones; it goes on to `chunking`.

    Args:
        connection: an open transaction.
        document_id: whose pages these are.
        document: what extraction gave.
        seq: the reason to work that it answers.
        facts: columns that say which bytes were read: content_hash, size_bytes, seen_*.
    """
    connection.execute(sa.delete(pages).where(pages.c.document_id == document_id))
    connection.execute(
        sa.insert(pages),
        [
            {
                "document_id": document_id,
                "ordinal": ordinal,
                "number": page.number,
                "label": page.label,
                "text": page.text,
            }
            for ordinal, page in enumerate(document.pages)
        ],
    )
    connection.execute(
        sa.update(documents)
        .where(documents.c.id == document_id)
        .values(
            state=DocumentState.CHUNKING.value,
            changed_at=sa.func.now(),
            extracted_seq=seq,
            attempts=0,
            media_type=document.media_type,
            title=document.title,
            language=document.language,
            extractor=document.extractor,
            metadata=document.metadata,
            **facts,
        )
    )


def finish(
    connection: sa.Connection,
    document_id: UUID,
    state: DocumentState,
    *,
    seq: int,
    reason: ReasonCode | None = None,
    detail: str | None = None,
    **facts: Any,  # noqa: ANN401
) -> None:
    """End the work on a document; when a new reason came meanwhile it is queued again at once."""
    is_newer = documents.c.seen_seq > seq
    connection.execute(
        sa.update(documents)
        .where(documents.c.id == document_id)
        .values(
            state=sa.case((is_newer, DocumentState.QUEUED.value), else_=state.value),
            reason=reason.value if reason else None,
            detail=detail,
            done_seq=seq,
            priority=sa.case((is_newer, documents.c.priority), else_=Priority.BULK.value),
            attempts=0,
            run_id=None,
            lease_until=None,
            changed_at=sa.func.now(),
            **facts,
        )
    )


def postpone(connection: sa.Connection, document_id: UUID, *, wait_s: float, **facts: Any) -> None:  # noqa: ANN401
    """Give a document back to the queue, not to be tried before `wait_s` from now."""
    connection.execute(
        sa.update(documents)
        .where(documents.c.id == document_id)
        .values(
            state=DocumentState.QUEUED.value,
            not_before=_in(wait_s),
            run_id=None,
            lease_until=None,
            changed_at=sa.func.now(),
            **facts,
        )
    )


def count_waiting_elsewhere(connection: sa.Connection, collection: str) -> int:
    """Other collections with due work."""
    return connection.execute(
        sa.select(sa.func.count(documents.c.collection.distinct())).where(
            documents.c.collection != collection, _is_due(), _is_free()
        )
    ).scalar_one()


def requeue_other_extractors(connection: sa.Connection, versions: dict[str, str], *, formats: str) -> int:
    """Queue the documents that this version may read otherwise; returns how many.

    Args:
        connection: of the ledger.
        versions: media type -> extractor; indexed documents that another one read are queued.
        formats: stands for all formats; documents that none of another set could read are queued.
    """
    is_older = sa.or_(
        *(
            sa.and_(documents.c.media_type == media_type, documents.c.extractor != version)
            for media_type, version in versions.items()
        )
    )
    is_indexed_by_older = sa.and_(documents.c.indexed_hash.is_not(None), is_older)
    is_readable_now = sa.and_(
        documents.c.reason == ReasonCode.UNSUPPORTED_TYPE.value, documents.c.extractor.is_distinct_from(formats)
    )
    return connection.execute(
        sa.update(documents)
        .where(documents.c.state.in_(_END_STATES), sa.or_(is_indexed_by_older, is_readable_now))
        .values(seen_seq=documents.c.seen_seq + 1, state=DocumentState.QUEUED.value, changed_at=sa.func.now())
    ).rowcount


def collection_folder(connection: sa.Connection, collection: str) -> bytes:
    """Raw name of the collection's folder below the uploads folder."""
    return bytes(
        connection.execute(sa.select(collections.c.folder).where(collections.c.key == collection)).scalar_one()
    )


def _among(ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return documents.c.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))


def _in(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + timedelta(seconds=seconds)
