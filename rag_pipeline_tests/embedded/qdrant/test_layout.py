"""Which shard a collection has, what is deleted at the start and what never is; and the journal's bound."""

from pathlib import Path

import httpx
import pytest
from qdrant_edge import UpdateOperation

from rag_pipeline.embedded.qdrant.store import layout
from rag_pipeline.embedded.qdrant.store.backlog import Backlog, Thresholds
from rag_pipeline.embedded.qdrant.store.journal import Journal
from rag_pipeline.embedded.qdrant.store.upkeep import Upkeep
from rag_pipeline_tests.embedded.qdrant.optimising import Writer, make, stored
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess


def test_only_the_named_shard_is_left(tmp_path: Path) -> None:
    for name in ("shard", "shard-3", f"shard-{'0f' * 16}", "shards", "shard-x", "shard-03"):
        (tmp_path / name / "segments").mkdir(parents=True)
    (tmp_path / ".current.1f").write_text("shard-4")
    layout.make_current(tmp_path / "shard-3")
    assert layout.next_shard(tmp_path) != layout.next_shard(tmp_path)
    layout.remove_other_shards(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"current", "shard-3", "shards", "shard-x", "shard-03"}


def test_without_a_name_it_is_the_first(tmp_path: Path) -> None:
    for name in ("shard", "shard-1"):
        (tmp_path / name).mkdir()
    layout.remove_other_shards(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]


def test_nothing_is_deleted_while_the_named_one_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "shard").mkdir()
    (tmp_path / "current").write_text("shard-7\n")
    layout.remove_other_shards(tmp_path)
    assert (tmp_path / "shard").is_dir()


@pytest.mark.parametrize("content", ["", "../other", "shard-0", "shard/segments", "shard-1 shard-2"])
def test_a_name_that_is_none_deletes_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "shard").mkdir()
    (tmp_path / "current").write_text(content)
    with pytest.raises(ValueError, match="should name a shard"):
        layout.remove_other_shards(tmp_path)
    assert (tmp_path / "shard").is_dir()


def test_a_broken_name_makes_one_collection_unloadable_and_loses_nothing(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    with ServerProcess(storage) as server, httpx.Client(base_url=server.url) as http:
        make(http)
        writer = Writer(http)
        writer.write_one_upsert()
        server.stop()
    current = storage / "collections" / "c" / "current"
    named = current.read_text()
    current.write_text("nonsense")
    with ServerProcess(storage) as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/collections/c").status_code == 500
        server.stop()
    current.write_text(named)
    with ServerProcess(storage) as server, httpx.Client(base_url=server.url) as http:
        assert stored(http) == writer.model


def test_a_journal_over_its_bound_is_broken_and_empty() -> None:
    journal = Journal(max_bytes=100)
    for _ in range(2):
        journal.keep(UpdateOperation.delete_points([1]), size_bytes=50)
    assert (journal.broken_by, len(journal)) == (None, 2)
    for _ in range(2):
        journal.keep(UpdateOperation.delete_points([1]), size_bytes=1)
    assert (journal.broken_by is not None, len(journal)) == (True, 0)


def test_a_long_log_is_shortened_while_writes_go_on_and_without_optimisation_threads() -> None:
    upkeep = Upkeep()
    upkeep.note_write()
    for is_allowed in (True, False):
        thresholds = Thresholds(indexing_kb=None, deleted_share=0.2, vacuum_min_points=100, is_allowed=is_allowed)
        for log_kb, is_due in ((96 * 1024, False), (128 * 1024, True)):
            backlog = Backlog(log_kb=log_kb)
            assert thresholds.are_passed_by(backlog) is is_due
            assert upkeep.is_time(backlog, thresholds) is is_due
