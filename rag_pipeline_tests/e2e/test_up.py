"""`rag-pipeline up`: what it says, what it refuses, how it ends, and that nothing is lost by it."""

import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rag_pipeline_tests.e2e.instance import Instance, command, folder_options, free_ports, running, what_runs_on
from rag_pipeline_tests.e2e.lives import COLLECTION, COUNT, PHRASE, FirstLife
from rag_pipeline_tests.e2e.texts import holds

pytestmark = pytest.mark.slow

_PROMISED = {"api_url", "dagster_url", "qdrant_url", "qdrant_api_key", "database_url", "pid"}
_SECOND_START_S = 15.0
_SLOWER_BESIDE_OTHERS = 2.0  # the instance of other tests runs too


def test_the_json_line_names_every_server_and_each_answers(instance: Instance) -> None:
    assert instance.said.keys() >= _PROMISED
    assert instance.said["qdrant_api_key"] is None
    assert instance.said["pid"] == instance.owner.pid
    for name in ("api_url", "dagster_url", "qdrant_url"):
        assert urlsplit(instance.said[name]).hostname == "127.0.0.1"
        assert instance.http.get(instance.said[name] + _PATHS[name]).status_code == 200, name
    assert instance.sql("select 1") == [(1,)]


_PATHS = {"api_url": "/openapi.json", "dagster_url": "/server_info", "qdrant_url": "/readyz"}


def test_health_says_that_all_components_are_well(instance: Instance) -> None:
    done = instance.command("health", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["is_well"] is True
    assert {one["name"] for one in answer["components"]} == {"postgres", "qdrant", "webserver", "daemon", "api"}
    assert all(one["is_well"] for one in answer["components"])


def test_a_second_up_on_the_same_data_folder_names_the_pid_and_changes_nothing(instance: Instance) -> None:
    done = instance.command("up", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"pid {instance.said['pid']}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert instance.get("/health/ready")["status"] == "ok"


@pytest.mark.parametrize("offset", range(4))
def test_a_port_in_use_is_refused_before_anything_starts(folder: Path, offset: int) -> None:
    first = free_ports()
    port = first + offset
    with socket.create_server(("127.0.0.1", port)):
        done = command("up", "--json", *folder_options(), "--ports-from", str(first), cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Port {port}, wanted by" in done.stderr
    assert what_runs_on(folder) == []
    assert not (folder / "data" / "postgres").exists()


def test_ingest_without_an_instance_does_the_work_itself(first_life: FirstLife) -> None:
    assert first_life.ingested.returncode == 0, first_life.ingested.stderr
    answer = json.loads(first_life.ingested.stdout)
    assert answer == {"collection": COLLECTION, "states": {"indexed": COUNT}, "not_searchable": []}
    assert set(first_life.state.documents.values()) == {("indexed", None)}
    assert "017.txt" in {hit["document"]["path"] for hit in first_life.hits if holds(hit["text"], PHRASE)}


def test_sigterm_ends_everything_with_0_and_leaves_nothing(first_life: FirstLife) -> None:
    assert first_life.exit_code == 0
    assert len(first_life.ran) > 6
    assert first_life.left == []


def test_standard_output_is_one_line_and_the_rest_goes_to_logs(first_life: FirstLife) -> None:
    assert first_life.said_more == ("", "")
    logs = {path.name for path in (first_life.folder / "data" / "logs").iterdir()}
    assert {"supervisor.log", "postgres.log", "qdrant.log", "webserver.log", "daemon.log", "api.log"} <= logs


def test_a_second_start_goes_on_with_all_data_and_stop_ends_it(first_life: FirstLife) -> None:
    elsewhere, name = first_life.folder.parent, first_life.folder.name
    options = ("--data-dir", f"{name}/data", "--uploads-dir", f"{name}/uploads")
    began = time.monotonic()
    with running(first_life.folder) as second:
        assert time.monotonic() - began < _SECOND_START_S * _SLOWER_BESIDE_OTHERS
        assert second.search(COLLECTION, PHRASE) == first_life.hits
        found = command("search", COLLECTION, PHRASE, "--limit", "10", "--json", *options, cwd=elsewhere)
        assert [hit["chunk"] for hit in json.loads(found.stdout)["hits"]] == [hit["chunk"] for hit in first_life.hits]
        done = command("stop", *options, cwd=elsewhere)
        assert done.returncode == 0
        assert f"pid {second.said['pid']}" in done.stdout
        assert second.owner.wait(5) == 0
        assert what_runs_on(first_life.folder) == []
    assert not (first_life.folder / "data" / "instance.json").exists()
    assert command("stop", *options, cwd=elsewhere).returncode == 0, "nothing running is fine too"
    assert command("health", *options, cwd=elsewhere).returncode == 2
