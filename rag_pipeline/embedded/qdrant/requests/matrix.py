"""Distance matrices: a random sample of points, and for each its nearest neighbours among the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag_pipeline.embedded.qdrant.problems import WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, integer, known, string
from rag_pipeline.embedded.qdrant.requests.grouping import Ask

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PointId, ScoredPoint

_DEFAULT_SAMPLE = 10
_DEFAULT_LIMIT = 3


@dataclass(frozen=True, slots=True)
class Matrix:
    """Sampled points, and for each the nearest others of the sample, best first."""

    ids: Sequence[PointId]
    neighbours: Sequence[Sequence[ScoredPoint]]

    def as_pairs(self) -> JsonObject:
        """A `SearchMatrixPairsResponse`."""
        return {
            "pairs": [
                {"a": identity, "b": other.id, "score": np.float32(other.score)}
                for identity, others in zip(self.ids, self.neighbours, strict=True)
                for other in others
            ]
        }

    def as_offsets(self) -> JsonObject:
        """A `SearchMatrixOffsetsResponse`."""
        place = {identity: offset for offset, identity in enumerate(self.ids)}
        cells = [(row, other) for row, others in enumerate(self.neighbours) for other in others]
        return {
            "offsets_row": [row for row, _ in cells],
            "offsets_col": [place[other.id] for _, other in cells],
            "scores": [np.float32(other.score) for _, other in cells],
            "ids": self.ids,
        }


def read_matrix(body: object, ask: Ask, *, vectors: Collection[str]) -> Matrix:
    """The matrix for the body of `points/search/matrix/...`."""
    given = known(body, of="a matrix request")
    sample = integer(given.get("sample", _DEFAULT_SAMPLE), of="sample", least=2)
    limit = integer(given.get("limit", _DEFAULT_LIMIT), of="limit", least=1)
    using = string(given.get("using", ""), of="using")
    if using not in vectors:
        raise WrongInputError(f"Not existing vector name error: {using}")
    has_vector = {"has_vector": using}
    wanted = [given["filter"], has_vector] if "filter" in given else has_vector
    sampled = ask({"query": {"sample": "random"}, "filter": {"must": wanted}, "limit": sample})
    ids = [point.id for point in sampled]
    if len(ids) <= 1:
        return Matrix([], [])
    among = {"must": {"has_id": [identity if isinstance(identity, int) else str(identity) for identity in ids]}}
    stage = {"using": using, "filter": among, "limit": limit}
    neighbours = [ask({**stage, "query": identity if isinstance(identity, int) else str(identity)}) for identity in ids]
    return Matrix(ids, neighbours)
