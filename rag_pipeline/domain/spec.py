"""IndexSpec: everything that decides what a generation's points look like, and its fingerprint."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

DENSE_VECTOR = "text-dense"
"""Name of the dense vector in Qdrant: what LlamaIndex's QdrantVectorStore looks for by default."""

SPARSE_VECTOR = "text-sparse-new"
"""Name of the sparse vector, for the same reason."""

PAYLOAD_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChunkingSpec:
    """How text is cut.

    Shapes:
        max_tokens: of one chunk by the model's own tokenizer, prefix and special tokens included; at most what the
            model reads.
        overlap_tokens: of the end of a chunk repeated at the start of the next, at sentence boundaries.
        algorithm: name and version of the code that cuts.
    """

    max_tokens: int
    overlap_tokens: int
    algorithm: str = "even-sentences/1"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """An embedding model, down to its weights.

    Shapes:
        name: as the user gave it (hub name or path's last part), for people.
        revision: SHA-256 (hex) over weights, tokenizer and pooling; equal revision means equal vectors.
        dimension: of a vector.
        max_tokens: what the model reads, special tokens included.
        query_prefix, passage_prefix: put before the text, part of what is embedded.
    """

    name: str
    revision: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""

    @property
    def fingerprint(self) -> str:
        """First half of the embedding cache's key: same fingerprint and same string, same vector (16 hex digits)."""
        return _fingerprint([self.revision, self.dimension, self.max_tokens])


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """What a generation is built for. Two generations with one fingerprint hold the same points."""

    chunking: ChunkingSpec
    model: ModelSpec
    sparse_encoder: str
    payload_schema: int = PAYLOAD_SCHEMA_VERSION

    def as_json(self) -> dict[str, Any]:
        """The whole spec, as the ledger keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, spec: dict[str, Any]) -> "IndexSpec":
        """The inverse of `as_json`."""
        return cls(
            chunking=ChunkingSpec(**spec["chunking"]),
            model=ModelSpec(**spec["model"]),
            sparse_encoder=spec["sparse_encoder"],
            payload_schema=spec["payload_schema"],
        )

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when any part that shapes points changes; the model's display name does not."""
        parts = self.as_json()
        del parts["model"]["name"]
        return _fingerprint(parts)


def _fingerprint(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
