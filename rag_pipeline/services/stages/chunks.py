"""Stage `chunks`: pages become passages, cut by the model's own tokenizer, written beside the live ones."""

from rag_pipeline.domain.chunking import cut
from rag_pipeline.domain.ids import chunk_ids, text_hash
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import ReasonCode
from rag_pipeline.ledger import chunks, work
from rag_pipeline.ledger.chunks import Chunk
from rag_pipeline.ledger.work import Claimed
from rag_pipeline.services.stages.slices import Slice


def run(current: Slice) -> None:
    """Cut every document of the slice that stands at `chunking`."""
    for document in current.at(DocumentState.CHUNKING):
        current.keep_lease()
        rows = _cut(current, document)
        if not rows:
            current.end(document, ReasonCode.NO_TEXT, "no passage could be cut from it")
            continue
        with current.bench.ledger.begin() as connection:
            work.advance(connection, [document.id], DocumentState.EMBEDDING, run_id=current.run_id)
            chunks.replace_pending(connection, current.generation.id, document.id, rows)
        current.move(document, DocumentState.EMBEDDING)
        current.report.chunks += len(rows)
        current.report.tokens += sum(row.token_count for row in rows)


def _cut(current: Slice, document: Claimed) -> list[Chunk]:
    spec = current.generation.spec
    prefix = spec.model.passage_prefix
    tokenizer = current.bench.model.tokenizer
    with current.bench.ledger.begin() as connection:
        pages = chunks.read_pages(connection, document.id)
    found = [
        (page, passage)
        for page in pages
        for passage in cut(page.text, lambda texts: tokenizer.count([prefix + text for text in texts]), spec.chunking)
    ]
    texts = [page.text[passage.start : passage.end] for page, passage in found]
    ids = chunk_ids(document.id, texts)
    return [
        Chunk(
            chunk_id=ids[ordinal],
            document_id=document.id,
            ordinal=ordinal,
            page=page.number,
            start=passage.start,
            end=passage.end,
            token_count=passage.token_count,
            text=texts[ordinal],
            embedded_hash=text_hash(prefix + texts[ordinal]),
        )
        for ordinal, (page, passage) in enumerate(found)
    ]
