"""What was seen: registering documents, what a scan changes, and listing them. Working on them is `ledger.work`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_pipeline.domain.deletions import Vanished
from rag_pipeline.domain.ids import document_id
from rag_pipeline.domain.scanning import KnownFile, Signature
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.ledger.tables import documents

_QUEUED = DocumentState.QUEUED.value
_DELETED = DocumentState.DELETED.value


class Priority(IntEnum):
    """Order of work: lower first."""

    DELETE = 0
    UPLOAD = 1
    BULK = 2


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as it is listed."""

    id: UUID
    path: str
    state: str
    reason: str | None
    detail: str | None
    media_type: str | None
    title: str | None
    language: str | None
    size_bytes: int | None
    first_seen_at: datetime
    changed_at: datetime
    indexed_at: datetime | None
    seen_seq: int
    done_seq: int

    @property
    def is_ended(self) -> bool:
        """Whether it stands at its end, and nothing has happened to its file since."""
        return self.seen_seq <= self.done_seq


_columns = [documents.c[field] for field in DocumentRow.__dataclass_fields__]


def printable(path: bytes) -> str:
    """`path` as text: as it is when it is UTF-8 (control characters too), else with its odd bytes as hex escapes."""
    return path.decode("utf-8", "backslashreplace")


def known_files(connection: sa.Connection, collection: str) -> dict[bytes, KnownFile]:
    """By path, everything the ledger remembers of the collection's files."""
    rows = connection.execute(
        sa.select(
            documents.c.path_bytes,
            documents.c.seen_size_bytes,
            documents.c.seen_mtime_ns,
            documents.c.seen_ctime_ns,
            sa.or_(documents.c.vanished_at.is_not(None), documents.c.state == _DELETED),
        ).where(documents.c.collection == collection)
    )
    return {
        bytes(path): KnownFile(Signature(size, mtime, ctime), is_gone) for path, size, mtime, ctime, is_gone in rows
    }


def register(connection: sa.Connection, collection: str, files: Mapping[bytes, Signature]) -> None:
    """Queue new and changed files: each becomes due, and keeps its id if it was known."""
    if not files:
        return
    lock(connection, [document_id(collection, path) for path in files])
    statement = insert(documents)
    statement = statement.on_conflict_do_update(
        index_elements=[documents.c.id],
        set_={
            **{name: statement.excluded[name] for name in ("seen_size_bytes", "seen_mtime_ns", "seen_ctime_ns")},
            **_due_again(),
            "priority": sa.case(
                (documents.c.is_delete_wanted, statement.excluded.priority),
                else_=sa.func.least(documents.c.priority, statement.excluded.priority),
            ),
            "vanished_at": None,
            "is_delete_wanted": False,
            "attempts": 0,
            "not_before": sa.func.now(),
        },
    )
    connection.execute(
        statement,
        [
            {
                "id": document_id(collection, path),
                "collection": collection,
                "path": printable(path),
                "path_bytes": path,
                "state": _QUEUED,
                "priority": Priority.BULK.value,
                "seen_size_bytes": signature.size_bytes,
                "seen_mtime_ns": signature.mtime_ns,
                "seen_ctime_ns": signature.ctime_ns,
            }
            for path, signature in files.items()
        ],
    )


def lock(connection: sa.Connection, ids: Iterable[UUID]) -> None:
    """Lock these documents until the transaction ends, in an order that all share."""
    matches = documents.c.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    connection.execute(sa.select(documents.c.id).where(matches).order_by(documents.c.id).with_for_update()).all()


def mark_vanished(connection: sa.Connection, collection: str, paths: Sequence[bytes]) -> None:
    """Note that these files are gone; whether their documents are deleted is decided by the guard."""
    _update_paths(connection, collection, paths, {"vanished_at": sa.func.now()})


def mark_returned(connection: sa.Connection, collection: str, paths: Sequence[bytes]) -> None:
    """Note that files are back as they were. One whose deletion was asked for or done becomes due again."""
    is_wanted = sa.or_(documents.c.is_delete_wanted, documents.c.state == _DELETED)
    _update_paths(
        connection,
        collection,
        paths,
        {
            "vanished_at": None,
            "is_delete_wanted": False,
            "seen_seq": documents.c.seen_seq + sa.case((is_wanted, 1), else_=0),
            "state": sa.case((is_wanted, _QUEUED), else_=documents.c.state),
            "priority": sa.case((is_wanted, Priority.BULK.value), else_=documents.c.priority),
        },
    )


def list_vanished(connection: sa.Connection, collection: str) -> list[tuple[Vanished, datetime]]:
    """Documents whose file is gone and whose deletion nobody asked for yet, with the moment they vanished."""
    rows = connection.execute(
        sa.select(documents.c.id, documents.c.content_hash, documents.c.vanished_at)
        .where(documents.c.collection == collection, documents.c.vanished_at.is_not(None))
        .where(documents.c.state != _DELETED, ~documents.c.is_delete_wanted)
        .order_by(documents.c.id)
    )
    return [(Vanished(row.id, row.content_hash and bytes(row.content_hash)), row.vanished_at) for row in rows]


def maybe_moved(connection: sa.Connection, ids: Iterable[UUID]) -> set[UUID]:
    """Those of these documents that may only have been moved: a file of the same size and date waits to be read.

    Were they deleted before that one is searchable, what a renamed folder holds would be dark meanwhile. Moving keeps
    the date; by size alone, any file of a long queue would hold a deletion back until the queue is done.
    """
    other = documents.alias("other")
    is_due_and_alike = sa.and_(
        other.c.seen_seq > other.c.done_seq,
        other.c.vanished_at.is_(None),
        other.c.not_before <= sa.func.now(),
        other.c.seen_size_bytes == documents.c.seen_size_bytes,
        other.c.seen_mtime_ns == documents.c.seen_mtime_ns,
        other.c.id != documents.c.id,
    )
    among = documents.c.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    return set(connection.scalars(sa.select(documents.c.id).where(among, sa.exists().where(is_due_and_alike))))


def present_hashes(connection: sa.Connection, hashes: Iterable[bytes]) -> set[bytes]:
    """Those of `hashes` that are the content of a document, in any collection, that is there and was worked on."""
    found = connection.scalars(
        sa.select(documents.c.content_hash)
        .where(documents.c.content_hash.in_(list(hashes)))
        .where(documents.c.vanished_at.is_(None), documents.c.state != _DELETED)
        .where(documents.c.seen_seq <= documents.c.done_seq)
        .distinct()
    )
    return {bytes(content_hash) for content_hash in found}


def want_deleted(connection: sa.Connection, ids: Sequence[UUID]) -> None:
    """Queue the deletion of these documents."""
    lock(connection, ids)
    connection.execute(
        sa.update(documents)
        .where(documents.c.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid))))
        .values(
            **_due_again(),
            is_delete_wanted=True,
            priority=Priority.DELETE.value,
            attempts=0,
            not_before=sa.func.now(),
        )
    )


def count_before(connection: sa.Connection, collection: str, moment: datetime) -> int:
    """Documents that were seen before `moment` and are not deleted, vanished ones included."""
    return connection.execute(
        sa.select(sa.func.count()).where(
            documents.c.collection == collection,
            documents.c.state != _DELETED,
            documents.c.first_seen_at < moment,
        )
    ).scalar_one()


def now(connection: sa.Connection) -> datetime:
    """The ledger's clock, which wrote all its moments."""
    return connection.execute(sa.select(sa.func.now())).scalar_one()


def list_page(
    connection: sa.Connection, collection: str, *, state: str | None, limit: int, offset: int
) -> tuple[list[DocumentRow], int]:
    """One page of documents by path, and how many there are in all; deleted ones only when asked for by `state`."""
    matches = [
        documents.c.collection == collection,
        documents.c.state == state if state else documents.c.state != _DELETED,
    ]
    total = connection.execute(sa.select(sa.func.count()).where(*matches)).scalar_one()
    rows = connection.execute(
        sa.select(*_columns)
        .where(*matches)
        # The first part is what the index holds: only paths with equal beginnings are sorted here.
        .order_by(sa.text("substr(documents.path_bytes, 1, 500)"), documents.c.path_bytes)
        .limit(limit)
        .offset(offset)
    )
    return [DocumentRow(*row) for row in rows], total


def list_by_id(connection: sa.Connection, ids: Sequence[UUID]) -> list[DocumentRow]:
    """These documents, in no order; unknown ids are left out."""
    matches = documents.c.id == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    return [DocumentRow(*row) for row in connection.execute(sa.select(*_columns).where(matches))]


def _due_again() -> dict[str, Any]:
    """Values that make a document due; one that a run is working on goes on, and is due again afterwards."""
    is_idle = documents.c.run_id.is_(None)
    return {
        "seen_seq": documents.c.seen_seq + 1,
        "state": sa.case((is_idle, _QUEUED), else_=documents.c.state),
        "changed_at": sa.func.now(),
    }


def _update_paths(connection: sa.Connection, collection: str, paths: Sequence[bytes], values: dict[str, Any]) -> None:
    ids = [document_id(collection, path) for path in paths]
    if ids:
        lock(connection, ids)
        matches = documents.c.id == sa.any_(sa.literal(ids, sa.ARRAY(sa.Uuid)))
        connection.execute(sa.update(documents).where(matches).values(**values))
