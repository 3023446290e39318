"""Query requests from JSON: stages, limits and selectors. What a single `query` may be is in `query_kinds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, array, integer, known, number, required
from rag_pipeline.embedded.qdrant.requests.examples import Examples, Others, VectorSource
from rag_pipeline.embedded.qdrant.requests.filters import filter_or_none
from rag_pipeline.embedded.qdrant.requests.query_kinds import scoring_query
from rag_pipeline.embedded.qdrant.requests.search_params import search_params
from rag_pipeline.embedded.qdrant.requests.selectors import with_payload, with_vector

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PointId, ScoringQueryType

DEFAULT_LIMIT = 10
_MAX_PREFETCH_DEPTH = 16


@dataclass(frozen=True, slots=True)
class QueryReader:
    """Reads queries for one collection.

    Shapes:
        home: the collection.
        others: where `lookup_from` looks.
        points_count: limits are cut to it, since the engine sets memory aside for as many as are asked.
    """

    home: VectorSource
    others: Others
    points_count: int

    def request(self, body: object) -> edge.QueryRequest:
        """The engine's request for the body of `points/query`."""
        given = known(body, of="a query request")
        query, filter_ = self._query(given)
        return edge.QueryRequest(
            limit=self._limit(given),
            offset=min(integer(given.get("offset", 0), of="offset"), self.points_count),
            query=query,
            prefetches=self._prefetches(given, depth=0),
            with_vector=with_vector(given),
            with_payload=with_payload(given, default=False),
            filter=filter_,
            score_threshold=_threshold(given),
            params=self._params(given),
        )

    def _prefetches(self, given: JsonObject, *, depth: int) -> list[edge.Prefetch] | None:
        if "prefetch" not in given:
            return None
        if depth >= _MAX_PREFETCH_DEPTH:
            raise WrongInputError(f"prefetches nest at most {_MAX_PREFETCH_DEPTH} levels")
        stages = given["prefetch"]
        return [self._prefetch(stage, depth=depth + 1) for stage in (stages if isinstance(stages, list) else [stages])]

    def _prefetch(self, value: object, *, depth: int) -> edge.Prefetch:
        given = known(value, of="prefetch")
        query, filter_ = self._query(given)
        return edge.Prefetch(
            limit=self._limit(given),
            query=query,
            prefetches=self._prefetches(given, depth=depth),
            params=self._params(given),
            filter=filter_,
            score_threshold=_threshold(given),
        )

    def _query(self, given: JsonObject) -> tuple[ScoringQueryType | None, edge.Filter | None]:
        """The scoring query, and the filter without the points that the query is about."""
        filter_ = filter_or_none(given)
        if "query" not in given:
            return None, filter_
        examples = Examples.of(given, home=self.home, others=self.others)
        query = scoring_query(given["query"], examples, limit=self._limit(given))
        return query, _without(examples.mentioned, filter_) if examples.mentioned else filter_

    def _limit(self, given: JsonObject) -> int:
        return min(integer(given.get("limit", DEFAULT_LIMIT), of="limit", least=1), max(1, self.points_count))

    def _params(self, given: JsonObject) -> edge.SearchParams | None:
        return search_params(given["params"], points_count=self.points_count) if "params" in given else None


def _threshold(given: JsonObject) -> float | None:
    return number(given["score_threshold"], of="score_threshold") if "score_threshold" in given else None


def _without(mentioned: set[PointId], filter_: edge.Filter | None) -> edge.Filter:
    """`filter_`, and none of these points: a point is not its own neighbour."""
    return edge.Filter(must=[filter_] if filter_ else None, must_not=[edge.HasIdCondition(mentioned)])


def read_batch(body: object) -> list[object]:
    """The bodies of the single queries of `points/query/batch`."""
    given = known(body, of="a query batch")
    return array(required(given, "searches", of="a query batch"), of="searches")
