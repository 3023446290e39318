"""Names that never change for the same input: DocumentId, ChunkId (= PointId), hashes."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1c9a5e-0b9e-5d38-9d7b-3f6f1b1d2c11")
"""Ours alone, made once by uuid4; changing it would orphan every point ever written."""


def document_id(collection: str, relative_path: bytes) -> UUID:
    """The id of the document at `relative_path` (raw bytes, `/` between parts) of `collection`; survives edits."""
    return uuid5(_NAMESPACE, f"document\0{collection}\0{relative_path.hex()}")


def text_hash(text: str) -> bytes:
    """SHA-256 of `text` in UTF-8, 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def chunk_ids(document: UUID, passages: Sequence[str]) -> list[UUID]:
    """Ids of a document's chunks, in their order.

    An id is made of the document, the passage and how many equal passages came before it, so that a passage an edit
    left alone keeps its id wherever it moved, and a passage that stands twice has two.
    """
    seen: Counter[bytes] = Counter()
    ids: list[UUID] = []
    for passage in passages:
        digest = text_hash(passage)
        ids.append(uuid5(document, f"chunk\0{digest.hex()}\0{seen[digest]}"))
        seen[digest] += 1
    return ids
