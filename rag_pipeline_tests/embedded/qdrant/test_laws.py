"""Laws of the store: it is a dict of points, and a filter is a predicate, with an index or without."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, make_collection

Payload = dict[str, object]
Predicate = Callable[[Payload], bool]
Condition = tuple[models.Condition, Predicate]

IDS = st.one_of(st.integers(0, 12), st.sampled_from([2**64 - 1, *(str(UUID(int=i)) for i in range(5))]))
EIGHTHS = st.integers(-(10**6), 10**6).map(lambda n: n / 8)
"""Floats that survive: the engine reads some decimals one unit in the last place off, as Qdrant itself does."""

PAYLOADS = st.dictionaries(
    st.sampled_from(["a", "b", "ü.ber", ""]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=5), EIGHTHS),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.dictionaries(IDS, PAYLOADS, max_size=6)),
        st.tuples(st.just("delete"), st.lists(IDS, max_size=4)),
    ),
    max_size=8,
)

STORED: list[Payload] = [
    {
        **({"word": "abc"[i % 3]} if i % 5 else {}),
        **({"number": i % 7 - 3} if i % 4 else {"number": None}),
        **({"flag": bool(i % 2)} if i % 3 else {}),
        "real": i / 4,
        "many": [f"t{j}" for j in range(i % 4)],
        "place": {"lon": (i * 37) % 360 - 180.0, "lat": (i * 23) % 120 - 60.0},
        "parts": [{"size": i % 5, "red": bool(i % 2)}, {"size": i % 3, "red": i % 7 == 0}],
    }
    for i in range(48)
]

INDEXED = {
    "word": models.PayloadSchemaType.KEYWORD,
    "number": models.PayloadSchemaType.INTEGER,
    "flag": models.PayloadSchemaType.BOOL,
    "real": models.PayloadSchemaType.FLOAT,
    "place": models.PayloadSchemaType.GEO,
    "parts[].size": models.PayloadSchemaType.INTEGER,
}


@pytest.fixture(scope="module")
def emptied(client: QdrantClient) -> Iterator[str]:
    """A collection that each example empties: making one costs more than all its writes."""
    name = f"law-{uuid4().hex}"
    make_collection(client, name)
    yield name
    client.delete_collection(name)


@given(writes=WRITES)
@settings(max_examples=40, deadline=None)
def test_random_upserts_and_deletes_equal_a_dict(client: QdrantClient, emptied: str, writes: list) -> None:
    client.delete(emptied, models.FilterSelector(filter=models.Filter()))
    model: dict[int | str, Payload] = {}
    for kind, operand in writes:
        if kind == "upsert":
            points = [models.PointStruct(id=i, vector={DENSE: [1, 2, 3, 4]}, payload=p) for i, p in operand.items()]
            client.upsert(emptied, points)
            model.update(operand)
        else:
            client.delete(emptied, operand)
            model = {i: p for i, p in model.items() if i not in operand}
    stored = {point.id: point.payload for point in client.scroll(emptied, limit=100)[0]}
    assert (stored, client.count(emptied).count) == (model, len(model))


@pytest.fixture(scope="module", params=["indexed", "unindexed"])
def filterable(request: pytest.FixtureRequest, client: QdrantClient) -> Iterator[tuple[QdrantClient, str]]:
    """STORED as points 0, 1, ..., with and without payload indexes: the engine has two ways to filter."""
    name = f"filter-{uuid4().hex}"
    make_collection(client, name)
    if request.param == "indexed":
        for field, kind in INDEXED.items():
            client.create_payload_index(name, field, kind)
    points = [models.PointStruct(id=i, vector={DENSE: [i, 1, 0, 0]}, payload=p) for i, p in enumerate(STORED)]
    client.upsert(name, points)
    yield client, name
    client.delete_collection(name)


def _match_value(key: str, value: str | int | bool) -> Condition:
    def predicate(payload: Payload) -> bool:
        stored = payload.get(key)
        return any(
            type(one) is type(value) and one == value for one in (stored if isinstance(stored, list) else [stored])
        )

    return models.FieldCondition(key=key, match=models.MatchValue(value=value)), predicate


def _match_any(words: list[str]) -> Condition:
    return models.FieldCondition(key="word", match=models.MatchAny(any=words)), lambda p: p.get("word") in words


def _match_except(words: list[str]) -> Condition:
    condition = models.FieldCondition(key="word", match=models.MatchExcept(**{"except": words}))
    return condition, lambda p: "word" in p and p["word"] not in words


def _range(key: str, low: int, high: int) -> Condition:
    def predicate(payload: Payload) -> bool:
        stored = payload.get(key)
        return isinstance(stored, (int, float)) and low <= stored < high

    return models.FieldCondition(key=key, range=models.Range(gte=low, lt=high)), predicate


def _is_empty(key: str) -> Condition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=key)), lambda p: p.get(key) in (None, [])


def _is_null(key: str) -> Condition:
    condition = models.IsNullCondition(is_null=models.PayloadField(key=key))
    return condition, lambda p: key in p and p[key] is None


def _values_count(least: int) -> Condition:
    condition = models.FieldCondition(key="many", values_count=models.ValuesCount(gte=least))
    return condition, lambda p: isinstance(p["many"], list) and len(p["many"]) >= least


def _has_id(ids: list[int]) -> Condition:
    return models.HasIdCondition(has_id=list(ids)), lambda p: any(p is STORED[i] for i in ids)


def _contains(kind: str, part: str) -> Condition:
    match = models.MatchPrefix(prefix=part) if kind == "prefix" else models.MatchSubstring(substring=part)

    def predicate(payload: Payload) -> bool:
        stored = payload["many"]
        assert isinstance(stored, list)
        return any(one.startswith(part) if kind == "prefix" else part in one for one in stored)

    return models.FieldCondition(key="many", match=match), predicate


def _in_box(west: int, north: int, width: int, height: int) -> Condition:
    # Half degrees, so that no point lies on an edge.
    left, top, right, bottom = west + 0.5, north + 0.5, west + width + 0.5, north - height - 0.5
    box = models.GeoBoundingBox(
        top_left=models.GeoPoint(lon=left, lat=top), bottom_right=models.GeoPoint(lon=right, lat=bottom)
    )

    def predicate(payload: Payload) -> bool:
        place = payload["place"]
        assert isinstance(place, dict)
        return left < place["lon"] < right and bottom < place["lat"] < top

    return models.FieldCondition(key="place", geo_bounding_box=box), predicate


def _one_part(least: int, *, red: bool) -> Condition:
    inner: list[models.Condition] = [
        models.FieldCondition(key="size", range=models.Range(gte=least)),
        models.FieldCondition(key="red", match=models.MatchValue(value=red)),
    ]

    def predicate(payload: Payload) -> bool:
        parts = payload["parts"]
        assert isinstance(parts, list)
        return any(part["size"] >= least and part["red"] == red for part in parts)

    nested = models.Nested(key="parts", filter=models.Filter(must=inner))
    return models.NestedCondition(nested=nested), predicate


KEYS = st.sampled_from(["word", "number", "flag", "many"])
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=3)
LEAVES = st.one_of(
    st.builds(_match_value, st.just("word"), st.sampled_from("abcd")),
    st.builds(_match_value, st.just("number"), st.integers(-4, 4)),
    st.builds(_match_value, st.just("flag"), st.booleans()),
    st.builds(_match_value, st.just("many"), st.sampled_from(["t0", "t2", "t9"])),
    st.builds(_match_any, WORDS),
    st.builds(_match_except, WORDS),
    st.builds(_range, st.sampled_from(["number", "real"]), st.integers(-4, 6), st.integers(-2, 14)),
    st.builds(_is_empty, KEYS),
    st.builds(_is_null, KEYS),
    st.builds(_values_count, st.integers(0, 4)),
    st.builds(_contains, st.sampled_from(["prefix", "substring"]), st.sampled_from(["t", "t1", "2", "x"])),
    st.builds(_in_box, st.integers(-179, 0), st.integers(-20, 60), st.integers(5, 170), st.integers(5, 60)),
    st.builds(_one_part, st.integers(0, 5), red=st.booleans()),
    st.builds(_has_id, st.lists(st.integers(0, 47), max_size=20)),
)


def _clause(kind: str, parts: list[Condition]) -> Condition:
    conditions = [condition for condition, _ in parts]
    predicates = [predicate for _, predicate in parts]
    match kind:
        case "must":
            return models.Filter(must=conditions), lambda p: all(q(p) for q in predicates)
        case "should":
            return models.Filter(should=conditions), lambda p: any(q(p) for q in predicates)
        case "must_not":
            return models.Filter(must_not=conditions), lambda p: not any(q(p) for q in predicates)
        case _:
            two = models.MinShould(conditions=conditions, min_count=2)
            return models.Filter(min_should=two), lambda p: sum(q(p) for q in predicates) >= 2


FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        _clause,
        st.sampled_from(["must", "should", "must_not", "min_should"]),
        st.lists(inner, min_size=2, max_size=3),
    ),
    max_leaves=6,
)


@given(condition=FILTERS)
@settings(max_examples=80, deadline=None)
def test_a_filter_is_a_predicate(filterable: tuple[QdrantClient, str], condition: Condition) -> None:
    client, name = filterable
    spoken, predicate = condition
    filter_ = models.Filter(must=[spoken])
    expected = [i for i, payload in enumerate(STORED) if predicate(payload)]
    scrolled = client.scroll(name, scroll_filter=filter_, limit=100)[0]
    queried = client.query_points(name, query=[1.0, 0, 0, 0], using=DENSE, query_filter=filter_, limit=100).points
    assert [point.id for point in scrolled] == expected
    assert sorted(int(point.id) for point in queried) == expected
    assert client.count(name, count_filter=filter_).count == len(expected)
