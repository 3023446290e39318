"""What the services work with: the stores, the model and the rules. Made from settings in `composition`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from qdrant_client import QdrantClient

from rag_pipeline.domain.deletions import GuardRule
from rag_pipeline.domain.spec import ChunkingSpec, IndexSpec
from rag_pipeline.embedding.embedder import Embedder, load_embedder
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.sparse import Bm25Encoder
from rag_pipeline.embedding.tokens import ModelTokenizer
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.ledger.engine import Ledger


@dataclass(frozen=True, slots=True)
class IngestRules:
    """How work is found, claimed and finished; the fields are those of `RAG_INGEST__*`."""

    settle_s: float
    max_documents: int
    max_bytes: int
    turn_s: float
    lease_s: float
    max_attempts: int
    retry_after_s: float
    point_grace_s: float
    guard: GuardRule


class Model:
    """The prepared embedding model; loaded on first use, so that a run without new text never loads it."""

    def __init__(self, prepare: Callable[[], LocalModel], *, runtime: str, threads: int | None) -> None:
        """`prepare` finds (the first time: exports) the model."""
        self._prepare = prepare
        self._runtime = runtime
        self._threads = threads

    @cached_property
    def local(self) -> LocalModel:
        """Its files and spec."""
        return self._prepare()

    @cached_property
    def embedder(self) -> Embedder:
        """Text to vectors."""
        return load_embedder(
            self.local, runtime="onnx" if self._runtime == "onnx" else "reference", threads=self._threads
        )

    @cached_property
    def tokenizer(self) -> ModelTokenizer:
        """Token counts as the model makes them."""
        return ModelTokenizer(self.local.tokenizer_file)


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything a service needs. Safe to share between threads."""

    ledger: Ledger
    qdrant: QdrantClient
    model: Model
    sparse: Bm25Encoder
    chunking: ChunkingSpec
    limits: ExtractionLimits
    rules: IngestRules
    uploads_dir: Path
    scratch_dir: Path

    def wanted_spec(self) -> IndexSpec:
        """The IndexSpec that the settings ask for; chunks are never longer than the model reads."""
        model = self.model.local.spec
        max_tokens = min(self.chunking.max_tokens, model.max_tokens)
        chunking = replace(
            self.chunking,
            max_tokens=max_tokens,
            overlap_tokens=min(self.chunking.overlap_tokens, max_tokens // 2),
        )
        return IndexSpec(chunking=chunking, model=model, sparse_encoder=self.sparse.name)

    def close(self) -> None:
        """Give up the connections."""
        self.qdrant.close()
        self.ledger.close()
