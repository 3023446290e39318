"""Every kind of query, held by the embedded server, local mode and a real server: answers are those of numpy.

Scores agree within 1e-4 relative and 1e-5 absolute: implementations sum float32 in different orders.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE, make_collection

COUNT = 40
VECTORS = np.random.default_rng(7).normal(size=(COUNT, DIMENSION)).astype(np.float32)
TARGET = [0.3, -0.8, 0.5, 0.1]
EARTH_RADIUS_M = 6_371_000
SCORE = models.FieldCondition(key="kind", match=models.MatchValue(value="a"))


def _payload(number: int) -> dict[str, Any]:
    return {
        "n": number,
        "kind": "abc"[number % 3],
        "tags": [f"t{number % 2}", f"t{number % 4}"],
        "made": f"2026-01-{number % 28 + 1:02d}T00:00:00Z",
        "place": {"lon": float(number), "lat": 10.0},
    }


@pytest.fixture
def filled(any_client: QdrantClient, name: str) -> str:
    make_collection(any_client, name)
    points = [
        models.PointStruct(
            id=i,
            vector={
                DENSE: VECTORS[i].tolist(),
                SPARSE: models.SparseVector(indices=[i % 5, 10 + i], values=[1.0, float(i)]),
            },
            payload=_payload(i),
        )
        for i in range(COUNT)
    ]
    any_client.upsert(name, points)
    return name


def _best(scores: np.ndarray, *, limit: int, without: Sequence[int] = ()) -> list[tuple[int, float]]:
    order = [int(i) for i in np.argsort(-scores, kind="stable") if i not in without]
    return [(i, float(scores[i])) for i in order[:limit]]


def _check(points: Sequence[models.ScoredPoint], expected: list[tuple[int, float]]) -> None:
    assert [point.id for point in points] == [identity for identity, _ in expected]
    assert [point.score for point in points] == pytest.approx([score for _, score in expected], rel=1e-4, abs=1e-5)


def _query(client: QdrantClient, name: str, query: object, **asked: object) -> list[models.ScoredPoint]:
    return client.query_points(name, query=query, using=DENSE, limit=5, **asked).points  # pyright: ignore[reportArgumentType] - forwarded


def _sigmoid(x: float) -> float:
    """Qdrant's fast one. Source: its documentation of the discovery score."""
    return 0.5 * (x / (1 + abs(x)) + 1)


def test_recommendation_by_average_moves_away_from_the_negatives(any_client: QdrantClient, filled: str) -> None:
    recommended = models.RecommendInput(positive=[1, TARGET], negative=[2])
    found = _query(any_client, filled, models.RecommendQuery(recommend=recommended))
    positive = (VECTORS[1] + np.array(TARGET)) / 2
    _check(found, _best(VECTORS @ (2 * positive - VECTORS[2]), limit=5, without=(1, 2)))


def test_recommendation_by_best_score_takes_the_nearest_example(any_client: QdrantClient, filled: str) -> None:
    strategy = models.RecommendStrategy.BEST_SCORE
    recommended = models.RecommendInput(positive=[1, 3], negative=[2], strategy=strategy)
    found = _query(any_client, filled, models.RecommendQuery(recommend=recommended))
    positive = np.maximum(VECTORS @ VECTORS[1], VECTORS @ VECTORS[3])
    negative = VECTORS @ VECTORS[2]
    scores = [_sigmoid(p) if p > n else -_sigmoid(n) for p, n in zip(positive, negative, strict=True)]
    _check(found, _best(np.array(scores), limit=5, without=(1, 2, 3)))


def test_recommendation_by_sum_adds_up_the_examples(any_client: QdrantClient, filled: str) -> None:
    strategy = models.RecommendStrategy.SUM_SCORES
    recommended = models.RecommendInput(positive=[1], negative=[2, 3], strategy=strategy)
    found = _query(any_client, filled, models.RecommendQuery(recommend=recommended))
    _check(found, _best(VECTORS @ (VECTORS[1] - VECTORS[2] - VECTORS[3]), limit=5, without=(1, 2, 3)))


def test_recommendation_works_on_sparse_vectors(any_client: QdrantClient, name: str) -> None:
    any_client.create_collection(name, sparse_vectors_config={SPARSE: models.SparseVectorParams()}, vectors_config={})
    rows = {1: ([1, 2], [1.0, 1.0]), 2: ([2, 3], [4.0, 1.0]), 3: ([1], [1.0]), 4: ([3], [5.0])}
    points = [
        models.PointStruct(id=i, vector={SPARSE: models.SparseVector(indices=indices, values=values)})
        for i, (indices, values) in rows.items()
    ]
    any_client.upsert(name, points)
    recommended = models.RecommendInput(positive=[1], negative=[3])
    found = any_client.query_points(name, query=models.RecommendQuery(recommend=recommended), using=SPARSE).points
    # 2 x {1: 1, 2: 1} - {1: 1} = {1: 1, 2: 2}
    _check(found, [(2, 8.0)])


def test_discovery_ranks_by_context_then_by_target(any_client: QdrantClient, filled: str) -> None:
    pairs = [models.ContextPair(positive=4, negative=5), models.ContextPair(positive=[1.0, 0, 0, 0], negative=6)]
    found = _query(
        any_client, filled, models.DiscoverQuery(discover=models.DiscoverInput(target=TARGET, context=pairs))
    )
    similar = VECTORS @ np.array(TARGET)
    rank = np.sign(VECTORS @ VECTORS[4] - VECTORS @ VECTORS[5])
    rank += np.sign(VECTORS @ np.array([1.0, 0, 0, 0]) - VECTORS @ VECTORS[6])
    scores = np.array([r + _sigmoid(s) for r, s in zip(rank, similar, strict=True)])
    _check(found, _best(scores, limit=5, without=(4, 5, 6)))


def test_context_alone_punishes_points_on_the_wrong_side(any_client: QdrantClient, filled: str) -> None:
    pair = models.ContextPair(positive=4, negative=5)
    found = any_client.query_points(
        filled, query=models.ContextQuery(context=pair), using=DENSE, limit=COUNT, with_payload=False
    ).points
    difference = VECTORS @ VECTORS[4] - VECTORS @ VECTORS[5]
    # Source: Qdrant's documentation of context search: sum of min(positive - negative, 0), by its fast sigmoid or not.
    right = {i for i in range(COUNT) if difference[i] > 0 and i not in (4, 5)}
    assert {point.id for point in found if abs(point.score) < 1e-5} == right
    assert len(found) == COUNT - 2


def test_a_vector_of_another_collection_is_looked_up(any_client: QdrantClient, filled: str) -> None:
    other = f"{filled}-other"
    make_collection(any_client, other)
    any_client.upsert(other, [models.PointStruct(id=1, vector={DENSE: TARGET})])
    found = _query(any_client, filled, 1, lookup_from=models.LookupLocation(collection=other, vector=DENSE))
    _check(found, _best(VECTORS @ np.array(TARGET), limit=5))
    any_client.delete_collection(other)


def test_mmr_trades_nearness_for_difference(any_client: QdrantClient, filled: str) -> None:
    def ids(diversity: float) -> list[object]:
        mmr = models.Mmr(diversity=diversity, candidates_limit=20)
        return [point.id for point in _query(any_client, filled, models.NearestQuery(nearest=TARGET, mmr=mmr))]

    expected = [identity for identity, _ in _best(VECTORS @ np.array(TARGET), limit=20)]
    assert ids(0.0) == expected[:5]
    assert ids(0.7) == _mmr(expected, diversity=0.7, limit=5)


def _mmr(candidates: list[int], *, diversity: float, limit: int) -> list[int]:
    relevance = VECTORS @ np.array(TARGET)
    between = VECTORS @ VECTORS.T
    chosen = [candidates[0]]
    while len(chosen) < limit:
        left = [i for i in candidates if i not in chosen]
        chosen.append(max(left, key=lambda i: (1 - diversity) * relevance[i] - diversity * between[i, chosen].max()))
    return chosen


FORMULAS: dict[str, tuple[Any, Any]] = {
    "a sum with a condition": (models.SumExpression(sum=["$score", SCORE]), lambda i, s: s + (i % 3 == 0)),
    "a product": (models.MultExpression(mult=["$score", "n", 0.5]), lambda i, s: s * i * 0.5),
    "a difference": (models.SumExpression(sum=["n", models.NegExpression(neg="$score")]), lambda i, s: i - s),
    "a quotient": (
        models.DivExpression(div=models.DivParams(left=12.0, right="n", by_zero_default=3.5)),
        lambda i, _: 12 / i if i else 3.5,
    ),
    "powers and roots": (
        models.SqrtExpression(sqrt=models.PowExpression(pow=models.PowParams(base="n", exponent=3.0))),
        lambda i, _: i**1.5,
    ),
    "an exponential": (models.ExpExpression(exp=models.NegExpression(neg="n")), lambda i, _: math.exp(-i)),
    "a logarithm": (
        models.SumExpression(
            sum=[
                models.LnExpression(ln=models.SumExpression(sum=["n", 1.0])),
                models.Log10Expression(log10=models.AbsExpression(abs=-100.0)),
            ]
        ),
        lambda i, _: math.log(i + 1) + 2,
    ),
    "a default": (models.SumExpression(sum=["missing", "n"]), lambda i, _: 7.5 + i),
    "linear decay": (
        models.LinDecayExpression(lin_decay=models.DecayParamsExpression(x="n", target=20.0, scale=10.0)),
        lambda i, _: max(0.0, 1 - 0.5 * abs(i - 20) / 10),
    ),
    "exponential decay": (
        models.ExpDecayExpression(exp_decay=models.DecayParamsExpression(x="n", target=20.0, scale=5.0, midpoint=0.2)),
        lambda i, _: 0.2 ** (abs(i - 20) / 5),
    ),
    "gaussian decay": (
        models.GaussDecayExpression(gauss_decay=models.DecayParamsExpression(x="n", target=20.0, scale=5.0)),
        lambda i, _: 0.5 ** ((i - 20) ** 2 / 25),
    ),
    "time since a date": (
        models.ExpDecayExpression(
            exp_decay=models.DecayParamsExpression(
                x=models.DatetimeKeyExpression(datetime_key="made"),
                target=models.DatetimeExpression(datetime="2026-01-10T00:00:00Z"),
                scale=86_400.0,
            )
        ),
        lambda i, _: 0.5 ** abs(i % 28 + 1 - 10),
    ),
    "a distance on earth": (
        models.NegExpression(
            neg=models.GeoDistance(
                geo_distance=models.GeoDistanceParams(origin=models.GeoPoint(lon=0.0, lat=10.0), to="place")
            )
        ),
        lambda i, _: -_haversine_m(float(i), 10.0, 0.0, 10.0),
    ),
}


def _haversine_m(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    lon, lat, other_lon, other_lat = map(math.radians, (lon, lat, other_lon, other_lat))
    half = math.sin((lat - other_lat) / 2) ** 2
    half += math.cos(lat) * math.cos(other_lat) * math.sin((lon - other_lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(half))


@pytest.mark.parametrize("case", FORMULAS)
def test_a_formula_is_computed_for_each_candidate(any_client: QdrantClient, filled: str, case: str) -> None:
    formula, expected = FORMULAS[case]
    found = any_client.query_points(
        filled,
        prefetch=models.Prefetch(query=TARGET, using=DENSE, limit=COUNT),
        query=models.FormulaQuery(formula=formula, defaults={"missing": 7.5}),
        limit=COUNT,
    ).points
    scores = VECTORS @ np.array(TARGET, dtype=np.float32)
    assert len(found) == COUNT
    # Distances differ by the radius of the earth that is taken: 0.1%.
    tolerance = 1e-3 if case == "a distance on earth" else 1e-4
    for point in found:
        assert point.score == pytest.approx(expected(int(point.id), scores[int(point.id)]), rel=tolerance, abs=1e-4)
    assert [point.score for point in found] == sorted((point.score for point in found), reverse=True)


def test_prefetches_nest_and_each_has_its_own_filter(any_client: QdrantClient, filled: str) -> None:
    inner = models.Prefetch(
        query=TARGET,
        using=DENSE,
        filter=models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value="b"))]),
        limit=6,
    )
    outer = models.Prefetch(prefetch=inner, query=VECTORS[0].tolist(), using=DENSE, limit=3)
    found = any_client.query_points(filled, prefetch=outer, query=VECTORS[2].tolist(), using=DENSE).points
    first = [i for i, _ in _best(VECTORS @ np.array(TARGET), limit=6, without=[i for i in range(COUNT) if i % 3 != 1])]
    second = sorted(first, key=lambda i: -float(VECTORS[i] @ VECTORS[0]))[:3]
    assert [point.id for point in found] == sorted(second, key=lambda i: -float(VECTORS[i] @ VECTORS[2]))


def test_groups_hold_the_best_of_each_value(any_client: QdrantClient, filled: str) -> None:
    groups = any_client.query_points_groups(
        filled, "kind", query=TARGET, using=DENSE, limit=2, group_size=4, with_payload=["n"]
    ).groups
    scores = VECTORS @ np.array(TARGET)
    members = {kind: [i for i in range(COUNT) if i % 3 == place] for place, kind in enumerate("abc")}
    best = {kind: sorted(ids, key=lambda i: -scores[i])[:4] for kind, ids in members.items()}
    order = sorted(best, key=lambda kind: -scores[best[kind][0]])[:2]
    assert [(group.id, [hit.id for hit in group.hits]) for group in groups] == [(kind, best[kind]) for kind in order]
    assert groups[0].hits[0].payload == {"n": groups[0].hits[0].id}


def test_a_point_is_in_the_group_of_each_of_its_values(any_client: QdrantClient, filled: str) -> None:
    groups = any_client.query_points_groups(
        filled, "tags", query=TARGET, using=DENSE, limit=10, group_size=COUNT
    ).groups
    expected = {f"t{t}": {i for i in range(COUNT) if t in (i % 2, i % 4)} for t in range(4)}
    assert {group.id: {hit.id for hit in group.hits} for group in groups} == expected


def test_a_group_brings_the_point_that_its_value_names(any_client: QdrantClient, filled: str) -> None:
    other = f"{filled}-other"
    make_collection(any_client, other)
    any_client.upsert(other, [models.PointStruct(id=i, vector={}, payload={"name": f"number {i}"}) for i in range(3)])
    groups = any_client.query_points_groups(
        filled,
        "n",
        query=TARGET,
        using=DENSE,
        limit=COUNT,
        group_size=1,
        with_lookup=models.WithLookup(collection=other, with_payload=True),
    ).groups
    looked_up = {group.id: group.lookup.payload for group in groups if group.lookup}
    assert (len(groups), looked_up) == (COUNT, {i: {"name": f"number {i}"} for i in range(3)})
    any_client.delete_collection(other)


def test_a_matrix_scores_each_sampled_point_with_its_nearest(any_client: QdrantClient, filled: str) -> None:
    some = models.Filter(must=[models.FieldCondition(key="n", range=models.Range(lt=8))])
    pairs = any_client.search_matrix_pairs(filled, query_filter=some, sample=8, limit=2, using=DENSE).pairs
    between = VECTORS[:8] @ VECTORS[:8].T
    np.fill_diagonal(between, -np.inf)
    expected = {(a, int(b)) for a in range(8) for b in np.argsort(-between[a])[:2]}
    assert {(pair.a, pair.b) for pair in pairs} == expected
    assert all(pair.score == pytest.approx(between[int(pair.a), int(pair.b)], rel=1e-4) for pair in pairs)
    offsets = any_client.search_matrix_offsets(filled, query_filter=some, sample=8, limit=2, using=DENSE)
    cells = zip(offsets.offsets_row, offsets.offsets_col, strict=True)
    assert {(offsets.ids[row], offsets.ids[column]) for row, column in cells} == expected


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant")
def test_facets_count_values_the_most_frequent_first(any_client: QdrantClient, filled: str) -> None:
    any_client.create_payload_index(filled, "kind", models.PayloadSchemaType.KEYWORD)
    below = models.Filter(must=[models.FieldCondition(key="n", range=models.Range(lt=8))])
    hits = any_client.facet(filled, "kind", facet_filter=below, exact=True, limit=2).hits
    assert [(hit.value, hit.count) for hit in hits] == [("a", 3), ("b", 3)]
