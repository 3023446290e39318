"""Stage `documents`: files become pages of text, one at a time, in a child process that can be killed."""

import logging
from dataclasses import replace

from rag_pipeline.domain.documents import Document
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import (
    DocumentError,
    FileChangingError,
    FileUnreachableError,
    FileVanishedError,
    FolderMissingError,
    ReasonCode,
)
from rag_pipeline.extraction.registry import extractor_versions, formats_version
from rag_pipeline.extraction.sandbox import Extractor
from rag_pipeline.extraction.snapshot import Snapshot, take_snapshot
from rag_pipeline.ledger import work
from rag_pipeline.ledger.work import Claimed
from rag_pipeline.services.stages.slices import Ending, Slice

logger = logging.getLogger(__name__)


def run(current: Slice, extractor: Extractor) -> None:
    """Extract every document of the slice that is due for it; the others go on from where they stopped."""
    with current.bench.ledger.begin() as connection:
        folder = work.collection_folder(connection, current.collection)
    for document in list(current.open.values()):
        current.keep_lease()
        if document.is_delete_wanted:
            current.leave(document)
            current.endings.append(Ending(document, DocumentState.DELETED))
            current.report.deleted += 1
        elif document.attempts > current.bench.rules.max_attempts:
            current.end(document, ReasonCode.INTERNAL_ERROR, f"{document.attempts - 1} runs died while they had it")
        elif document.extracted_seq < document.seq:
            _extract(current, extractor, folder, document)
        # else: a run that died had extracted it; its state says which stage comes next


def _extract(current: Slice, extractor: Extractor, folder: bytes, document: Claimed) -> None:
    root = current.bench.uploads_dir / folder.decode("utf-8", "surrogateescape")
    with current.bench.ledger.begin() as connection:
        work.advance(connection, [document.id], DocumentState.EXTRACTING, run_id=current.run_id)
    try:
        with take_snapshot(
            root,
            document.path_bytes,
            directory=current.bench.scratch_dir,
            max_file_bytes=current.bench.limits.max_file_bytes,
        ) as snapshot:
            _read(current, extractor, document, snapshot)
    except DocumentError as error:
        logger.info("document %s: %s", document.id, error.reason.value)
        current.end(document, error.reason, error.detail)
    except (FileChangingError, FileUnreachableError) as error:
        if document.attempts >= current.bench.rules.max_attempts:
            is_changing = isinstance(error, FileChangingError)
            reason = ReasonCode.KEEPS_CHANGING if is_changing else ReasonCode.UNREADABLE
            current.end(document, reason, str(error))
        else:
            _postpone(current, document)
    except (FileVanishedError, FolderMissingError):
        # What that means is for the next scan to say: it sees the whole folder, and has the guard. Until then this is
        # no attempt: a folder that stays away must never make its documents fail.
        _postpone(current, document, attempts=document.attempts - 1)


def _read(current: Slice, extractor: Extractor, document: Claimed, snapshot: Snapshot) -> None:
    facts: dict[str, object] = {
        "content_hash": snapshot.content_hash,
        "size_bytes": snapshot.size_bytes,
        "seen_size_bytes": snapshot.size_bytes,
        "seen_mtime_ns": snapshot.mtime_ns,
        "seen_ctime_ns": snapshot.ctime_ns,
    }
    if _is_live_already(document, snapshot):
        current.leave(document)
        touched = replace(document, mtime_ns=snapshot.mtime_ns)
        current.unchanged.append(Ending(touched, DocumentState.INDEXED, facts=facts))
        current.report.unchanged += 1
        return
    current.report.bytes_read += snapshot.size_bytes
    try:
        extracted = extractor.extract(snapshot.path, file_name=document.path_bytes.rsplit(b"/", 1)[-1])
    except DocumentError as error:
        logger.info("document %s: %s", document.id, error.reason.value)
        if error.reason is ReasonCode.UNSUPPORTED_TYPE:
            facts["extractor"] = formats_version()
        current.end(document, error.reason, error.detail, **facts)
        return
    _record(current, document, extracted, facts)


def _is_live_already(document: Claimed, snapshot: Snapshot) -> bool:
    """Whether searches already answer from these bytes, read by this version of the extractor."""
    is_flipped = document.extracted_seq <= document.done_seq
    return (
        is_flipped
        and document.indexed_hash == document.content_hash == snapshot.content_hash
        and document.extractor == extractor_versions().get(document.media_type or "")
    )


def _record(current: Slice, document: Claimed, extracted: Document, facts: dict[str, object]) -> None:
    with current.bench.ledger.begin() as connection:
        work.check_held(connection, [document.id], run_id=current.run_id)
        work.record_extraction(connection, document.id, extracted, seq=document.seq, **facts)
    current.move(
        document,
        DocumentState.CHUNKING,
        extracted_seq=document.seq,
        media_type=extracted.media_type,
        title=extracted.title,
        language=extracted.language,
        mtime_ns=facts["seen_mtime_ns"],
        content_hash=facts["content_hash"],
    )
    current.report.extracted += 1


def _postpone(current: Slice, document: Claimed, **facts: int) -> None:
    wait_s = current.bench.rules.retry_after_s * 2 ** max(document.attempts - 1, 0)
    with current.bench.ledger.begin() as connection:
        work.check_held(connection, [document.id], run_id=current.run_id)
        work.postpone(connection, document.id, wait_s=wait_s, **facts)
    current.leave(document)
    current.report.postponed += 1
