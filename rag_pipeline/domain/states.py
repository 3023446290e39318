"""The states of a document, in the order it passes through them."""

from enum import StrEnum

from rag_pipeline.errors import ReasonCode


class DocumentState(StrEnum):
    """Where a document stands. The first five are on the way, the last four are ends."""

    QUEUED = "queued"
    EXTRACTING = "extracting"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    INDEXING = "indexing"
    INDEXED = "indexed"
    FAILED = "failed"
    SKIPPED = "skipped"
    DELETED = "deleted"

    @property
    def is_terminal(self) -> bool:
        """Whether no work is left to do."""
        return self in TERMINAL_STATES

    @classmethod
    def ended_by(cls, reason: ReasonCode) -> "DocumentState":
        """The terminal state of a document that is not searchable for `reason`."""
        return cls.SKIPPED if reason.is_skip else cls.FAILED


TERMINAL_STATES = frozenset({DocumentState.INDEXED, DocumentState.FAILED, DocumentState.SKIPPED, DocumentState.DELETED})
