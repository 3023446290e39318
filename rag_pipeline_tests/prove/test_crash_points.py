"""Every step of a run, interrupted once."""

import pytest

from rag_pipeline_tests.services.crashes import (
    check_every_step_of_a_first_run,
    check_every_step_of_an_update,
    check_every_step_of_making_a_collection,
)
from rag_pipeline_tests.workshop import Workshop


@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_an_error_at_any_step_changes_nothing_in_the_end(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    made = check_every_step_of_making_a_collection(workshop, stride=1)
    first = check_every_step_of_a_first_run(workshop, stride=1)
    updated = check_every_step_of_an_update(workshop, stride=1)
    with capsys.disabled():
        print(f"\ninterrupted {made + first + updated} times, each ended in the undisturbed state")  # noqa: T201
