"""A run that dies at any step is simply run again: the final state is that of a run nobody disturbed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag_pipeline_tests.services.crashes import (
    check_every_step_of_a_first_run,
    check_every_step_of_an_update,
    check_every_step_of_making_a_collection,
    finish,
    interrupted,
    put_back_first_version,
    put_first_version,
    put_second_version,
    start_anew,
)
from rag_pipeline_tests.workshop import Workshop


def test_an_error_at_some_steps_of_a_first_run_changes_nothing_in_the_end(workshop: Workshop) -> None:
    assert check_every_step_of_a_first_run(workshop, stride=37) > 2


def test_an_error_at_some_steps_of_an_update_changes_nothing_in_the_end(workshop: Workshop) -> None:
    assert check_every_step_of_an_update(workshop, stride=47) > 1


def test_an_error_while_a_collection_is_made_changes_nothing_in_the_end(workshop: Workshop) -> None:
    assert check_every_step_of_making_a_collection(workshop, stride=23) > 2


def test_a_run_that_dies_at_every_step_in_turn_gets_there_too(workshop: Workshop) -> None:
    put_first_version(workshop)
    workshop.scan()
    for step in range(8, 60, 9):
        interrupted(workshop, step)
    after = finish(workshop)
    start_anew(workshop)

    assert finish(workshop) == after


@pytest.mark.parametrize("step", [30, 60])
def test_files_put_back_after_a_crash_leave_no_point_behind(workshop: Workshop, step: int) -> None:
    put_first_version(workshop)
    workshop.scan()
    workshop.ingest()
    before = workshop.whole_state()
    put_second_version(workshop)
    workshop.scan()
    interrupted(workshop, step)
    put_back_first_version(workshop)

    assert workshop.whole_state() == before


def test_a_point_written_just_before_a_crash_goes_when_nobody_needs_it(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "first words")
    workshop.scan()
    interrupted(workshop, None, die_after="upsert")
    assert len(workshop.qdrant_points()) == 1
    workshop.put("papers/a.txt", "second words")
    workshop.catch_up()

    assert len(workshop.whole_state()["points"]) == 1


def test_a_point_deleted_just_before_a_crash_is_written_again_when_it_is_needed(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "first words")
    workshop.put("papers/b.txt", "other words")
    workshop.catch_up()
    workshop.put("papers/a.txt", "second words")
    workshop.scan()
    interrupted(workshop, None, die_after="delete")
    assert len(workshop.qdrant_points()) == 2
    workshop.put("papers/a.txt", "first words")
    workshop.catch_up()

    assert workshop.found_paths("first words", limit=1) == ["a.txt"]
    workshop.whole_state()


_KILLED_RUN = """
import sys
from pathlib import Path
from rag_pipeline_tests.services import crashes as crash
from rag_pipeline_tests.workshop import FakeModel, Workshop
with Workshop.open(sys.argv[1], sys.argv[2], Path(sys.argv[3]), model=FakeModel()) as workshop:
    crash.interrupted(workshop, int(sys.argv[4]), crash.kill_ourselves)
"""


@pytest.mark.parametrize("step", [47, 70])
def test_a_killed_process_changes_nothing_in_the_end(workshop: Workshop, tmp_path: Path, step: int) -> None:
    put_first_version(workshop)
    workshop.scan()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_RUN, workshop.database_url, workshop.qdrant_url, str(tmp_path), str(step)],
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert set(workshop.column("run_id").values()) != {None}
    after = finish(workshop)
    start_anew(workshop)

    assert finish(workshop) == after
