"""While a document is updated, a search sees its old version or its new one: never neither, never both."""

import threading
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.errors import IndexSpecChangedError, LedgerUnavailableError, VectorStoreUnavailableError
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline.services.search import search
from rag_pipeline.vectors.client import connect
from rag_pipeline_tests.workshop import FakeModel, Workshop


def version(n: int) -> str:
    return "\n\n".join(f"passage {part} of version {n}. " + "filling words " * 12 for part in range(4))


def seen_version(texts: list[str]) -> str:
    versions = Counter(text.split(". ")[0].rsplit(" ", 1)[-1] for text in texts)
    assert len(versions) == 1, f"a search saw {versions}"
    [(name, count)] = versions.items()
    assert count == 4, f"a search saw {count} of 4 passages"
    return name


def test_a_searcher_sees_one_whole_version_at_every_moment_of_an_update(workshop: Workshop) -> None:
    workshop.rule(point_grace_s=60)
    workshop.put("papers/a.txt", version(0))
    workshop.catch_up()
    seen: list[str] = []
    failures: list[BaseException] = []
    is_over = threading.Event()

    def look() -> None:
        try:
            while not is_over.is_set():
                seen.append(seen_version([hit.chunk.text for hit in workshop.find("passage of version")]))
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            failures.append(error)

    searcher = threading.Thread(target=look)
    searcher.start()
    for n in range(1, 5):
        workshop.put("papers/a.txt", version(n))
        workshop.catch_up()
    is_over.set()
    searcher.join()

    assert failures == []
    assert seen[-1] in {"3", "4"}
    assert len(seen) > 10


class Watching:
    """A Qdrant client that lets a search happen between any two writes of a run."""

    def __init__(self, client: QdrantClient, look: Any) -> None:  # noqa: ANN401 - a function
        self._client = client
        self._look = look

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        method = getattr(self._client, name)

        def watched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed through
            self._look()
            answer = method(*arguments, **options)
            self._look()
            return answer

        return watched


def test_new_points_are_not_seen_before_the_flip_and_old_ones_not_after(workshop: Workshop) -> None:
    workshop.rule(point_grace_s=0)
    workshop.put("papers/a.txt", version(0))
    workshop.catch_up()
    workshop.put("papers/a.txt", version(1))
    workshop.scan()
    seen: list[str] = []

    def look() -> None:
        seen.append(seen_version([hit.chunk.text for hit in workshop.find("passage of version")]))

    watching = cast("QdrantClient", Watching(workshop.bench.qdrant, look))
    bench = replace(workshop.bench, qdrant=watching)
    Workshop(bench, workshop.database_url, workshop.qdrant_url).ingest()

    assert seen == sorted(seen)
    assert set(seen) == {"0", "1"}


def test_replaced_points_stay_for_searches_under_way_and_go_later(workshop: Workshop) -> None:
    workshop.rule(point_grace_s=60)
    workshop.put("papers/a.txt", "old words")
    workshop.catch_up()
    workshop.put("papers/a.txt", "new words")
    workshop.catch_up()
    assert len(workshop.qdrant_points()) == 2
    assert [hit.chunk.text for hit in workshop.find("words")] == ["new words"]

    workshop.rule(point_grace_s=0)
    assert workshop.ingest().points_deleted == 1
    workshop.whole_state()


def test_a_search_asks_for_more_when_most_found_points_are_no_longer_live(workshop: Workshop) -> None:
    workshop.rule(point_grace_s=60)
    workshop.put("papers/stays.txt", "the wanted words stand here among others")
    workshop.put("papers/a.txt", "\n\n".join(f"the wanted words {n} " + "x " * 30 for n in range(40)))
    workshop.catch_up()
    workshop.path("papers/a.txt").unlink()
    workshop.catch_up()

    assert len(workshop.qdrant_points()) > 30
    assert workshop.found_paths("the wanted words", limit=1) == ["stays.txt"]


def test_a_collection_without_an_index_has_no_hits(workshop: Workshop) -> None:
    workshop.path("papers").mkdir()
    workshop.scan()
    answer = search(workshop.bench, "papers", "anything", limit=10)

    assert (answer.hits, answer.generation) == ((), None)


def test_a_query_is_never_embedded_with_another_model(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "words")
    workshop.catch_up()
    other = FakeModel(ModelSpec(name="other", revision="other", dimension=16, max_tokens=256))
    workshop.bench = replace(workshop.bench, model=other)

    with pytest.raises(IndexSpecChangedError, match="other"):
        workshop.find("words")
    with pytest.raises(IndexSpecChangedError, match="rebuild_index"):
        workshop.ingest()


def test_a_store_that_is_down_is_named(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "words")
    workshop.catch_up()
    no_qdrant = replace(workshop.bench, qdrant=connect("http://127.0.0.1:9"))
    with pytest.raises(VectorStoreUnavailableError):
        search(no_qdrant, "papers", "words", limit=1)
    ledger = Ledger("postgresql://rag@127.0.0.1:9/ledger")
    with pytest.raises(LedgerUnavailableError):
        search(replace(workshop.bench, ledger=ledger), "papers", "words", limit=1)
    no_qdrant.qdrant.close()
    ledger.close()


def test_a_store_that_goes_down_during_a_run_costs_no_attempt(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "words")
    workshop.catch_up()
    workshop.put("papers/a.txt", "other words")
    workshop.scan()
    live = workshop.bench

    class Broken(Watching):
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
            if name == "upsert":
                return connect("http://127.0.0.1:9").upsert
            return getattr(self._client, name)

    broken = cast("QdrantClient", Broken(live.qdrant, None))
    for _ in range(5):
        with pytest.raises(VectorStoreUnavailableError):
            Workshop(replace(live, qdrant=broken), "", "").ingest()
    assert workshop.column("attempts") == {"a.txt": 0}
    assert workshop.found_paths("words") == ["a.txt"]

    assert workshop.ingest().indexed == 1
    workshop.whole_state()


def test_a_document_that_brings_out_a_bug_fails_alone(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        workshop.put(f"papers/{n}.txt", f"words of document {n}")
    workshop.put("papers/2.txt", "the poison")
    embedder = workshop.embedder
    embed = embedder.embed_passages

    def poisoned(texts: Any) -> Any:  # noqa: ANN401 - passed through
        if "the poison" in texts:
            raise ZeroDivisionError
        return embed(texts)

    monkeypatch.setattr(type(embedder), "embed_passages", lambda _self, texts: poisoned(texts))
    workshop.scan()
    for _ in range(6):
        try:
            workshop.ingest()
        except ZeroDivisionError:
            continue
        break

    assert workshop.states() == {
        "0.txt": ("indexed", None),
        "1.txt": ("indexed", None),
        "2.txt": ("failed", "internal_error"),
        "3.txt": ("indexed", None),
    }


def test_a_document_that_kills_its_runs_fails_alone(workshop: Workshop) -> None:
    for n in range(3):
        workshop.put(f"papers/{n}.txt", f"words of document {n}")
    workshop.scan()
    workshop.change_documents(attempts=3)
    report = workshop.ingest()

    assert {reason for _, reason in workshop.states().values()} == {"internal_error"}
    assert report.failed == 3
