"""What a run did, in numbers: added up by the stages, shown in Dagster and kept in the ledger."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_LISTED = 50
"""Failed documents named in a report; all of them are in the ledger."""


@dataclass(slots=True)
class IngestReport:
    """Counts of one run.

    Shapes:
        claimed: documents taken up; extracted + unchanged + deleted + reasons + postponed account for them.
        reasons: documents that ended without becoming searchable, by reason code.
        not_searchable: (path, reason, detail) of the first MAX_LISTED of those.
        embedded: strings sent to the model; cached: strings whose vector was known.
        stage_s: seconds by stage.
    """

    claimed: int = 0
    extracted: int = 0
    unchanged: int = 0
    indexed: int = 0
    deleted: int = 0
    postponed: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    not_searchable: list[tuple[str, str, str]] = field(default_factory=list)
    bytes_read: int = 0
    chunks: int = 0
    tokens: int = 0
    embedded: int = 0
    embedded_tokens: int = 0
    cached: int = 0
    points_upserted: int = 0
    payloads_updated: int = 0
    points_deleted: int = 0
    revision: int | None = None
    slices: int = 0
    stage_s: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0

    def not_indexed(self, path: str, reason: str, detail: str, *, is_failure: bool) -> None:
        """Count a document that ended without becoming searchable."""
        self.reasons[reason] += 1
        self.failed += is_failure
        if len(self.not_searchable) < MAX_LISTED:
            self.not_searchable.append((path, reason, detail))

    @property
    def has_done_something(self) -> bool:
        """Whether anything was taken up, written or removed."""
        return bool(self.claimed or self.points_upserted or self.points_deleted or self.payloads_updated)

    @property
    def tokens_per_second(self) -> float:
        """Of the tokens that the model read."""
        seconds = self.stage_s.get("embeddings", 0.0)
        return self.embedded_tokens / seconds if seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """All counts, as the ledger keeps them."""
        return {**asdict(self), "reasons": dict(self.reasons)}
