"""Queries from JSON: nearest, sparse, by id, prefetch and fusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.filters import filter_or_none
from rag_pipeline.embedded.qdrant.problems import UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    boolean,
    choice,
    fields,
    integer,
    number,
    picked,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.selectors import order_by, with_payload, with_vector
from rag_pipeline.embedded.qdrant.vectors import (
    check_dense,
    is_sparse,
    multi_vector,
    point_id,
    refuse_inference,
    sparse_vector,
)

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId, ScoringQueryType

_STAGE_KEYS = ("prefetch", "query", "using", "filter", "params", "score_threshold", "limit")
_REQUEST_KEYS = (*_STAGE_KEYS, "offset", "with_vector", "with_payload")
_DEFAULT_LIMIT = 10
_DEFAULT_RRF_K = 2
_MAX_PREFETCH_DEPTH = 16


@dataclass(frozen=True, slots=True)
class QueryReader:
    """Reads queries for one collection.

    Shapes:
        vector_of: the vector of this name of a point; raises NotFoundError when the point is not there.
        points_count: limits are cut to it, since the engine sets memory aside for as many as are asked.
    """

    schema: CollectionSchema
    vector_of: Callable[[PointId, str], NamedVector]
    points_count: int

    def request(self, body: object) -> edge.QueryRequest:
        """The engine's request for the body of `points/query`."""
        given = fields(body, of="a query request", allowed=_REQUEST_KEYS)
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
        given = fields(value, of="prefetch", allowed=_STAGE_KEYS)
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
        """The scoring query, and the filter without the point that the query is about."""
        filter_ = filter_or_none(given)
        value = given.get("query")
        if value is None:
            return None, filter_
        using = string(given.get("using", ""), of="using")
        if isinstance(value, dict) and "nearest" in value:
            value = fields(value, of="query", allowed=("nearest",))["nearest"]
        if isinstance(value, (int, str)):
            identity = point_id(value)
            vector = self.vector_of(identity, using)
            return edge.Query.Nearest(vector, using=using), _without(identity, filter_)
        if isinstance(value, list) or is_sparse(value):
            return edge.Query.Nearest(self._vector(value, using), using=using), filter_
        return _special_query(value), filter_

    def _vector(self, value: object, using: str) -> NamedVector:
        if using not in self.schema.names:
            raise WrongInputError(f"Not existing vector name error: {using}")
        if using in self.schema.sparse:
            return sparse_vector(value)
        rows = multi_vector(array(value, of="query")) if using in self.schema.multi else [value]
        check_dense(rows, size=self.schema.dense[using], name=using)
        return value  # pyright: ignore[reportReturnType] - a list of numbers, as just checked

    def _limit(self, given: JsonObject) -> int:
        return min(integer(given.get("limit", _DEFAULT_LIMIT), of="limit", least=1), max(1, self.points_count))

    def _params(self, given: JsonObject) -> edge.SearchParams | None:
        if "params" not in given:
            return None
        params = fields(given["params"], of="params", allowed=("hnsw_ef", "exact", "quantization", "indexed_only"))
        if boolean(params.get("indexed_only", False), of="indexed_only"):
            raise UnsupportedError("`indexed_only`: points are searched without an index")
        ef = params.get("hnsw_ef")
        return edge.SearchParams(
            hnsw_ef=None if ef is None else min(integer(ef, of="hnsw_ef"), max(1, self.points_count)),
            exact=boolean(params.get("exact", False), of="exact"),
            quantization=_quantization(params["quantization"]) if "quantization" in params else None,
        )


def _quantization(value: object) -> edge.QuantizationSearchParams:
    given = picked(value, of="quantization", keys=("ignore", "rescore", "oversampling"))
    return edge.QuantizationSearchParams(
        ignore=boolean(given.get("ignore", False), of="ignore"),
        rescore=boolean(given["rescore"], of="rescore") if "rescore" in given else None,
        oversampling=number(given["oversampling"], of="oversampling", least=1.0) if "oversampling" in given else None,
    )


def _special_query(value: object) -> ScoringQueryType:
    refuse_inference(value)
    given = fields(value, of="query", allowed=("fusion", "rrf", "order_by", "sample"))
    if len(given) != 1:
        raise WrongInputError("a query has exactly one kind")
    ((kind, operand),) = given.items()
    if kind == "fusion":
        fusion = choice(operand, of="fusion", among=("rrf", "dbsf"))
        return edge.Fusion.Dbsf() if fusion == "dbsf" else edge.Fusion.Rrf(k=_DEFAULT_RRF_K)  # pyright: ignore[reportReturnType] - the stub does not know that these are Fusions
    if kind == "rrf":
        return _rrf(operand)
    if kind == "order_by":
        return order_by(operand)
    choice(operand, of="sample", among=("random",))
    return edge.Sample.Random


def _rrf(value: object) -> ScoringQueryType:
    given = fields(value, of="rrf", allowed=("k", "weights"))
    weights = (
        [number(weight, of="a weight") for weight in array(given["weights"], of="weights")]
        if "weights" in given
        else None
    )
    k = integer(given.get("k", _DEFAULT_RRF_K), of="k", least=1, most=2**31)
    return edge.Fusion.Rrf(k=k, weights=weights)  # pyright: ignore[reportReturnType] - the stub does not know


def _threshold(given: JsonObject) -> float | None:
    return number(given["score_threshold"], of="score_threshold") if "score_threshold" in given else None


def _without(identity: PointId, filter_: edge.Filter | None) -> edge.Filter:
    """`filter_`, and not this point: a point is not its own neighbour."""
    return edge.Filter(must=[filter_] if filter_ else None, must_not=[edge.HasIdCondition({identity})])


def read_batch(body: object) -> list[object]:
    """The bodies of the single queries of `points/query/batch`."""
    given = fields(body, of="a query batch", allowed=("searches",))
    return array(required(given, "searches", of="a query batch"), of="searches")
