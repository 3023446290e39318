"""The commands about documents, with an instance running."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess
from typing import Any

import pytest

from rag_pipeline_tests.e2e.conftest import VANISHING
from rag_pipeline_tests.e2e.dagster_ui import checks, runs, wait_until_ended
from rag_pipeline_tests.e2e.instance import Instance, wait_for
from rag_pipeline_tests.e2e.ledger import live_chunks
from rag_pipeline_tests.e2e.texts import holds, paragraph, sentence

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ingested(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> "dict[str, CompletedProcess[str]]":
    """How `ingest` of two folders ended, by collection; both at once, as two people would."""
    contents = {
        "fine": {"a.txt": paragraph("a"), "below/b.md": paragraph("b"), "picture.png": "\x89PNG\r\n\x1a\n\0\0\0\0"},
        "mixed": {"good.txt": paragraph("good"), "broken.pdf": "%PDF-1.7\nthis is none"},
    }
    started: dict[str, Future[CompletedProcess[str]]] = {}
    with ThreadPoolExecutor() as pool:
        for name, files in contents.items():
            folder = tmp_path_factory.mktemp(name)
            for path, content in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_text(content, encoding="latin-1")
            started[name] = pool.submit(instance.command, "ingest", str(folder), "--collection", name, "--json")
    return {name: done.result() for name, done in started.items()}


def test_ingest_follows_the_queue_and_ends_with_0(
    instance: Instance, ingested: "dict[str, CompletedProcess[str]]"
) -> None:
    assert ingested["fine"].returncode == 0, ingested["fine"].stderr
    answer = json.loads(ingested["fine"].stdout)
    assert answer["states"] == {"indexed": 2, "skipped": 1}
    assert [(one["path"], one["reason"]) for one in answer["not_searchable"]] == [("picture.png", "unsupported_type")]
    assert {run.tags.get("dagster/sensor_name") for run in runs(instance, "fine")} == {"uploads"}
    assert instance.search("fine", sentence("b/2"), limit=1)[0]["document"]["path"] == "below/b.md"


def test_ingest_of_a_corrupt_pdf_names_it_and_ends_with_1(
    instance: Instance, ingested: "dict[str, CompletedProcess[str]]"
) -> None:
    assert ingested["mixed"].returncode == 1
    answer = json.loads(ingested["mixed"].stdout)
    assert answer["states"] == {"indexed": 1, "failed": 1}
    assert [(one["path"], one["reason"]) for one in answer["not_searchable"]] == [("broken.pdf", "corrupt")]
    assert instance.documents("mixed") == {"broken.pdf": ("failed", "corrupt"), "good.txt": ("indexed", None)}
    assert holds(instance.search("mixed", sentence("good/0"), limit=1)[0]["text"], sentence("good/0"))
    assert checks(instance)["nothing_failed"] is False
    shown = instance.command("status", "mixed")
    assert shown.returncode == 0
    assert "corrupt" in next(line for line in shown.stdout.splitlines() if "broken.pdf" in line)


def test_status_prints_json_that_a_script_can_read(
    instance: Instance, ingested: "dict[str, CompletedProcess[str]]"
) -> None:
    status = json.loads(instance.command("status", "--json").stdout)
    assert status["running"]["api_url"] == instance.said["api_url"]
    found = {one["name"]: one for one in status["collections"]}
    assert ingested.keys() <= found.keys()
    assert found["mixed"]["documents"] == {"indexed": 1, "failed": 1}
    assert [one["path"] for one in found["mixed"]["not_searchable"]] == ["broken.pdf"]


def test_search_prints_what_the_api_answers(dropped: Instance) -> None:
    wait_until_ended(dropped, "leaflets", count=9)
    query = "When must the pump bearings be greased?"
    printed = dropped.command("search", "leaflets", query, "--limit", "3", "--json")
    body = {"collection": "leaflets", "query": query, "limit": 3}
    answers = [json.loads(printed.stdout), dropped.http.post("/api/v1/search", json=body).json()]
    scores = [[hit.pop("score") for hit in answer["hits"]] for answer in answers]
    assert [answer.pop("took_ms") > 0 for answer in answers] == [True, True]
    assert answers[0] == answers[1]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert len(scores[0]) == 3


def test_a_search_in_an_unknown_collection_is_a_sentence_and_exit_code_2(instance: Instance) -> None:
    done = instance.command("search", "nowhere", "anything")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr


def test_a_vanished_folder_deletes_nothing_until_a_person_says_so(dropped: Instance) -> None:
    phrase, held_count = sentence("07.txt/1"), len(VANISHING)
    wait_until_ended(dropped, "vanishing", count=held_count)
    before = live_chunks(dropped, "vanishing")
    (dropped.uploads_dir / "vanishing").rename(dropped.folder / "taken-away")
    held = wait_for(lambda: _at_a_glance(dropped, "vanishing"), lambda found: found["held_deletions"] == held_count)
    assert held["held_reason"] == "the folder is missing"
    status = json.loads(dropped.command("status", "vanishing", "--json").stdout)["collections"][0]
    assert (status["held_deletions"], status["documents"]) == (held_count, {"indexed": held_count})
    assert live_chunks(dropped, "vanishing") == before
    assert holds(dropped.search("vanishing", phrase, limit=1)[0]["text"], phrase)

    confirmed = dropped.command("confirm-deletions", "vanishing")
    assert confirmed.returncode == 0
    assert f"{held_count} documents will be deleted" in confirmed.stdout
    wait_until_ended(dropped, "vanishing", count=0)
    assert dropped.documents("vanishing", state="deleted").keys() == set(VANISHING)
    assert dropped.search("vanishing", phrase, limit=100) == []
    wait_for(lambda: _at_a_glance(dropped, "vanishing"), lambda found: found["held_deletions"] == 0)


def _at_a_glance(instance: Instance, collection: str) -> dict[str, Any]:
    return next(one for one in instance.get("/api/v1/collections")["collections"] if one["name"] == collection)
