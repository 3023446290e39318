"""Bringing a collection's index up to the ledger: claim a slice of due documents, stage by stage, and again."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from rag_pipeline.errors import AllDocumentsFailedError, RagPipelineError
from rag_pipeline.extraction.sandbox import Extractor
from rag_pipeline.ledger import collections, runs, work
from rag_pipeline.ledger.chunks import pending_tokens
from rag_pipeline.ledger.generations import Generation
from rag_pipeline.services.generations import live_generation
from rag_pipeline.services.judge import judge_counts
from rag_pipeline.services.report import IngestReport
from rag_pipeline.services.stages import chunks, documents, embeddings, qdrant_collection
from rag_pipeline.services.stages.slices import Slice
from rag_pipeline.services.workbench import Workbench

logger = logging.getLogger(__name__)

STAGES = ("documents", "chunks", "embeddings", "qdrant_collection")
"""The stages in their order; each is an asset."""

_TOKENS_PER_FLIP = 100_000
"""About what becomes searchable at once: some seconds to some twenty of embedding, by model and machine."""

_ALL_FAILED_FROM = 20
"""When this many documents were tried and every one failed, the cause is likely ours: the run fails too."""

_NO_DOCUMENTS_FAULT = (RagPipelineError, OSError, MemoryError)
"""What ends a run whatever document it works on. Anything else is a bug that one document brings out: that counts as an
attempt as a death does, so the document is claimed alone in the end, and fails without stopping the others."""


def ingest_collection(
    bench: Workbench,
    collection: str,
    *,
    run_id: str,
    stages: tuple[str, ...] = STAGES,
    is_somebody_waiting: Callable[[], bool] = lambda: False,
    on_slice: Callable[[IngestReport], None] = lambda _report: None,
) -> IngestReport:
    """Work on the collection's due documents until none is left, or until others wait and our turn is over.

    Args:
        bench: stores, model and rules.
        collection: key.
        run_id: of the Dagster run; leases and the run's counts are kept under it.
        stages: which stages to run, in order; documents stop before one that is left out and stay due.
        is_somebody_waiting: asked after each slice once the turn is over.
        on_slice: called after each slice with the counts so far.

    Raises:
        CollectionBusyError: another run writes this collection.
        IndexSpecChangedError: the collection was built for another IndexSpec.
        AllDocumentsFailedError: many documents were tried and every one failed; all of it is recorded.
        StoreUnavailableError: a store does not answer; what was done stays done.
    """
    report = IngestReport()
    began = time.monotonic()
    with bench.ledger.writer(collection) as lock, _recorded(bench, collection, run_id, report):
        generation = live_generation(bench, collection)
        bench.scratch_dir.mkdir(parents=True, exist_ok=True)
        with Extractor(bench.limits) as extractor:
            while current := _claim(bench, collection, generation, run_id, report):
                _run_stages(current, stages, extractor)
                report.slices += 1
                report.duration_s = time.monotonic() - began
                on_slice(report)
                if report.duration_s > bench.rules.turn_s and is_somebody_waiting():
                    logger.info("collection %s: giving way after %.0f s", collection, report.duration_s)
                    break
        if "qdrant_collection" in stages:
            with _timed(report, "qdrant_collection"):
                qdrant_collection.tidy(bench, generation, report, lock=lock)
                judge_counts(bench, generation)
        report.duration_s = time.monotonic() - began
    logger.info(
        "collection %s: %d claimed, %d indexed, %d embedded, %d upserted in %.1f s",
        collection,
        report.claimed,
        report.indexed,
        report.embedded,
        report.points_upserted,
        report.duration_s,
    )
    if report.failed >= _ALL_FAILED_FROM and report.failed == report.claimed - report.deleted:
        raise AllDocumentsFailedError(
            f"All {report.failed} documents of {collection!r} failed ({dict(report.reasons)}); "
            "`rag-pipeline status` lists them. Look for one cause, such as a missing library or a full disk."
        )
    return report


@contextmanager
def _recorded(bench: Workbench, collection: str, run_id: str, report: IngestReport) -> Iterator[None]:
    """Keep the run's counts, and free what it still holds at its end, however that comes."""
    with bench.ledger.begin() as connection:
        collections.get(connection, collection)
        # We are the only writer now: whoever still holds documents of this collection is dead.
        work.release_collection(connection, collection)
        runs.start(connection, run_id, job="ingest", collection=collection)
    is_a_documents_fault = False
    try:
        yield
    except Exception as error:
        is_a_documents_fault = not isinstance(error, _NO_DOCUMENTS_FAULT)
        raise
    finally:
        with bench.ledger.begin() as connection:
            if is_a_documents_fault:
                work.release_runs(connection, [run_id])
            else:
                work.give_back(connection, run_id)
            runs.finish(connection, run_id, report.as_json())


def _claim(
    bench: Workbench, collection: str, generation: Generation, run_id: str, report: IngestReport
) -> Slice | None:
    with bench.ledger.begin() as connection:
        claimed = work.claim(
            connection,
            collection,
            run_id=run_id,
            lease_s=bench.rules.lease_s,
            max_documents=bench.rules.max_documents,
            max_bytes=bench.rules.max_bytes,
        )
    if not claimed:
        return None
    report.claimed += len(claimed)
    return Slice(bench, collection, generation, run_id, report, {document.id: document for document in claimed})


def _run_stages(current: Slice, stages: tuple[str, ...], extractor: Extractor) -> None:
    report = current.report
    if "documents" in stages:
        with _timed(report, "documents"):
            documents.run(current, extractor)
    if "chunks" in stages:
        with _timed(report, "chunks"):
            chunks.run(current)
    for part in current.parts(_pending_tokens(current), max_tokens=_TOKENS_PER_FLIP):
        if "embeddings" in stages:
            with _timed(report, "embeddings"):
                embeddings.run(part)
        if "qdrant_collection" in stages:
            with _timed(report, "qdrant_collection"):
                qdrant_collection.run(part)


def _pending_tokens(current: Slice) -> dict[UUID, int]:
    with current.bench.ledger.begin() as connection:
        return pending_tokens(connection, current.generation.id, list(current.open))


@contextmanager
def _timed(report: IngestReport, stage: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        report.stage_s[stage] = report.stage_s.get(stage, 0.0) + time.monotonic() - began
