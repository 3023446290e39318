"""Endpoints about the server: metrics that Prometheus can read, telemetry, health, and a cluster that it is not."""

import re

import httpx
import pytest
from pydantic import TypeAdapter
from qdrant_client import models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _parsed(text: str) -> dict[str, float]:
    """Value by series; fails where Prometheus' text format is broken."""
    series: dict[str, float] = {}
    kinds: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} is in two places"
            kinds[name] = kind
            continue
        match = _SAMPLE.fullmatch(line)
        assert match, line
        family, kind = list(kinds.items())[-1]
        assert match.group(1) in {family + suffix for suffix in _SUFFIXES[kind]}
        key = f"{match.group(1)}{{{match.group(2) or ''}}}"
        assert key not in series, f"{key} is there twice"
        series[key] = float(match.group(3))
    return series


def test_metrics_can_be_parsed_and_count_what_is_there(http: httpx.Client, collection: str) -> None:
    points = [{"id": i, "vector": {DENSE: [1.0] * DIMENSION}} for i in range(3)]
    points.append({"id": 9, "vector": {SPARSE: {"indices": [1], "values": [1.0]}}})
    http.put(f"/collections/{collection}/points", json={"points": points}).raise_for_status()
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    series = _parsed(answer.text)
    assert series['app_info{name="qdrant",version="1.20.0"}'] == 1
    assert series["cluster_enabled{}"] == 0
    assert series["collections_total{}"] >= 1
    assert series[f'collection_points{{id="{collection}"}}'] == 4
    assert series[f'collection_vectors{{collection="{collection}",vector="{DENSE}"}}'] == 3
    assert series["collections_vector_total{}"] >= 4
    assert series["memory_resident_bytes{}"] > 2**20


def test_metrics_count_answers_by_endpoint_and_status(http: httpx.Client, collection: str) -> None:
    labels = 'method="POST",endpoint="/collections/{name}/points/count",status="%d"'
    before = _parsed(http.get("/metrics").text)
    for name in (collection, collection, "missing"):
        http.post(f"/collections/{name}/points/count", json={})
    after = _parsed(http.get("/metrics").text)
    for status, more in ((200, 2), (404, 1)):
        key = labels % status
        for name in (f"rest_responses_total{{{key}}}", f"rest_responses_duration_seconds_count{{{key}}}"):
            assert after[name] - before.get(name, 0) == more
        buckets = [
            value for name, value in after.items() if name.startswith("rest_responses_duration_seconds_bucket{" + key)
        ]
        assert buckets == sorted(buckets)
        assert buckets[-1] == after[f"rest_responses_total{{{key}}}"]


def test_a_label_with_quotes_and_backslashes_is_escaped(http: httpx.Client, name: str) -> None:
    vectors = {"it's": {"size": 1, "distance": "Dot"}}
    http.put(f"/collections/{name}'", json={"vectors": vectors}).raise_for_status()
    assert f'collection_points{{id="{name}\'"}}' in _parsed(http.get("/metrics").text)
    http.delete(f"/collections/{name}'")


@pytest.mark.parametrize("query", ["", "?details_level=1", "?details_level=4&anonymize=true", "?per_collection=true"])
def test_telemetry_is_as_the_client_reads_it(http: httpx.Client, collection: str, query: str) -> None:
    told = models.TelemetryData.model_validate(http.get(f"/telemetry{query}").json()["result"])
    assert told.app
    assert told.app.name == "qdrant"
    assert told.collections.number_of_collections >= 1
    assert (told.collections.collections is not None) == ("details_level" in query)
    assert told.requests
    assert told.requests.rest.responses["PUT /collections/{name}"]["200"].count >= 1
    if "details_level=4" in query:
        ids = {one.id for one in told.collections.collections or [] if isinstance(one, models.CollectionTelemetry)}
        assert collection in ids


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/cluster", models.ClusterStatusOneOf),
        ("/quotas", models.QuotaStatus),
        ("/collections/{}/cluster", models.CollectionClusterInfo),
        ("/collections/{}/shards", models.ShardKeysResponse),
        ("/collections/{}/optimizations", models.OptimizationsResponse),
        ("/collections/{}/exists", models.CollectionExistence),
        ("/collections/{}/aliases", models.CollectionsAliasesResponse),
        ("/aliases", models.CollectionsAliasesResponse),
        ("/collections", models.CollectionsResponse),
        ("/issues", dict),
    ],
)
def test_each_answer_is_as_the_client_reads_it(http: httpx.Client, collection: str, path: str, model: type) -> None:
    answer = http.get(path.format(collection))
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    adapter: TypeAdapter[object] = TypeAdapter(model)
    assert adapter.validate_python(answer.json()["result"])


def test_a_collection_is_one_local_shard(http: httpx.Client, collection: str) -> None:
    points = {"points": [{"id": 1, "vector": {}}]}
    http.put(f"/collections/{collection}/points", json=points).raise_for_status()
    told = http.get(f"/collections/{collection}/cluster").json()["result"]
    assert told["local_shards"] == [{"shard_id": 0, "points_count": 1, "state": "Active"}]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/cluster/recover", 400),
        ("DELETE", "/cluster/peer/1", 400),
        ("POST", "/collections/{}/cluster", 400),
        ("PUT", "/collections/{}/shards", 400),
        ("POST", "/collections/{}/shards/delete", 400),
        ("POST", "/collections/missing/cluster", 404),
        ("GET", "/collections/missing/cluster", 404),
        ("GET", "/collections/missing/optimizations", 404),
        ("DELETE", "/issues", 200),
        ("GET", "/locks", 404),
        ("GET", "/nowhere", 404),
        ("PUT", "/quotas", 501),
    ],
)
def test_what_is_for_a_cluster_is_refused(
    http: httpx.Client, collection: str, method: str, path: str, status: int
) -> None:
    assert http.request(method, path.format(collection), json={}).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_it_is_healthy(http: httpx.Client, path: str) -> None:
    assert http.get(path).text == f"{path[1:]} check passed"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("timeout=0", 422),
        ("timeout=-1", 400),
        ("timeout=x", 400),
        ("timeout=1&wait=true&ordering=weak&consistency=majority", 200),
        ("consistency=2&ordering=strong&wait=false&surprise=1", 200),
        ("ordering=never", 400),
        ("consistency=some", 400),
        ("consistency=0", 422),
        ("wait=perhaps", 400),
    ],
)
def test_the_query_string_is_checked_by_every_endpoint(
    http: httpx.Client, collection: str, query: str, status: int
) -> None:
    points = {"points": [{"id": 1, "vector": {}}]}
    assert http.put(f"/collections/{collection}/points?{query}", json=points).status_code == status
    assert http.post(f"/collections/{collection}/points/scroll?{query}", json={}).status_code == status
    assert http.get(f"/collections/{collection}?{query}").status_code == status
