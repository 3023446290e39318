"""A slice: the documents a run works on together, and how each of them ended so far."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from rag_pipeline.domain.states import DocumentState
from rag_pipeline.errors import ReasonCode
from rag_pipeline.ledger import chunks, work
from rag_pipeline.ledger.generations import Generation
from rag_pipeline.ledger.work import Claimed
from rag_pipeline.services.report import IngestReport
from rag_pipeline.services.workbench import Workbench

_SIGN_OF_LIFE_SHARE = 5


@dataclass(frozen=True, slots=True)
class Ending:
    """A document that ends with the slice's flip otherwise than by new chunks. `facts` are columns to set with it."""

    document: Claimed
    state: DocumentState
    reason: ReasonCode | None = None
    detail: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Slice:
    """Documents under one claim.

    Shapes:
        open: by id, documents that are on their way, each at the stage its `state` names.
        endings: documents that end with the flip without being searchable; their live chunks go.
        unchanged: documents that searches answer from already; at most their payloads are behind.
    """

    bench: Workbench
    collection: str
    generation: Generation
    run_id: str
    report: IngestReport
    open: dict[UUID, Claimed]
    endings: list[Ending] = field(default_factory=list)
    unchanged: list[Ending] = field(default_factory=list)
    _lease_began: float = field(default_factory=time.monotonic)

    def at(self, state: DocumentState) -> list[Claimed]:
        """The open documents that stand at `state`."""
        return [document for document in self.open.values() if document.state is state]

    def move(self, document: Claimed, state: DocumentState, **facts: Any) -> None:  # noqa: ANN401
        """Note that an open document stands at `state` now (the ledger was told already)."""
        self.open[document.id] = replace(document, state=state, **facts)

    def leave(self, document: Claimed) -> None:
        """Take a document off the slice: its end, or its wait, is in the ledger."""
        del self.open[document.id]

    def end(self, document: Claimed, reason: ReasonCode, detail: str, **facts: Any) -> None:  # noqa: ANN401
        """Note that a document will not be searchable for `reason`: at once, or with the flip that hides its chunks."""
        self.leave(document)
        ending = Ending(document, DocumentState.ended_by(reason), reason, detail or None, facts)
        is_failure = ending.state is DocumentState.FAILED
        self.report.not_indexed(document.path, reason.value, detail, is_failure=is_failure)
        if document.indexed_hash is not None:
            self.endings.append(ending)
            return
        with self.bench.ledger.begin() as connection:
            work.check_held(connection, [document.id], run_id=self.run_id)
            chunks.replace_pending(connection, self.generation.id, document.id, [])
            work.finish(
                connection, document.id, ending.state, seq=document.seq, reason=reason, detail=ending.detail, **facts
            )

    def parts(self, token_counts: Mapping[UUID, int], *, max_tokens: int) -> "Iterator[Slice]":
        """The slice in parts of about `max_tokens` each (one document at least), in the order of the claim.

        What was claimed first is searchable first, and a book does not keep what stands before it waiting. Endings go
        with the last part, so that what replaces a document is there before it is gone.
        """
        part, tokens = self._part(), 0
        for document in list(self.open.values()):
            part.open[document.id] = document
            tokens += token_counts.get(document.id, 0)
            if tokens >= max_tokens:
                yield part
                part, tokens = self._part(), 0
        part.endings, part.unchanged = self.endings, self.unchanged
        yield part

    def _part(self) -> "Slice":
        return replace(self, open={}, endings=[], unchanged=[])

    def keep_lease(self) -> None:
        """Extend the lease when a good part of it has passed; long stages call this as they go."""
        if time.monotonic() - self._lease_began > self.bench.rules.lease_s / _SIGN_OF_LIFE_SHARE:
            with self.bench.ledger.begin() as connection:
                work.extend_leases(connection, run_id=self.run_id, lease_s=self.bench.rules.lease_s)
            self._lease_began = time.monotonic()
