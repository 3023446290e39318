"""Stage `qdrant_collection`: upsert what is new, flip in the ledger, then delete what no search needs any more."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import IndexIntegrityError
from rag_pipeline.ledger import chunks, collections, embeddings, points, work
from rag_pipeline.ledger.chunks import Chunk
from rag_pipeline.ledger.engine import WriterLock
from rag_pipeline.ledger.generations import Generation
from rag_pipeline.ledger.work import Claimed
from rag_pipeline.services.report import IngestReport
from rag_pipeline.services.stages.slices import Ending, Slice
from rag_pipeline.services.workbench import Workbench
from rag_pipeline.vectors import points as qdrant_points
from rag_pipeline.vectors.points import Point


def run(current: Slice) -> None:
    """Make the slice's documents searchable as they are now, all at once for a searcher."""
    ready = {document.id: document for document in current.at(DocumentState.INDEXING)}
    unchanged = {ending.document.id: ending.document for ending in current.unchanged}
    with current.bench.ledger.begin() as connection:
        wanted = list(chunks.pending_of(connection, current.generation.id, list(ready)))
        wanted += chunks.live_of(connection, current.generation.id, list(unchanged))
        recorded = points.recorded(connection, current.generation.id, [chunk.chunk_id for chunk in wanted])
    if without := ready.keys() - {chunk.document_id for chunk in wanted}:
        # The flip would close what is live of them and call them indexed.
        raise IndexIntegrityError(
            f"{len(without)} documents of {current.collection!r} stand at `indexing` without chunks; touch their files."
        )
    sources = ready | unchanged
    payloads = {chunk.chunk_id: _payload(current, sources[chunk.document_id], chunk) for chunk in wanted}
    new = [chunk for chunk in wanted if chunk.chunk_id not in recorded]
    for start in range(0, len(new), qdrant_points.BATCH):
        current.keep_lease()
        _upsert(current, sources, new[start : start + qdrant_points.BATCH], payloads)
    # Before the flip, because a run that died after it would leave them old for ever; answers never come from them.
    _update_payloads(
        current,
        {
            chunk_id: content
            for chunk_id, content in payloads.items()
            if chunk_id in recorded and recorded[chunk_id] != qdrant_points.payload_hash(content)
        },
    )
    _flip(current, list(ready.values()))
    current.report.indexed += len(ready)


def tidy(bench: Workbench, generation: Generation, report: IngestReport, *, lock: WriterLock) -> None:
    """Delete points that no live chunk and no search under way needs, then their closed chunk rows.

    Raises:
        CollectionBusyError: `lock` was lost; a successor may need these points again.
    """
    grace_s = bench.rules.point_grace_s
    while True:
        with bench.ledger.begin() as connection:
            unneeded = points.list_unneeded(connection, generation.id, grace_s=grace_s, limit=qdrant_points.BATCH * 8)
        if not unneeded:
            break
        with bench.ledger.begin() as connection:
            points.doubt(connection, generation.id, unneeded)
        lock.check()
        qdrant_points.delete(bench.qdrant, generation.physical, unneeded)
        with bench.ledger.begin() as connection:
            points.forget(connection, generation.id, unneeded)
        report.points_deleted += len(unneeded)
    with bench.ledger.begin() as connection:
        points.drop_closed_chunks(connection, generation.id, grace_s=grace_s)


def _upsert(
    current: Slice, sources: dict[UUID, Claimed], batch: Sequence[Chunk], payloads: dict[UUID, dict[str, Any]]
) -> None:
    with current.bench.ledger.begin() as connection:
        vectors = embeddings.load(
            connection, current.generation.spec.model.fingerprint, [chunk.embedded_hash for chunk in batch]
        )
        points.doubt(connection, current.generation.id, [chunk.chunk_id for chunk in batch])
    sparse = current.bench.sparse.encode_passages(
        [chunk.text for chunk in batch], [sources[chunk.document_id].language for chunk in batch]
    )
    built = []
    for chunk, words in zip(batch, sparse, strict=True):
        dense = vectors.get(chunk.embedded_hash)
        if dense is None:
            raise IndexIntegrityError(
                f"Chunk {chunk.chunk_id} of {sources[chunk.document_id].path!r} has no vector although its document "
                "was embedded; run `ingest` again."
            )
        built.append(Point(chunk.chunk_id, dense, words.indices, words.values, payloads[chunk.chunk_id]))
    qdrant_points.upsert(current.bench.qdrant, current.generation.physical, built)
    with current.bench.ledger.begin() as connection:
        hashes = {point.id: qdrant_points.payload_hash(point.payload) for point in built}
        points.record(connection, current.generation.id, hashes)
    current.report.points_upserted += len(built)


def _flip(current: Slice, ready: Sequence[Claimed]) -> None:
    """One transaction: new chunks live, old ones closed, every document of the slice at its end."""
    if not (ready or current.endings or current.unchanged):
        return
    ended = [ending.document for ending in [*current.endings, *current.unchanged]]
    with current.bench.ledger.begin() as connection:
        # A scan may write the same rows now: both lock them in one order, and neither waits for the other for ever.
        work.check_held(connection, [document.id for document in [*ready, *ended]], run_id=current.run_id)
        if ready or current.endings:
            current.report.revision = _make_visible(current, connection, ready)
        for document in ready:
            work.finish(
                connection,
                document.id,
                DocumentState.INDEXED,
                seq=document.seq,
                indexed_hash=document.content_hash,
                indexed_at=datetime.now(UTC),
            )
        for ending in [*current.endings, *current.unchanged]:
            work.finish(
                connection,
                ending.document.id,
                ending.state,
                seq=ending.document.seq,
                reason=ending.reason,
                detail=ending.detail,
                **_after(ending),
            )
    for document in ready:
        current.leave(document)
    current.endings.clear()
    current.unchanged.clear()


def _make_visible(current: Slice, connection: sa.Connection, ready: Sequence[Claimed]) -> int:
    """The new revision, from which on searches see the slice's documents as they are now."""
    generation_id = current.generation.id
    revision = collections.raise_revision(connection, current.collection)
    chunks.open_pending(connection, generation_id, [document.id for document in ready], revision)
    chunks.close(connection, generation_id, [ending.document.id for ending in current.endings], revision)
    deleted = [ending.document.id for ending in current.endings if ending.state is DocumentState.DELETED]
    chunks.drop_pages(connection, deleted)
    return revision


def _after(ending: Ending) -> dict[str, Any]:
    if ending.state is DocumentState.INDEXED:
        return ending.facts
    after: dict[str, Any] = {**ending.facts, "indexed_hash": None}
    if ending.state is DocumentState.DELETED:
        after |= {"is_delete_wanted": False, "vanished_at": None}
    return after


def _update_payloads(current: Slice, stale: dict[UUID, dict[str, Any]]) -> None:
    if not stale:
        return
    with current.bench.ledger.begin() as connection:
        points.doubt(connection, current.generation.id, stale)
    qdrant_points.overwrite_payloads(current.bench.qdrant, current.generation.physical, stale.items())
    hashes = {chunk_id: qdrant_points.payload_hash(content) for chunk_id, content in stale.items()}
    with current.bench.ledger.begin() as connection:
        points.record(connection, current.generation.id, hashes)
    current.report.payloads_updated += len(stale)


def _payload(current: Slice, document: Claimed, chunk: Chunk) -> dict[str, Any]:
    return qdrant_points.payload(
        collection=current.collection,
        document_id=document.id,
        path=document.path,
        title=document.title,
        media_type=document.media_type,
        language=document.language,
        modified_at=datetime.fromtimestamp(document.mtime_ns / 1e9, UTC).isoformat(),
        ingested_at=datetime.now(UTC).isoformat(),
        ordinal=chunk.ordinal,
        page=chunk.page,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
    )
