"""How many requests were answered, with what and how fast: what `/metrics` and `/telemetry` tell."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

DURATION_BOUNDS_S = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0)
"""Upper bounds of the histogram; beyond the last there is one more bucket."""


@dataclass(slots=True)
class Durations:
    """Durations of the answers with one status from one endpoint.

    Shapes:
        buckets: how many were at most each of DURATION_BOUNDS_S and more than the one before; then the rest.
    """

    count: int = 0
    total_s: float = 0.0
    least_s: float = float("inf")
    most_s: float = 0.0
    last: datetime | None = None
    buckets: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))

    def add(self, duration_s: float) -> None:
        """One more answer, just given."""
        self.count += 1
        self.total_s += duration_s
        self.least_s = min(self.least_s, duration_s)
        self.most_s = max(self.most_s, duration_s)
        self.last = datetime.now(UTC)
        self.buckets[bisect_left(DURATION_BOUNDS_S, duration_s)] += 1


class Statistics:
    """Durations by method, endpoint and status, since the process started. Used on the event loop only."""

    def __init__(self) -> None:
        self._durations: dict[tuple[str, str, int], Durations] = {}

    def record(self, method: str, endpoint: str, status: int, *, duration_s: float) -> None:
        """One more answer; `endpoint` is the route's pattern, so that there are few."""
        key = (method, endpoint, status)
        if key not in self._durations:
            self._durations[key] = Durations()
        self._durations[key].add(duration_s)

    def __iter__(self) -> Iterator[tuple[str, str, int, Durations]]:
        """Method, endpoint, status and durations, in order."""
        for (method, endpoint, status), durations in sorted(self._durations.items()):
            yield method, endpoint, status, durations

    def as_object(self) -> Mapping[str, Mapping[str, object]]:
        """`responses` of a `WebApiTelemetry`: by endpoint, then by status."""
        responses: dict[str, dict[str, object]] = {}
        for method, endpoint, status, durations in self:
            responses.setdefault(f"{method} {endpoint}", {})[str(status)] = {
                "count": durations.count,
                "avg_duration_micros": durations.total_s / durations.count * 1e6,
                "min_duration_micros": durations.least_s * 1e6,
                "max_duration_micros": durations.most_s * 1e6,
                "total_duration_micros": round(durations.total_s * 1e6),
                "last_responded": durations.last,
            }
        return responses
