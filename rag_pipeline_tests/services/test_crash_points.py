"""A run that dies at any step is simply run again: the final state is that of a run nobody disturbed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from qdrant_client import QdrantClient

from rag_pipeline.ledger.engine import Ledger
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page
from rag_pipeline_tests.workshop import Workshop, words

_WRITES = ("upsert", "delete", "batch_update_points", "create_collection", "create_payload_index")


class Interruption(Exception):
    """A fault that nobody expects."""


class Steps:
    """Counts the steps of a run, before and after each, and dies at one of them."""

    def __init__(self, die_at: int | None, die: Callable[[], None]) -> None:
        self.taken = 0
        self._die_at = die_at
        self._die = die

    def step(self) -> None:
        self.taken += 1
        if self.taken == self._die_at:
            self._die()


class CountingLedger(Ledger):
    """A ledger whose every transaction is a step before it and one after it."""

    steps: Steps

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        self.steps.step()
        with super().begin() as connection:
            yield connection
        self.steps.step()


class CountingQdrant:
    """A Qdrant client whose every write is a step before it and one after it."""

    def __init__(self, client: QdrantClient, steps: Steps) -> None:
        self._client = client
        self._steps = steps

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        method = getattr(self._client, name)
        if name not in _WRITES:
            return method

        def counted(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed through
            self._steps.step()
            answer = method(*arguments, **options)
            self._steps.step()
            return answer

        return counted


def raise_interruption() -> None:
    raise Interruption


def kill_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(workshop: Workshop, die_at: int | None, die: Callable[[], None] = raise_interruption) -> int:
    """Ingest in slices of two, dying at a step; returns how many there were."""
    steps = Steps(die_at, die)
    ledger = CountingLedger(workshop.database_url)
    ledger.steps = steps
    bench = replace(
        workshop.bench,
        ledger=ledger,
        qdrant=cast("QdrantClient", CountingQdrant(workshop.bench.qdrant, steps)),
        rules=replace(workshop.bench.rules, max_documents=2, max_attempts=100),
    )
    try:
        Workshop(bench, workshop.database_url, workshop.qdrant_url).ingest()
    except Interruption:
        pass
    finally:
        ledger.close()
    return steps.taken


def put_first_version(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", words("alpha", 40))
    workshop.put("papers/b.txt", words("beta", 40))
    workshop.put("papers/c.pdf", pdf([text_page("one page"), text_page("a second page")]))
    workshop.put("papers/d.txt", "goes away")
    workshop.put("papers/e.pdf", b"%PDF-1.7\nbroken")
    for path in workshop.path("papers").iterdir():
        os.utime(path, ns=(10**18, 10**18))
    workshop.let_time_pass(path)


def put_second_version(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", words("alpha", 32) + "\n\n" + words("gamma", 20))
    workshop.put("papers/c.pdf", pdf([text_page("inserted"), text_page("one page"), text_page("a second page")]))
    workshop.path("papers/d.txt").unlink()
    workshop.put("papers/e.pdf", pdf([text_page("mended")]))
    workshop.put("papers/f.txt", words("phi", 10))
    for path in workshop.path("papers").iterdir():
        os.utime(path, ns=(10**18 + 10**9, 10**18 + 10**9))
    workshop.let_time_pass(path)


def finish(workshop: Workshop) -> dict[str, Any]:
    """What is there after the next run: nothing is left to do, and both stores agree."""
    workshop.scan()
    workshop.ingest()
    assert workshop.ingest().claimed == 0
    assert set(workshop.column("run_id").values()) == {None}
    return workshop.whole_state()


def test_an_error_at_any_step_of_the_first_run_changes_nothing_in_the_end(workshop: Workshop) -> None:
    put_first_version(workshop)
    workshop.scan()
    count = interrupted(workshop, None)
    undisturbed = workshop.whole_state()
    assert count > 80

    for step in range(1, count + 1, 3):
        _start_anew(workshop)
        interrupted(workshop, step)
        assert finish(workshop) == undisturbed, f"died at step {step} of {count}"


def test_an_error_at_any_step_of_an_update_changes_nothing_in_the_end(workshop: Workshop) -> None:
    put_first_version(workshop)
    workshop.scan()
    workshop.ingest()
    put_second_version(workshop)
    workshop.scan()
    count = interrupted(workshop, None)
    undisturbed = workshop.whole_state()

    for step in range(2, count + 1, 3):
        put_back_first_version(workshop)
        put_second_version(workshop)
        workshop.scan()
        interrupted(workshop, step)
        assert finish(workshop) == undisturbed, f"died at step {step} of {count}"


def test_a_run_that_dies_at_every_step_in_turn_gets_there_too(workshop: Workshop) -> None:
    put_first_version(workshop)
    workshop.scan()
    for step in range(8, 60, 4):
        interrupted(workshop, step)
    after = finish(workshop)
    _start_anew(workshop)

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


def test_a_point_deleted_just_before_a_crash_is_written_again_when_it_is_needed(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", "first words")
    workshop.put("papers/b.txt", "other words")
    workshop.catch_up()
    workshop.put("papers/a.txt", "second words")
    workshop.scan()
    [deleted_at] = [step for step in range(1, 200) if _dies_after_delete(workshop, step)][:1]
    assert deleted_at
    workshop.put("papers/a.txt", "first words")
    workshop.catch_up()

    assert workshop.found_paths("first words", limit=1) == ["a.txt"]
    workshop.whole_state()


def _dies_after_delete(workshop: Workshop, step: int) -> bool:
    """Die at this step; whether Qdrant holds fewer points than the ledger recorded then."""
    interrupted(workshop, step)
    with workshop.bench.ledger.begin() as connection:
        recorded = connection.scalar(sa.text("SELECT count(*) FROM rag.points"))
    return len(workshop.qdrant_points()) < (recorded or 0) and not any(
        payload["text"] == "first words" for payload, _ in workshop.qdrant_points().values()
    )


def put_back_first_version(workshop: Workshop) -> None:
    workshop.put("papers/d.txt", "goes away")
    workshop.path("papers/f.txt").unlink(missing_ok=True)
    put_first_version(workshop)
    finish(workshop)


def _start_anew(workshop: Workshop) -> None:
    """The ledger as the first scan left it, and an empty Qdrant."""
    with workshop.bench.ledger.begin() as connection:
        for table in ("points", "chunks", "pages", "embeddings", "verdicts", "runs", "documents", "generations"):
            connection.execute(sa.text(f"DELETE FROM rag.{table}"))  # noqa: S608 - our own names
        connection.execute(sa.text("UPDATE rag.collections SET live_generation = NULL, revision = 0"))
    workshop.bench.qdrant.delete_collection("papers__g1")
    workshop.scan()


_KILLED_RUN = """
import sys
from pathlib import Path
from rag_pipeline_tests.services import test_crash_points as crash
from rag_pipeline_tests.workshop import FakeModel, Workshop
with Workshop.open(sys.argv[1], sys.argv[2], Path(sys.argv[3]), model=FakeModel()) as workshop:
    crash.interrupted(workshop, int(sys.argv[4]), crash.kill_ourselves)
"""


@pytest.mark.parametrize("step", [25, 47, 70])
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
    _start_anew(workshop)

    assert finish(workshop) == after
