"""Killed at random moments under writes of every kind; the full count is in `prove/`."""

from pathlib import Path

from rag_pipeline_tests.embedded.qdrant.storms import storm


def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(tmp_path: Path) -> None:
    seen = storm(tmp_path / "storage", kills=4, seed=1)
    assert seen.kills >= 4
    assert seen.requests > 0
