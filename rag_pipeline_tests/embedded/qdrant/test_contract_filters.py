"""Filters by place, by parts of words and inside lists of objects: the same ids as plain Python, indexed or not."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import uuid4

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, make_collection

COUNT = 60
EARTH_RADIUS_M = 6_371_000
Payload = dict[str, object]


def _payload(number: int) -> Payload:
    return {
        "place": {"lon": (number * 37) % 360 - 180.0, "lat": (number * 23) % 170 - 85.0},
        "word": f"{'aäb'[number % 3]}{number % 7}",
        "offers": [{"price": number % 5, "red": number % 2 == 0}, {"price": number % 11, "red": number % 3 == 0}],
        "both": number if number % 2 else f"n{number}",
        **({"maybe": [None, [], 1, [1, 2]][number % 4]} if number % 5 else {}),
    }


STORED = [_payload(i) for i in range(COUNT)]


@pytest.fixture(scope="module", params=["indexed", "unindexed"])
def filterable(request: pytest.FixtureRequest, qdrant_url: str) -> Iterator[str]:
    """The collection's URL path; the engine has two ways to filter."""
    name = f"filter-{uuid4().hex}"
    with closing(QdrantClient(url=qdrant_url, check_compatibility=False)) as client:
        make_collection(client, name)
        if request.param == "indexed":
            keyword = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, prefix=True)
            client.create_payload_index(name, "place", models.PayloadSchemaType.GEO)
            client.create_payload_index(name, "word", keyword)
            client.create_payload_index(name, "offers[].price", models.PayloadSchemaType.INTEGER)
            client.create_payload_index(name, "both", models.PayloadSchemaType.KEYWORD)
            client.create_payload_index(name, "maybe", models.PayloadSchemaType.INTEGER)
        points = [models.PointStruct(id=i, vector={DENSE: [i, 1, 0, 0]}, payload=p) for i, p in enumerate(STORED)]
        client.upsert(name, points)
        yield name
        client.delete_collection(name)


def _lon_lat(payload: Payload) -> tuple[float, float]:
    place = payload["place"]
    assert isinstance(place, dict)
    return place["lon"], place["lat"]


def _distance_m(payload: Payload, lon: float, lat: float) -> float:
    own_lon, own_lat, lon, lat = map(math.radians, (*_lon_lat(payload), lon, lat))
    half = math.sin((own_lat - lat) / 2) ** 2
    half += math.cos(own_lat) * math.cos(lat) * math.sin((own_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(half))


def _in_box(payload: Payload, west: float, south: float, east: float, north: float) -> bool:
    lon, lat = _lon_lat(payload)
    return (west <= lon <= east if west <= east else lon >= west or lon <= east) and south <= lat <= north


def _offers(payload: Payload) -> list[dict[str, int]]:
    offers = payload["offers"]
    assert isinstance(offers, list)
    return offers


def _ring(west: float, south: float, east: float, north: float) -> dict[str, object]:
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"points": [{"lon": lon, "lat": lat} for lon, lat in corners]}


HOLE = _ring(-30.5, -30.5, 30.5, 30.5)
CASES: dict[str, tuple[object, Callable[[Payload], bool]]] = {
    "a circle": (
        {"key": "place", "geo_radius": {"center": {"lon": 10, "lat": 20}, "radius": 3_000_000}},
        lambda p: _distance_m(p, 10, 20) <= 3_000_000,
    ),
    "a box": (
        {
            "key": "place",
            "geo_bounding_box": {"top_left": {"lon": -50, "lat": 60}, "bottom_right": {"lon": 50, "lat": -60}},
        },
        lambda p: _in_box(p, -50, -60, 50, 60),
    ),
    "a box over the date line": (
        {
            "key": "place",
            "geo_bounding_box": {"top_left": {"lon": 100, "lat": 60}, "bottom_right": {"lon": -100, "lat": -60}},
        },
        lambda p: _in_box(p, 100, -60, -100, 60),
    ),
    "a polygon with a hole": (
        {
            "key": "place",
            "geo_polygon": {
                "exterior": _ring(-90.5, -70.5, 90.5, 70.5),
                "interiors": [HOLE],
            },
        },
        lambda p: _in_box(p, -90.5, -70.5, 90.5, 70.5) and not _in_box(p, -30.5, -30.5, 30.5, 30.5),
    ),
    "a polygon without holes": (
        {"key": "place", "geo_polygon": {"exterior": _ring(-90.5, -70.5, 90.5, 70.5), "interiors": None}},
        lambda p: _in_box(p, -90.5, -70.5, 90.5, 70.5),
    ),
    "a prefix": ({"key": "word", "match": {"prefix": "ä"}}, lambda p: str(p["word"]).startswith("ä")),
    "a substring": ({"key": "word", "match": {"substring": "3"}}, lambda p: "3" in str(p["word"])),
    "any of nothing": ({"key": "word", "match": {"any": []}}, lambda _: False),
    "all but nothing": ({"key": "word", "match": {"except": []}}, lambda _: True),
    "one element has both": (
        {
            "nested": {
                "key": "offers",
                "filter": {"must": [{"key": "price", "range": {"gte": 4}}, {"key": "red", "match": {"value": True}}]},
            }
        },
        lambda p: any(offer["price"] >= 4 and offer["red"] for offer in _offers(p)),
    ),
    "nested with brackets": (
        {"nested": {"key": "offers[]", "filter": {"must_not": {"key": "price", "range": {"lt": 6}}}}},
        lambda p: any(offer["price"] >= 6 for offer in _offers(p)),
    ),
    "any element": (
        {"key": "offers[].price", "range": {"gt": 8, "gte": None, "lt": None}},
        lambda p: any(offer["price"] > 8 for offer in _offers(p)),
    ),
    "the second element": (
        {"key": "offers[1].price", "match": {"value": 7}},
        lambda p: _offers(p)[1]["price"] == 7,
    ),
    "two kinds in one condition mean either": (
        {"key": "both", "match": {"value": "n2"}, "range": {"gte": 51}},
        lambda p: p["both"] == "n2" or (isinstance(p["both"], int) and p["both"] >= 51),
    ),
    "empty": ({"is_empty": {"key": "maybe"}}, lambda p: p.get("maybe") in (None, [])),
    "empty, said otherwise": ({"key": "maybe", "is_empty": True}, lambda p: p.get("maybe") in (None, [])),
    "not empty": ({"key": "maybe", "is_empty": False}, lambda p: p.get("maybe") not in (None, [])),
    "null": ({"is_null": {"key": "maybe"}}, lambda p: "maybe" in p and p["maybe"] is None),
    "not null": ({"key": "maybe", "is_null": False}, lambda p: "maybe" not in p or p["maybe"] is not None),
    "a range without bounds": ({"key": "maybe", "range": {}}, lambda p: p.get("maybe") in (1, [1, 2])),
    "a single condition instead of a list": (
        {"should": {"key": "word", "match": {"value": "a0"}}, "must": None, "must_not": None, "min_should": None},
        lambda p: p["word"] == "a0",
    ),
    "unknown fields are ignored": (
        {"key": "word", "match": {"value": "a0", "surprise": 1}, "surprise": 1},
        lambda p: p["word"] == "a0",
    ),
    "a vector that points have": ({"has_vector": DENSE}, lambda _: True),
    "a vector that no point has": ({"has_vector": "unknown"}, lambda _: False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_filter_means_what_python_says(http: httpx.Client, filterable: str, case: str) -> None:
    condition, predicate = CASES[case]
    expected = [i for i, payload in enumerate(STORED) if predicate(payload)]
    at_least_one = {"conditions": [condition], "min_count": 1}
    for filter_ in ({"must": condition}, {"should": [condition]}, {"min_should": at_least_one}):
        body = {"filter": filter_, "limit": 100, "with_payload": False}
        points = http.post(f"/collections/{filterable}/points/scroll", json=body).raise_for_status().json()["result"]
        assert [point["id"] for point in points["points"]] == expected
    without = {"filter": {"must_not": [condition]}, "exact": True}
    count = http.post(f"/collections/{filterable}/points/count", json=without).json()["result"]["count"]
    assert count == COUNT - len(expected)
