"""Updates of points over bare HTTP: every spelling that Qdrant takes, with the fields it lets be null or unknown."""

from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from qdrant_client import models

from rag_pipeline_tests.embedded.qdrant.conftest import DENSE, DIMENSION, SPARSE

ONES = [1.0] * DIMENSION
UUID = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
WORDS = {"indices": [1, 3], "values": [2.0, 1.0]}


def _upsert(http: httpx.Client, collection: str, *points: dict[str, Any], **more: object) -> httpx.Response:
    return http.put(f"/collections/{collection}/points?wait=true", json={"points": points, **more})


def _payload(http: httpx.Client, collection: str, identity: object) -> object:
    return http.get(f"/collections/{collection}/points/{identity}").json()["result"]["payload"]


def _ids(http: httpx.Client, collection: str) -> list[object]:
    points = http.post(f"/collections/{collection}/points/scroll", json={"limit": 99}).json()["result"]["points"]
    return [point.id for point in TypeAdapter(list[models.Record]).validate_python(points)]


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        (UUID, UUID),
        (UUID.upper(), UUID),
        (UUID.replace("-", ""), UUID),
        (f"urn:uuid:{UUID}", UUID),
    ],
)
def test_an_id_of_any_spelling_is_answered_in_one(
    http: httpx.Client, collection: str, given: object, answered: object
) -> None:
    _upsert(http, collection, {"id": given, "vector": {DENSE: ONES}}).raise_for_status()
    assert _ids(http, collection) == [answered]


def test_null_and_unknown_fields_change_nothing(http: httpx.Client, collection: str) -> None:
    nulls = {"shard_key": None, "update_filter": None, "update_mode": None, "surprise": 1}
    point = {"id": 1, "vector": {DENSE: ONES, SPARSE: WORDS}, "payload": None, "surprise": {}}
    _upsert(http, collection, point, **nulls).raise_for_status()
    batch = {"ids": [2, 3], "vectors": {DENSE: [ONES, ONES]}, "payloads": [{"a": 1}, None], "surprise": 1}
    http.put(f"/collections/{collection}/points", json={"batch": batch, **nulls}).raise_for_status()
    body = {"payload": {"b": 2}, "points": [2], "filter": None, "key": None, "shard_key": None, "surprise": 1}
    http.post(f"/collections/{collection}/points/payload", json=body).raise_for_status()
    assert [_payload(http, collection, identity) for identity in (1, 2, 3)] == [{}, {"a": 1, "b": 2}, {}]


def test_a_payload_is_set_under_a_key_by_ids_or_by_filter(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    _upsert(http, collection, {"id": 1, "vector": {}, "payload": {"a": {"b": 1}}}).raise_for_status()
    http.post(f"{path}/payload", json={"payload": {"c": 2}, "points": [1], "key": "a"}).raise_for_status()
    filter_ = {"must": [{"has_id": [1]}]}
    http.post(f"{path}/payload", json={"payload": {"d": 3}, "filter": filter_, "key": "e.f"}).raise_for_status()
    assert _payload(http, collection, 1) == {"a": {"b": 1, "c": 2}, "e": {"f": {"d": 3}}}
    http.post(f"{path}/payload/delete", json={"keys": ["a.b", "e"], "points": [1]}).raise_for_status()
    assert _payload(http, collection, 1) == {"a": {"c": 2}}
    http.put(f"{path}/payload", json={"payload": {"g": 4}, "filter": filter_}).raise_for_status()
    assert _payload(http, collection, 1) == {"g": 4}
    http.post(f"{path}/payload/clear", json={"filter": filter_}).raise_for_status()
    assert _payload(http, collection, 1) == {}


def test_a_batch_numbers_its_operations_in_a_row(http: httpx.Client, collection: str) -> None:
    operations = [
        {"upsert": {"points": [{"id": i, "vector": {DENSE: ONES, SPARSE: WORDS}} for i in (1, 2, 3)]}},
        {"set_payload": {"payload": {"a": 1, "b": 2}, "points": [1, 2]}},
        {"delete_payload": {"keys": ["a"], "points": [1]}},
        {"overwrite_payload": {"payload": {"c": 3}, "points": [2]}},
        {"clear_payload": {"filter": {"must": [{"has_id": [3]}]}}},
        {"delete_vectors": {"points": [1], "vector": [SPARSE]}},
        {"update_vectors": {"points": [{"id": 2, "vector": {DENSE: [2.0] * DIMENSION}}]}},
        {"delete": {"points": [3]}},
    ]
    answer = http.post(f"/collections/{collection}/points/batch?wait=true", json={"operations": operations})
    results = TypeAdapter(list[models.UpdateResult]).validate_python(answer.json()["result"])
    numbers = [result.operation_id or 0 for result in results]
    assert numbers == list(range(numbers[0], numbers[0] + len(operations)))
    assert {result.status for result in results} == {models.UpdateStatus.COMPLETED}
    body = {"ids": [1, 2, 3], "with_vector": True}
    found = http.post(f"/collections/{collection}/points", json=body).json()["result"]
    assert found == [
        {"id": 1, "payload": {"b": 2}, "vector": {DENSE: ONES}},
        {"id": 2, "payload": {"c": 3}, "vector": {DENSE: [2.0] * DIMENSION, SPARSE: WORDS}},
    ]


def test_what_is_not_waited_for_is_acknowledged(http: httpx.Client, collection: str) -> None:
    for query, status in (("", "acknowledged"), ("?wait=false", "acknowledged"), ("?wait=true", "completed")):
        answer = http.put(f"/collections/{collection}/points{query}", json={"points": []})
        assert answer.json()["result"]["status"] == status


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("points/delete", {"points": [1], "shard_key": "a"}),
        ("points/payload", {"payload": {}, "points": [1], "shard_key": ["a"]}),
        ("points/scroll", {"shard_key": "a"}),
        ("points/count", {"shard_key": "a"}),
    ],
)
def test_a_shard_key_is_not_ignored(http: httpx.Client, collection: str, route: str, body: object) -> None:
    assert http.post(f"/collections/{collection}/{route}", json=body).status_code == 501


@pytest.mark.parametrize(
    ("route", "body", "said"),
    [
        ("points/delete", {}, "Format error in JSON body: "),
        ("points/delete", [1], "Format error in JSON body: "),
        ("points/payload", {"payload": {"a": 1}}, "Format error in JSON body: "),
        ("points/payload", {"points": [1]}, "Format error in JSON body: missing field `payload`"),
        ("points/payload", {"payload": [], "points": [1]}, "Format error in JSON body: "),
        ("points/payload/delete", {"points": [1]}, "Format error in JSON body: missing field `keys`"),
        ("points/vectors/delete", {"points": [1]}, "Format error in JSON body: missing field `vector`"),
        ("points/vectors/delete", {"points": [1], "vector": ["x"]}, "Wrong input: Not existing vector name error: x"),
        ("points/batch", {}, "Format error in JSON body: missing field `operations`"),
        ("points", {}, "Format error in JSON body: missing field `ids`"),
    ],
)
def test_what_does_not_read_is_told_as_the_server_does(
    http: httpx.Client, collection: str, route: str, body: object, said: str
) -> None:
    answer = http.post(f"/collections/{collection}/{route}", json=body)
    assert answer.status_code == 400
    assert answer.json()["status"]["error"].startswith(said)


def test_a_vector_of_another_dimension_is_told_as_the_server_does(http: httpx.Client, collection: str) -> None:
    answer = _upsert(http, collection, {"id": 1, "vector": {DENSE: [1.0, 2.0]}})
    expected = f"Wrong input: Vector dimension error: expected dim: {DIMENSION}, got 2"
    assert (answer.status_code, answer.json()["status"]["error"]) == (400, expected)


def test_a_body_that_is_not_said_to_be_json_is_refused(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points/count"
    said = {"content-type": "text/plain"}
    assert http.post(path, content=b"{}", headers=said).status_code == 400
    assert (
        http.post(path, content=b"{}", headers={"content-type": "application/json; charset=utf-8"}).status_code == 200
    )


def test_vectors_is_another_word_for_vector(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    _upsert(http, collection, {"id": 1, "vectors": {DENSE: ONES, SPARSE: WORDS}}).raise_for_status()
    twos = [2.0] * DIMENSION
    http.put(f"{path}/vectors", json={"points": [{"id": 1, "vectors": {DENSE: twos}}]}).raise_for_status()
    http.post(f"{path}/vectors/delete", json={"points": [1], "vectors": [SPARSE]}).raise_for_status()
    assert http.get(f"{path}/1").json()["result"]["vector"] == {DENSE: twos}


def test_vectors_of_no_point_or_no_name_are_a_validation_error(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points/vectors"
    assert http.put(path, json={"points": []}).status_code == 422
    assert http.post(f"{path}/delete", json={"points": [1], "vector": []}).status_code == 422
