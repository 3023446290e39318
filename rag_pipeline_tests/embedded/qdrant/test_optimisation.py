"""Optimisation in the background: nothing written is lost, nothing read is missing, and what fails leaves no trace."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from rag_pipeline_tests.embedded.qdrant.optimising import (
    DIMENSION,
    NAME,
    Writer,
    children,
    copies,
    described,
    generation,
    generations,
    make,
    stored,
    wait_for,
    wait_until_green,
)
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def server(storage: Path) -> Iterator[ServerProcess]:
    with ServerProcess(storage) as server:
        yield server


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        make(http)
        yield http


def test_writes_of_every_kind_during_an_optimisation_are_all_there(
    storage: Path, server: ServerProcess, http: httpx.Client
) -> None:
    writer, written_meanwhile, first = Writer(http), 0, generation(storage)
    writer.load(3200)
    while generation(storage) == first:
        writer.write()
        written_meanwhile += bool(copies(storage))
    for _ in range(20):
        writer.write()
    assert written_meanwhile > 10
    assert stored(http) == writer.model
    assert wait_until_green(http)["indexed_vectors_count"] > 3000
    assert server.stop() == 0
    with ServerProcess(storage) as again, httpx.Client(base_url=again.url) as after:
        assert stored(after) == writer.model


def test_an_index_made_during_an_optimisation_is_there_afterwards(storage: Path, http: httpx.Client) -> None:
    Writer(http).load(6000)
    before = wait_for(lambda: copies(storage) and generation(storage))
    http.put(f"/collections/{NAME}/index", json={"field_name": "n", "field_schema": "integer"}).raise_for_status()
    assert generation(storage) == before
    found = wait_until_green(http)
    assert (generation(storage) != before, found["payload_schema"]["n"]["points"]) == (True, 6000)


def test_searches_never_fail_nor_miss_while_a_collection_is_optimised(
    storage: Path, server: ServerProcess, http: httpx.Client
) -> None:
    marked = list(range(8))
    axes = [[1000.0 if axis == i else 0.0 for axis in range(DIMENSION)] for i in marked]
    points = [{"id": 10**6 + i, "vector": axes[i], "payload": {"group": -1}} for i in marked]
    http.put(f"/collections/{NAME}/points", json={"points": points}).raise_for_status()
    writer, is_over, wrong = Writer(http), threading.Event(), list[object]()
    searching = threading.Thread(target=_search_until, args=(is_over, server.url, axes, wrong))
    searching.start()
    first = generation(storage)
    writer.load(4000)
    while generation(storage) == first:
        http.put(f"/collections/{NAME}/points", json={"points": points}).raise_for_status()
    wait_until_green(http)
    is_over.set()
    searching.join()
    assert wrong == []


def _search_until(is_over: threading.Event, url: str, axes: list[list[float]], wrong: list[object]) -> None:
    filter_ = {"must": [{"key": "group", "match": {"value": -1}}]}
    with httpx.Client(base_url=url, timeout=60) as http:
        while not is_over.is_set():
            for number, axis in enumerate(axes):
                body = {"query": axis, "limit": 1, "filter": filter_, "params": {"exact": True}}
                answer = http.post(f"/collections/{NAME}/points/query", json=body)
                if [point["id"] for point in _points_of(answer)] != [10**6 + number]:
                    wrong.append(answer.text)
                answer = http.post(f"/collections/{NAME}/points", json={"ids": [10**6 + number]})
                if answer.status_code != 200 or len(answer.json()["result"]) != 1:
                    wrong.append(answer.text)


def _points_of(answer: httpx.Response) -> list[dict]:
    return answer.json()["result"]["points"] if answer.status_code == 200 else []


def test_an_optimised_collection_finds_what_an_exact_scan_finds(http: httpx.Client) -> None:
    writer = Writer(http)
    writer.load(6000)
    found = wait_until_green(http)
    assert found["points_count"] - found["indexed_vectors_count"] < 128
    ids, vectors = np.array(list(writer.model)), np.array([vector for _, vector in writer.model.values()])
    numbers, hits = np.random.default_rng(1), 0
    for query in numbers.standard_normal((50, DIMENSION)):
        answer = http.post(f"/collections/{NAME}/points/query", json={"query": query.tolist(), "limit": 10}).json()
        exact = set(ids[np.argsort(-vectors @ query)[:10]].tolist())
        hits += len(exact & {point["id"] for point in answer["result"]["points"]})
    assert hits / 500 >= 0.95


def test_many_deleted_points_are_cleared_away(http: httpx.Client) -> None:
    writer = Writer(http)
    writer.load(4000)
    before = wait_until_green(http)["indexed_vectors_count"]
    ids = list(range(0, 4000, 2))
    http.post(f"/collections/{NAME}/points/delete", json={"points": ids}).raise_for_status()
    # Seen in the files after a flush, every 5 s.
    assert wait_for(lambda: (count := described(http)["indexed_vectors_count"]) < before and count) <= 2000
    assert wait_until_green(http)["points_count"] == 2000
    assert stored(http) == {i: point for i, point in writer.model.items() if i % 2}


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
@linux_only
def test_a_server_that_ends_takes_its_child_with_it_and_leaves_nothing(storage: Path, ending: signal.Signals) -> None:
    with ServerProcess(storage) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        make(http)
        writer = Writer(http)
        writer.load(8000)
        wait_for(lambda: children(storage))
        server.process.send_signal(ending)
        assert server.wait() == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
        wait_for(lambda: not children(storage))
    assert ending == signal.SIGKILL or copies(storage) == []
    with ServerProcess(storage) as again, httpx.Client(base_url=again.url, timeout=60) as after:
        assert stored(after) == writer.model
        wait_until_green(after)
        assert (len(generations(storage)), copies(storage)) == (1, [])
        assert stored(after) == writer.model


@linux_only
def test_a_child_that_crashes_leaves_the_shard_as_it_was(storage: Path, http: httpx.Client) -> None:
    writer, before = Writer(http), generations(storage)
    writer.load(8000)
    os.kill(wait_for(lambda: children(storage))[0], signal.SIGKILL)
    wait_for(lambda: not copies(storage))
    found = wait_for(lambda: (found := described(http))["status"] == "grey" and found)
    assert "code -9" in found["optimizer_status"]["error"]
    writer.write()
    assert (stored(http), generations(storage)) == (writer.model, before)


def test_a_collection_deleted_during_its_optimisation_is_gone(storage: Path, http: httpx.Client) -> None:
    Writer(http).load(8000)
    wait_for(lambda: copies(storage))
    http.delete(f"/collections/{NAME}").raise_for_status()
    make(http)
    wait_for(lambda: not copies(storage))
    assert stored(http) == {}
    assert len(generations(storage)) == 1
    assert children(storage) == []


def test_a_kill_at_a_random_moment_of_an_optimisation_loses_nothing(storage: Path) -> None:
    kill_at_random_moments(storage, rounds=3)


def kill_at_random_moments(storage: Path, *, rounds: int, seed: int = 7) -> list[str]:
    """The generation that each round ended in; every round is written to, killed, and held against the model."""
    numbers, model, ended_in = random.Random(seed), None, list[str]()
    for round_ in range(rounds):
        with ServerProcess(storage) as server, httpx.Client(base_url=server.url, timeout=60) as http:
            if model is None:
                make(http)
            writer = Writer(http, seed=seed + round_)
            writer.resume(model or {})
            before = generation(storage)
            writer.load(2000)
            wait_for(lambda: copies(storage) or generation(storage) != before)  # noqa: B023 - called at once
            killer = threading.Timer(numbers.random() * 1.5, server.kill)
            killer.start()
            _write_until_it_dies(writer)
            killer.join()
        ended_in.append(generation(storage))
        model = _survived(storage, writer)
    return ended_in


def _write_until_it_dies(writer: Writer) -> None:
    try:
        while True:
            writer.write()
    except httpx.TransportError:
        return


def _survived(storage: Path, writer: Writer) -> dict:
    """What a new server has: all that was acknowledged, and the write under way wholly or not at all."""
    started = time.monotonic()
    with ServerProcess(storage) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        assert time.monotonic() - started < 5
        found = stored(http)
        assert found in (writer.model, writer.pending)
        wait_until_green(http)
        assert (len(generations(storage)), copies(storage), children(storage)) == (1, [], [])
        assert stored(http) == found
        server.kill()
    return found
