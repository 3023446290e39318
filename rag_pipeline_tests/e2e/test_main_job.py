"""The main job: files are dropped in and found; then the folder changes, and then nothing does."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from rag_pipeline_tests.e2e import dagster_ui
from rag_pipeline_tests.e2e.conftest import STORY
from rag_pipeline_tests.e2e.dagster_ui import ASSETS, NOTHING_DUE, Run, wait_until_ended, wait_until_settled
from rag_pipeline_tests.e2e.instance import Instance, wait_for
from rag_pipeline_tests.e2e.ledger import LiveChunk, count_pending_chunks, count_points, counts_of_runs, live_chunks
from rag_pipeline_tests.e2e.texts import holds, paragraph, sentence

pytestmark = pytest.mark.slow

_QUIET_S = 12.0
_INTEGRITY = ("every_chunk_has_a_point", "every_indexed_document_has_a_chunk", "every_point_is_recorded")


@pytest.fixture(scope="module")
def leaflets(dropped: Instance) -> Instance:
    """The instance once the project's samples are indexed as the collection `leaflets`."""
    wait_until_ended(dropped, "leaflets", count=9)
    return dropped


def test_dropped_files_become_a_partition_and_one_run_that_succeeds(leaflets: Instance) -> None:
    assert "leaflets" in dagster_ui.partitions(leaflets)
    found = dagster_ui.runs(leaflets, "leaflets")
    assert [(run.job, run.status) for run in found] == [("ingest", "SUCCESS")]
    assert set(leaflets.documents("leaflets").values()) == {("indexed", None)}


def test_the_run_shows_a_person_what_it_did(leaflets: Instance) -> None:
    run = dagster_ui.runs(leaflets, "leaflets")[-1]
    assert tuple(run.metadata) == ASSETS
    chunks = len(live_chunks(leaflets, "leaflets"))
    assert run.metadata["documents"]["documents_claimed"] == run.metadata["documents"]["extracted"] == 9
    assert run.metadata["chunks"]["chunks"] == run.metadata["qdrant_collection"]["points_upserted"] == chunks > 9
    assert run.metadata["chunks"]["tokens"] >= run.metadata["embeddings"]["tokens_embedded"] > 1000
    assert run.metadata["embeddings"]["tokens_per_second"] > 0
    assert all(run.metadata[asset]["duration_s"] >= 0 for asset in ASSETS)
    assert "embeddings" in run.metadata["qdrant_collection"]["where_the_time_went"]


def test_the_checks_of_the_index_were_evaluated_and_hold(leaflets: Instance) -> None:
    checks = dagster_ui.checks(leaflets)
    assert checks.keys() == {*_INTEGRITY, "nothing_failed"}
    assert [name for name in _INTEGRITY if not checks[name]] == []


def test_a_search_answers_with_document_and_page(leaflets: Instance) -> None:
    best = leaflets.search("leaflets", "When must the pump bearings be greased?", limit=3)[0]
    assert best["document"]["path"] == "pump-station-maintenance-manual.pdf"
    assert best["document"]["media_type"] == "application/pdf"
    assert best["chunk"]["page"] >= 1
    assert "grease" in best["text"].casefold()
    by_words = leaflets.search("leaflets", "What does a leak allowance cover?", limit=1)[0]
    assert by_words["document"]["path"] == "leak-allowance-policy.html"
    assert by_words["chunk"]["page"] is None


def test_an_unknown_collection_is_a_problem_with_a_code(instance: Instance) -> None:
    for answer in (
        instance.http.post("/api/v1/search", json={"collection": "nowhere", "query": "anything"}),
        instance.http.get("/api/v1/collections/nowhere/documents"),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "collection_not_found"


@dataclass(frozen=True, slots=True)
class Changes:
    """A collection before and after a file was edited, one added, one deleted and a subfolder renamed.

    Shapes:
        runs: those that ended in between, the oldest first.
        counts: what each of them counted in the ledger.
    """

    instance: Instance
    before: set[LiveChunk]
    after: set[LiveChunk]
    runs: list[Run]
    counts: list[dict[str, Any]]


@pytest.fixture(scope="module")
def changes(dropped: Instance) -> Changes:
    instance = dropped
    wait_until_settled(instance, "story", count=len(STORY))
    before, known = live_chunks(instance, "story"), {run.run_id for run in dagster_ui.runs(instance)}

    folder = instance.uploads_dir / "story"
    edited = (folder / "edited.txt").read_text()
    (folder / "edited.txt").write_text(edited.replace(paragraph("edited.txt/4"), paragraph("fresh words")))
    (folder / "added.html").write_text(f"<h1>Added</h1><p>{paragraph('added')}</p>")
    (folder / "deleted.txt").unlink()
    (folder / "old-name").rename(folder / "new-name")
    wait_for(lambda: instance.documents("story"), lambda found: found.keys() == _AFTER)
    wait_until_settled(instance, "story", count=len(_AFTER))
    runs = [run for run in reversed(dagster_ui.runs(instance)) if run.run_id not in known]
    ledger = counts_of_runs(instance, "story")
    return Changes(instance, before, live_chunks(instance, "story"), runs, [ledger[run.run_id] for run in runs])


_AFTER = {"edited.txt", "kept.md", "added.html", "new-name/one.txt", "new-name/deep/two.txt"}


def test_after_changes_the_list_of_documents_is_exactly_right(changes: Changes) -> None:
    assert changes.instance.documents("story") == dict.fromkeys(_AFTER, ("indexed", None))
    deleted = changes.instance.documents("story", state="deleted")
    assert deleted.keys() == {"deleted.txt", "old-name/one.txt", "old-name/deep/two.txt"}
    assert {run.status for run in changes.runs} == {"SUCCESS"}


@pytest.mark.parametrize(
    ("phrase", "path"),
    [
        (sentence("fresh words/2"), "edited.txt"),
        (sentence("edited.txt/0/2"), "edited.txt"),
        (sentence("added/1"), "added.html"),
        (sentence("kept.md/5/1"), "kept.md"),
        (sentence("old-name/one.txt/3/3"), "new-name/one.txt"),
        (sentence("old-name/deep/two.txt/6/2"), "new-name/deep/two.txt"),
    ],
)
def test_after_changes_what_is_there_is_found_in_its_place_only(changes: Changes, phrase: str, path: str) -> None:
    holding = [hit for hit in changes.instance.search("story", phrase) if holds(hit["text"], phrase)]
    assert {hit["document"]["path"] for hit in holding} == {path}


@pytest.mark.parametrize("phrase", [sentence("edited.txt/4/2"), sentence("deleted.txt/1/1")])
def test_after_changes_what_is_gone_is_not_found(changes: Changes, phrase: str) -> None:
    assert any(holds(chunk.text, phrase) for chunk in changes.before), "the phrase was never there"
    hits = changes.instance.search("story", phrase, limit=100)
    assert len(hits) == len(changes.after), "the limit hides some"
    assert not any(holds(hit["text"], phrase) for hit in hits)


def test_after_changes_the_number_of_embeds_is_that_of_new_texts(changes: Changes) -> None:
    new = {chunk.text for chunk in changes.after} - {chunk.text for chunk in changes.before}
    assert 2 <= len(new) < len({chunk.text for chunk in changes.after}) / 2
    assert sum(counts["embedded"] for counts in changes.counts) == len(new)
    assert sum(run.metadata["embeddings"]["embedded"] for run in changes.runs) == len(new)


def test_after_changes_untouched_passages_keep_their_ids(changes: Changes) -> None:
    before = {(chunk.path, chunk.text): chunk.chunk_id for chunk in changes.before}
    after = {(chunk.path, chunk.text): chunk.chunk_id for chunk in changes.after}
    kept = before.keys() & after.keys()
    assert {path for path, _text in kept} == {"edited.txt", "kept.md"}
    assert [key for key in kept if before[key] != after[key]] == []
    assert {key for key in before if key[0] == "kept.md"} <= kept
    assert len({chunk.chunk_id for chunk in changes.after}) == len(changes.after)


def test_once_the_grace_has_passed_qdrant_holds_exactly_the_live_chunks(changes: Changes) -> None:
    live = len(live_chunks(changes.instance, "story"))
    assert live == len(changes.after)
    wait_for(lambda: count_points(changes.instance, "story"), lambda count: count == live, timeout_s=30)
    assert count_pending_chunks(changes.instance, "story") == 0
    checks = dagster_ui.checks(changes.instance)
    assert [name for name in _INTEGRITY if not checks[name]] == []


def test_when_nothing_changes_the_sensor_asks_for_no_run(changes: Changes) -> None:
    instance = changes.instance
    wait_for(lambda: count_points(instance, "story"), lambda count: count == len(changes.after), timeout_s=30)
    wait_until_settled(instance, "story", count=len(_AFTER))
    known = {run.run_id for run in dagster_ui.runs(instance)}
    began = time.time()
    time.sleep(_QUIET_S)
    assert {run.run_id for run in dagster_ui.runs(instance)} == known
    ticks = [tick for tick in dagster_ui.ticks(instance) if tick["timestamp"] > began]
    assert len(ticks) >= 2
    assert {(tick["status"], tick["skipReason"]) for tick in ticks} == {("SKIPPED", NOTHING_DUE)}


def test_a_run_launched_by_hand_finds_nothing_to_do(changes: Changes) -> None:
    instance = changes.instance
    wait_for(lambda: count_points(instance, "story"), lambda count: count == len(changes.after), timeout_s=30)
    before = instance.get("/api/v1/collections")
    run_id = dagster_ui.launch(instance, "story")
    run = wait_for(lambda: dagster_ui.run(instance, run_id), lambda found: found.is_ended)
    assert run.status == "SUCCESS"
    assert run.metadata["documents"]["documents_claimed"] == run.metadata["documents"]["extracted"] == 0
    assert run.metadata["embeddings"]["embedded"] == run.metadata["embeddings"]["cached"] == 0
    assert run.metadata["qdrant_collection"]["points_upserted"] == 0
    assert run.metadata["qdrant_collection"]["points_deleted"] == 0
    assert json.dumps(instance.get("/api/v1/collections")) == json.dumps(before), "revisions moved"
    assert live_chunks(instance, "story") == changes.after
