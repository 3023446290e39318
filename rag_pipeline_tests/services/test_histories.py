"""Whatever happened to a folder, and however the runs fell, the end is that of a fresh ingest."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from rag_pipeline_tests.services.histories import check_history, histories
from rag_pipeline_tests.workshop import Workshop


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(history=histories)
def test_any_history_ends_as_a_fresh_ingest(
    workshop: Workshop, tmp_path: Path, history: list[tuple[str, str, str]]
) -> None:
    check_history(workshop, history, tmp_path)
