"""Random histories of a folder, many of them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from rag_pipeline_tests.services.histories import check_history, histories
from rag_pipeline_tests.workshop import Workshop


@pytest.mark.prove
@pytest.mark.timeout(3600)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=histories)
def test_any_history_ends_as_a_fresh_ingest(
    workshop: Workshop, tmp_path: Path, history: list[tuple[str, str, str]]
) -> None:
    check_history(workshop, history, tmp_path)
