"""The mass-delete guard: which vanished documents may be deleted, and which wait for a person.

A missing mount looks exactly like a deletion of everything. Only a person can tell them apart.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GuardRule:
    """Deletions wait when they are over `max_share` of the documents and at least `min_documents`."""

    max_share: float
    min_documents: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """A document whose file is gone. `content_hash` is None when the file was never read."""

    document_id: UUID
    content_hash: bytes | None


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """Vanished documents that may be deleted, those that wait, and why they wait (None: none do)."""

    released: tuple[UUID, ...]
    held: tuple[UUID, ...]
    reason: str | None


def decide_deletions(
    vanished: Sequence[Vanished],
    *,
    present_hashes: AbstractSet[bytes],
    total: int,
    rule: GuardRule,
    root_trouble: str | None = None,
) -> GuardDecision:
    """Which of the `vanished` documents may be deleted.

    Args:
        vanished: all documents of the collection whose file is gone and whose deletion nobody confirmed.
        present_hashes: content hashes of documents that are still there, in any collection. A document whose
            content is among them was moved, and its deletion loses nothing.
        total: documents of the collection before anything vanished.
        rule: when to wait.
        root_trouble: why the collection's folder as a whole cannot be trusted ("is missing"), else None.
    """
    if root_trouble is not None:
        held = tuple(document.document_id for document in vanished)
        return GuardDecision((), held, f"the folder {root_trouble}" if held else None)
    moved = [document for document in vanished if document.content_hash in present_hashes]
    lost = [document for document in vanished if document.content_hash not in present_hashes]
    if len(lost) >= rule.min_documents and len(lost) > rule.max_share * total:
        return GuardDecision(
            _ids(moved), _ids(lost), f"{len(lost)} of {total} documents vanished and their content is nowhere else"
        )
    return GuardDecision(_ids(moved) + _ids(lost), (), None)


def _ids(documents: Collection[Vanished]) -> tuple[UUID, ...]:
    return tuple(document.document_id for document in documents)
