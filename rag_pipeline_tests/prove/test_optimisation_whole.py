"""SIGKILL to the embedded Qdrant at 50 random moments of an optimisation: nothing acknowledged is ever lost."""

from collections import Counter
from pathlib import Path

import pytest

from rag_pipeline_tests.embedded.qdrant.test_optimisation import kill_at_random_moments

_ROUNDS = 50


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_fifty_kills_around_optimisations_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended_in = kill_at_random_moments(tmp_path / "storage", rounds=_ROUNDS)
    with capsys.disabled():
        print(f"\n{_ROUNDS} kills, {len(Counter(ended_in))} generations of the shard, 0 acknowledged writes lost")  # noqa: T201 - its figure
    assert len(ended_in) == _ROUNDS
