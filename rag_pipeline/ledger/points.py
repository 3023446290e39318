"""What the ledger knows of the points in Qdrant: in doubt before Qdrant is asked to change them, recorded afterwards.

A point in doubt may be there or not, old or new: a run died before it heard Qdrant's answer. It is written again when
it is needed, and deleted again when it is not, so that no crash leaves a point behind or a chunk without one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rag_pipeline.ledger.tables import FOREVER, chunks, documents, points

_IN_DOUBT = b""
"""Payload hash of a point in doubt."""


def recorded(connection: sa.Connection, generation_id: int, chunk_ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Payload hashes of those of `chunk_ids` that have a point for certain."""
    rows = connection.execute(
        sa.select(points.c.chunk_id, points.c.payload_hash).where(
            points.c.generation_id == generation_id, _among(chunk_ids), points.c.payload_hash != _IN_DOUBT
        )
    )
    return {row.chunk_id: bytes(row.payload_hash) for row in rows}


def doubt(connection: sa.Connection, generation_id: int, chunk_ids: Iterable[UUID]) -> None:
    """Note that Qdrant is about to be asked to write or delete these points."""
    record(connection, generation_id, dict.fromkeys(chunk_ids, _IN_DOUBT))


def record(connection: sa.Connection, generation_id: int, payload_hashes: Mapping[UUID, bytes]) -> None:
    """Note points that Qdrant holds now, by chunk, with the hash of their payload."""
    if not payload_hashes:
        return
    statement = insert(points)
    statement = statement.on_conflict_do_update(
        index_elements=[points.c.generation_id, points.c.chunk_id],
        set_={"payload_hash": statement.excluded.payload_hash, "written_at": sa.func.now()},
    )
    connection.execute(
        statement,
        [
            {"generation_id": generation_id, "chunk_id": chunk_id, "payload_hash": payload_hash}
            for chunk_id, payload_hash in payload_hashes.items()
        ],
    )


def list_unneeded(connection: sa.Connection, generation_id: int, *, grace_s: float, limit: int) -> list[UUID]:
    """Points that no chunk row needs: none is live or pending, and the last was closed over `grace_s` ago."""
    needed = sa.exists().where(
        chunks.c.generation_id == points.c.generation_id,
        chunks.c.chunk_id == points.c.chunk_id,
        sa.or_(chunks.c.live_to == FOREVER, chunks.c.closed_at > _ago(grace_s)),
    )
    return list(
        connection.scalars(
            sa.select(points.c.chunk_id).where(points.c.generation_id == generation_id, ~needed).limit(limit)
        )
    )


def forget(connection: sa.Connection, generation_id: int, chunk_ids: Sequence[UUID]) -> None:
    """Note that Qdrant no longer holds these points."""
    connection.execute(sa.delete(points).where(points.c.generation_id == generation_id, _among(chunk_ids)))


def drop_closed_chunks(connection: sa.Connection, generation_id: int, *, grace_s: float) -> int:
    """Remove chunk rows that were closed over `grace_s` ago; returns how many."""
    return connection.execute(
        sa.delete(chunks).where(chunks.c.generation_id == generation_id, chunks.c.closed_at <= _ago(grace_s))
    ).rowcount


def collections_to_tidy(connection: sa.Connection, *, grace_s: float) -> list[str]:
    """Collections that have chunk rows closed over `grace_s` ago, whose points may go, longest waiting first."""
    rows = connection.execute(
        sa.select(documents.c.collection)
        .join(chunks, chunks.c.document_id == documents.c.id)
        .where(chunks.c.closed_at <= _ago(grace_s))
        .group_by(documents.c.collection)
        .order_by(sa.func.min(chunks.c.closed_at))
    )
    return list(rows.scalars())


def count(connection: sa.Connection, generation_id: int) -> tuple[int, int]:
    """How many points are recorded for certain, and how many are in doubt."""
    is_in_doubt = points.c.payload_hash == _IN_DOUBT
    recorded, in_doubt = connection.execute(
        sa.select(sa.func.count().filter(~is_in_doubt), sa.func.count().filter(is_in_doubt)).where(
            points.c.generation_id == generation_id
        )
    ).one()
    return recorded, in_doubt


def _among(chunk_ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return points.c.chunk_id == sa.any_(sa.literal(list(chunk_ids), sa.ARRAY(sa.Uuid)))


def _ago(seconds: float) -> sa.ColumnElement[object]:
    return sa.func.now() - timedelta(seconds=seconds)
