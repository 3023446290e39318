"""Stage `embeddings`: every passage that no one embedded before goes through the model, once."""

from collections.abc import Sequence

from rag_pipeline.domain.states import DocumentState
from rag_pipeline.ledger import chunks, embeddings, work
from rag_pipeline.services.stages.slices import Slice

_TEXTS_AT_A_TIME = 512
"""What is embedded before it is stored: all that a killed run has to do again (some seconds)."""


def run(current: Slice) -> None:
    """Fill the cache with what the slice's documents lack."""
    waiting = [document.id for document in current.at(DocumentState.EMBEDDING)]
    if not waiting:
        return
    with current.bench.ledger.begin() as connection:
        pending = list(chunks.pending_of(connection, current.generation.id, waiting))
        texts = {chunk.embedded_hash: chunk for chunk in pending}
        missing = embeddings.missing(connection, current.generation.spec.model.fingerprint, texts)
    current.report.cached += len(texts) - len(missing)
    # By length: batches of like-sized texts waste no padding.
    new = sorted((texts[key] for key in missing), key=lambda chunk: (chunk.token_count, chunk.embedded_hash))
    for start in range(0, len(new), _TEXTS_AT_A_TIME):
        current.keep_lease()
        _embed(current, new[start : start + _TEXTS_AT_A_TIME])
    with current.bench.ledger.begin() as connection:
        work.advance(connection, waiting, DocumentState.INDEXING, run_id=current.run_id)
    for document in current.at(DocumentState.EMBEDDING):
        current.move(document, DocumentState.INDEXING)


def _embed(current: Slice, batch: Sequence[chunks.Chunk]) -> None:
    vectors = current.bench.model.embedder.embed_passages([chunk.text for chunk in batch])
    by_hash = {chunk.embedded_hash: vector for chunk, vector in zip(batch, vectors, strict=True)}
    with current.bench.ledger.begin() as connection:
        embeddings.store(connection, current.generation.spec.model.fingerprint, by_hash)
    current.report.embedded += len(batch)
    current.report.embedded_tokens += sum(chunk.token_count for chunk in batch)
