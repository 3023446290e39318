"""A workbench to test with: real stores, real files, real extraction; only the model is a fake, and fast.

`Workshop` does what a user and the sensor do: put files, scan, ingest, search; and tells the whole state of it.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from rag_pipeline.domain.deletions import GuardRule
from rag_pipeline.domain.spec import DENSE_VECTOR, ChunkingSpec, ModelSpec
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.sparse import Bm25Encoder
from rag_pipeline.embedding.tokens import ModelTokenizer
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.ledger import generations
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.ledger.tables import FOREVER, chunks, documents, points
from rag_pipeline.services.ingest import ingest_collection
from rag_pipeline.services.report import IngestReport
from rag_pipeline.services.scan import ScanReport, scan_uploads
from rag_pipeline.services.search import Hit, search
from rag_pipeline.services.workbench import IngestRules, Model, Workbench
from rag_pipeline.vectors.client import connect
from rag_pipeline_tests.embedding.models import wheel_files

DIMENSION = 16
RULES = IngestRules(
    settle_s=0.0,
    max_documents=500,
    max_bytes=64_000_000,
    turn_s=60.0,
    lease_s=900.0,
    max_attempts=3,
    retry_after_s=30.0,
    point_grace_s=0.0,
    guard=GuardRule(max_share=0.5, min_documents=20),
)
SPEC = ModelSpec(name="fake", revision="fake", dimension=DIMENSION, max_tokens=256)


@dataclass(slots=True)
class FakeEmbedder:
    """Each word has a direction of its own, made from its SHA-256: texts that share words are near. Counts its work."""

    spec: ModelSpec = SPEC
    embedded: list[str] = field(default_factory=list)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        return np.array([_direction(text) for text in texts], dtype=np.float32).reshape(-1, self.spec.dimension)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return _direction(text)


def _direction(text: str) -> NDArray[np.float32]:
    total = np.zeros(DIMENSION)
    for word in text.lower().split():
        digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
        total += np.frombuffer(digest[:DIMENSION], dtype=np.int8)
    return (total / (np.linalg.norm(total) or 1.0)).astype(np.float32)


class FakeModel(Model):
    """The fake embedder with the default model's real tokenizer."""

    def __init__(self, spec: ModelSpec = SPEC) -> None:
        super().__init__(lambda: LocalModel(spec, wheel_files()), runtime="onnx", threads=1)

    @cached_property
    def embedder(self) -> FakeEmbedder:  # pyright: ignore[reportIncompatibleVariableOverride] - a fake of the protocol
        return FakeEmbedder(self.local.spec)

    @cached_property
    def tokenizer(self) -> ModelTokenizer:
        return _tokenizer()


_loaded: list[ModelTokenizer] = []


def _tokenizer() -> ModelTokenizer:
    if not _loaded:
        _loaded.append(ModelTokenizer(wheel_files() / "tokenizer.json"))
    return _loaded[0]


@dataclass(slots=True)
class Workshop:
    """A workbench with its uploads folder."""

    bench: Workbench
    database_url: str
    qdrant_url: str

    @classmethod
    @contextmanager
    def open(cls, database_url: str, qdrant_url: str, folder: Path, *, model: Model) -> "Iterator[Workshop]":
        uploads = folder / "uploads"
        uploads.mkdir(parents=True, exist_ok=True)
        bench = Workbench(
            ledger=Ledger(database_url),
            qdrant=connect(qdrant_url),
            model=model,
            sparse=Bm25Encoder(),
            chunking=ChunkingSpec(max_tokens=48, overlap_tokens=8),
            limits=ExtractionLimits(timeout_s=20, max_memory_bytes=1_000_000_000),
            rules=RULES,
            uploads_dir=uploads,
            scratch_dir=folder / "scratch",
        )
        try:
            yield cls(bench, database_url, qdrant_url)
        finally:
            bench.close()

    @property
    def embedder(self) -> FakeEmbedder:
        embedder = self.bench.model.embedder
        assert isinstance(embedder, FakeEmbedder)
        return embedder

    def rule(self, **changes: Any) -> None:  # noqa: ANN401 - any field of IngestRules
        """Work by other rules from now on."""
        self.bench = replace(self.bench, rules=replace(self.bench.rules, **changes))

    def path(self, name: str | bytes) -> Path:
        return self.bench.uploads_dir / os.fsdecode(name)

    def put(self, name: str | bytes, content: str | bytes = "") -> Path:
        """Write a file below the uploads folder; its ctime is over when this returns."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.let_time_pass(path)
        return path

    def let_time_pass(self, path: Path) -> None:
        """Until a change of `path` that comes now shows in its ctime: file systems tick some ms at a time."""
        status = path.stat(follow_symlinks=False)
        deadline = status.st_ctime_ns + 12_000_000
        while time.time_ns() < deadline:
            time.sleep(0.002)

    def scan(self) -> ScanReport:
        return scan_uploads(self.bench.ledger, self.bench.uploads_dir, self.bench.rules)

    def ingest(self, collection: str = "papers", **options: Any) -> IngestReport:  # noqa: ANN401 - of ingest_collection
        return ingest_collection(self.bench, collection, **{"run_id": uuid4().hex, **options})

    def catch_up(self, collection: str = "papers") -> IngestReport:
        """Scan, ingest, and scan and ingest what that released."""
        self.scan()
        report = self.ingest(collection)
        self.scan()
        return report

    def find(self, query: str, *, collection: str = "papers", limit: int = 100) -> tuple[Hit, ...]:
        return search(self.bench, collection, query, limit=limit).hits

    def found_paths(self, query: str, *, collection: str = "papers", limit: int = 100) -> list[str]:
        return [hit.chunk.path for hit in self.find(query, collection=collection, limit=limit)]

    def states(self, collection: str = "papers") -> dict[str, tuple[str, str | None]]:
        """By path: state and reason."""
        with self.bench.ledger.begin() as connection:
            rows = connection.execute(
                sa.select(documents.c.path, documents.c.state, documents.c.reason).where(
                    documents.c.collection == collection
                )
            )
            return {row.path: (row.state, row.reason) for row in rows}

    def column(self, name: str, collection: str = "papers") -> dict[str, Any]:
        """By path: one column of the documents."""
        with self.bench.ledger.begin() as connection:
            rows = connection.execute(
                sa.select(documents.c.path, documents.c[name]).where(documents.c.collection == collection)
            )
            return {row[0]: row[1] for row in rows}

    def change_documents(self, **values: Any) -> None:  # noqa: ANN401 - column values
        """Set columns of every document: time passes, a run dies."""
        with self.bench.ledger.begin() as connection:
            connection.execute(sa.update(documents).values(**values))

    def live_chunks(self, collection: str = "papers") -> dict[str, tuple[Any, ...]]:
        """By chunk id: everything a search says of it."""
        with self.bench.ledger.begin() as connection:
            view = generations.current_view(connection, collection)
            if view is None:
                return {}
            rows = connection.execute(
                sa.select(
                    *(
                        chunks.c[name]
                        for name in ("chunk_id", "ordinal", "page", "start", "end", "token_count", "text")
                    ),
                    documents.c.path,
                )
                .join(documents, documents.c.id == chunks.c.document_id)
                .where(
                    chunks.c.generation_id == view.generation.id,
                    chunks.c.live_from < FOREVER,
                    chunks.c.live_to == FOREVER,
                )
            ).all()
        assert len({row.chunk_id for row in rows}) == len(rows)
        return {str(row.chunk_id): tuple(row)[1:] for row in rows}

    def recorded_points(self) -> set[str]:
        with self.bench.ledger.begin() as connection:
            rows = connection.execute(sa.select(points.c.chunk_id, points.c.payload_hash)).all()
        assert all(row.payload_hash for row in rows), "points are in doubt"
        return {str(row.chunk_id) for row in rows}

    def qdrant_points(self, collection: str = "papers") -> dict[str, tuple[dict[str, Any], list[float]]]:
        """By id: payload without the moment it was written, and the dense vector."""
        physical = f"{collection}__g1"
        if not self.bench.qdrant.collection_exists(physical):
            return {}
        found, rest = self.bench.qdrant.scroll(physical, limit=10_000, with_payload=True, with_vectors=[DENSE_VECTOR])
        assert rest is None
        return {str(point.id): _written(point.payload or {}, point.vector) for point in found}

    def whole_state(self, collection: str = "papers") -> dict[str, Any]:
        """All that a user could tell apart, and that the stores agree on it."""
        live = self.live_chunks(collection)
        in_qdrant = self.qdrant_points(collection)
        assert set(live) == set(in_qdrant)
        assert self.recorded_points() == set(in_qdrant)
        return {
            "documents": {path: state for path, state in self.states(collection).items() if state[0] != "deleted"},
            "chunks": live,
            "points": in_qdrant,
        }


def _written(payload: dict[str, Any], vectors: Any) -> tuple[dict[str, Any], list[float]]:  # noqa: ANN401 - Qdrant's
    kept = {name: value for name, value in payload.items() if name != "ingested_at"}
    return kept, [round(value, 5) for value in vectors[DENSE_VECTOR]]


def words(seed: str, count: int) -> str:
    """`count` words of sentences that only texts of this seed hold, in paragraphs."""
    sentences = [
        " ".join(f"{seed}{n}" for n in range(start, min(start + 8, count))) + "." for start in range(0, count, 8)
    ]
    return "\n\n".join(" ".join(sentences[n : n + 3]) for n in range(0, len(sentences), 3))
