"""Each kind of query from JSON: what stands under `query` besides a vector or an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import FormatError, UnsupportedError, ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    array,
    choice,
    float32,
    integer,
    known,
    number,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.requests.examples import Examples, average
from rag_pipeline.embedded.qdrant.requests.formulas import formula
from rag_pipeline.embedded.qdrant.requests.selectors import order_by
from rag_pipeline.embedded.qdrant.requests.vectors import refuse_inference

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, ScoringQueryType

DEFAULT_RRF_K = 2
_MAX_MMR_CANDIDATES = 16_384
"""Source: Qdrant's openapi, Mmr.candidates_limit."""
_DEFAULT_MMR_DIVERSITY = 0.5
_MAX_K = 2**31
_VECTOR_KEYS = frozenset({"indices", "model"})

Reader = Callable[[JsonObject, Examples, int], "ScoringQueryType"]


def scoring_query(value: object, examples: Examples, *, limit: int) -> ScoringQueryType:
    """The query: a vector, an id of a point, or an object that names its kind."""
    if not isinstance(value, dict) or value.keys() & _VECTOR_KEYS:
        return edge.Query.Nearest(examples.read(value), using=examples.using)
    given = known(value, of="query")
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1:
        refuse_inference(value)
        raise FormatError(f"a query has exactly one of {', '.join(_KINDS)}")
    return _KINDS[kinds[0]](given, examples, limit)


def _nearest(query: JsonObject, examples: Examples, limit: int) -> ScoringQueryType:
    vector = examples.read(query["nearest"])
    if "mmr" not in query:
        return edge.Query.Nearest(vector, using=examples.using)
    if isinstance(vector, edge.SparseVector):
        raise UnsupportedError("MMR over sparse vectors")
    given = known(query["mmr"], of="mmr")
    diversity = number(given.get("diversity", _DEFAULT_MMR_DIVERSITY), of="diversity")
    if not 0 <= diversity <= 1:
        raise ValidationError(f"diversity: value {diversity} invalid, must be from 0.0 to 1.0")
    candidates = integer(given.get("candidates_limit", limit), of="candidates_limit", most=_MAX_MMR_CANDIDATES)
    return edge.Mmr(vector, 1 - diversity, candidates, using=examples.using)


def _recommend(query: JsonObject, examples: Examples, _: int) -> ScoringQueryType:
    given = known(query["recommend"], of="recommend")
    positives, negatives = (
        [examples.read(item) for item in array(given.get(key, []), of=key)] for key in ("positive", "negative")
    )
    strategies = ("average_vector", "best_score", "sum_scores")
    strategy = choice(given.get("strategy", "average_vector"), of="strategy", among=strategies)
    if strategy == "average_vector":
        if not positives:
            raise WrongInputError("At least one positive vector ID required with this strategy")
        return edge.Query.Nearest(average(positives, negatives), using=examples.using)
    if not positives and not negatives:
        raise WrongInputError("At least one positive or negative vector ID required with this strategy")
    recommended = edge.RecommendQuery(positives, negatives)
    if strategy == "best_score":
        return edge.Query.RecommendBestScore(recommended, using=examples.using)
    return edge.Query.RecommendSumScores(recommended, using=examples.using)


def _discover(query: JsonObject, examples: Examples, _: int) -> ScoringQueryType:
    given = known(query["discover"], of="discover")
    target = examples.read(required(given, "target", of="discover"))
    pairs = _pairs(given.get("context", []), examples)
    return edge.Query.Discover(edge.DiscoverQuery(target, pairs), using=examples.using)


def _context(query: JsonObject, examples: Examples, _: int) -> ScoringQueryType:
    return edge.Query.Context(edge.ContextQuery(_pairs(query["context"], examples)), using=examples.using)


def _pairs(value: object, examples: Examples) -> list[edge.ContextPair]:
    def side(pair: JsonObject, key: str) -> NamedVector:
        return examples.read(required(pair, key, of="a context pair"))

    pairs = [known(item, of="a context pair") for item in (value if isinstance(value, list) else [value])]
    return [edge.ContextPair(side(pair, "positive"), side(pair, "negative")) for pair in pairs]


def _feedback(query: JsonObject, examples: Examples, _: int) -> ScoringQueryType:
    given = known(query["relevance_feedback"], of="relevance_feedback")
    target = examples.read(required(given, "target", of="relevance_feedback"))
    items = [
        known(item, of="a feedback item")
        for item in array(required(given, "feedback", of="relevance_feedback"), of="feedback")
    ]
    feedback = [
        edge.FeedbackItem(
            examples.read(required(item, "example", of="a feedback item")),
            float32(required(item, "score", of="a feedback item"), of="score"),
        )
        for item in items
    ]
    strategy = known(required(given, "strategy", of="relevance_feedback"), of="strategy")
    naive = known(required(strategy, "naive", of="strategy"), of="naive")
    a, b, c = (float32(required(naive, key, of="naive"), of=key) for key in ("a", "b", "c"))
    asked = edge.FeedbackNaiveQuery(target, feedback, edge.NaiveFeedbackStrategy(a, b, c))
    return edge.Query.FeedbackNaive(asked, using=examples.using)


def _text(query: JsonObject, examples: Examples, _: int) -> ScoringQueryType:
    value = query["text"]
    given = known({"query": value} if isinstance(value, str) else value, of="text")
    scoring = known(given.get("scoring", {}), of="scoring")
    bm25 = known(scoring.get("bm25", {}), of="bm25")
    k, b = (number(bm25[key], of=key) if key in bm25 else None for key in ("k", "b"))
    return edge.TextQuery(
        examples.using, string(required(given, "query", of="text"), of="query"), edge.Bm25Params(k=k, b=b)
    )


def _fusion(query: JsonObject, _: Examples, __: int) -> ScoringQueryType:
    fusion = choice(query["fusion"], of="fusion", among=("rrf", "dbsf"))
    return edge.Fusion.Dbsf() if fusion == "dbsf" else edge.Fusion.Rrf(k=DEFAULT_RRF_K)  # pyright: ignore[reportReturnType] - the stub does not know that these are Fusions


def _rrf(query: JsonObject, _: Examples, __: int) -> ScoringQueryType:
    given = known(query["rrf"], of="rrf")
    weights = (
        [float32(weight, of="a weight") for weight in array(given["weights"], of="weights")]
        if "weights" in given
        else None
    )
    k = integer(given.get("k", DEFAULT_RRF_K), of="k", least=1, most=_MAX_K)
    return edge.Fusion.Rrf(k=k, weights=weights)  # pyright: ignore[reportReturnType] - the stub does not know


def _order_by(query: JsonObject, _: Examples, __: int) -> ScoringQueryType:
    return order_by(query["order_by"])


def _sample(query: JsonObject, _: Examples, __: int) -> ScoringQueryType:
    choice(query["sample"], of="sample", among=("random",))
    return edge.Sample.Random


def _formula(query: JsonObject, _: Examples, __: int) -> ScoringQueryType:
    return formula(query)


_KINDS: Mapping[str, Reader] = MappingProxyType(
    {
        "nearest": _nearest,
        "recommend": _recommend,
        "discover": _discover,
        "context": _context,
        "order_by": _order_by,
        "fusion": _fusion,
        "rrf": _rrf,
        "formula": _formula,
        "sample": _sample,
        "relevance_feedback": _feedback,
        "text": _text,
    }
)
