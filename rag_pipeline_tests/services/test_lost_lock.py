"""A run whose writer lock is lost must not harm what its successor does."""

from typing import Any

import pytest
import sqlalchemy as sa

from rag_pipeline.errors import CollectionBusyError
from rag_pipeline.services.ingest import ingest_collection
from rag_pipeline.services.report import IngestReport
from rag_pipeline_tests.workshop import Workshop, words


def lose_the_lock(workshop: Workshop) -> None:
    """End the sessions that hold writer locks, as a restart of PostgreSQL does."""
    with workshop.bench.ledger.begin() as connection:
        connection.execute(sa.text("select pg_terminate_backend(pid, 5000) from pg_locks where classid = 1918986079"))


def test_a_run_that_lost_its_lock_writes_nothing_after_its_successor(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("papers/one.txt", words("first", 60))
    workshop.scan()
    kind = type(workshop.bench.model.embedder)
    embed: Any = kind.embed_passages

    def lose_the_lock_and_be_overtaken(self: object, texts: list[str]) -> object:
        monkeypatch.setattr(kind, "embed_passages", embed)
        lose_the_lock(workshop)
        ingest_collection(workshop.bench, "papers", run_id="second")
        return embed(self, texts)

    monkeypatch.setattr(kind, "embed_passages", lose_the_lock_and_be_overtaken)
    with pytest.raises(CollectionBusyError):
        ingest_collection(workshop.bench, "papers", run_id="first")

    assert set(workshop.found_paths("first")) == {"one.txt"}


def test_a_run_that_lost_its_lock_deletes_no_points(workshop: Workshop) -> None:
    workshop.put("papers/one.txt", words("first", 20))
    workshop.put("papers/two.txt", words("second", 20))
    workshop.catch_up()
    before = set(workshop.qdrant_points())
    workshop.path("papers/one.txt").unlink()
    workshop.scan()

    def lose(_report: IngestReport) -> None:
        lose_the_lock(workshop)

    with pytest.raises(CollectionBusyError):
        workshop.ingest(on_slice=lose)

    assert set(workshop.qdrant_points()) == before
    assert set(workshop.found_paths("first second")) == {"two.txt"}
    workshop.ingest()
    workshop.whole_state()
