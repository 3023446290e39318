"""Ways to die in the middle of a run, and what must be true afterwards: the state of a run nobody disturbed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import sqlalchemy as sa
from qdrant_client import QdrantClient, models

from rag_pipeline.ledger.engine import Ledger
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page
from rag_pipeline_tests.workshop import Workshop, words

_WRITES = ("upsert", "delete", "batch_update_points", "create_collection", "create_payload_index")


class InterruptionError(Exception):
    """A fault that nobody expects."""


class Steps:
    """Counts the steps of a run, before and after each, and dies at one of them."""

    def __init__(self, die_at: int | None, die: Callable[[], None], *, die_after: str | None = None) -> None:
        self.taken = 0
        self.die_after = die_after
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
            if name == self._steps.die_after:
                raise InterruptionError
            return answer

        return counted


def raise_interruption() -> None:
    raise InterruptionError


def kill_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupted(
    workshop: Workshop,
    die_at: int | None,
    die: Callable[[], None] = raise_interruption,
    *,
    die_after: str | None = None,
) -> int:
    """Ingest in slices of two, dying at a step or after a write to Qdrant; returns how many steps there were."""
    steps = Steps(die_at, die, die_after=die_after)
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
    except InterruptionError:
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
    _date_all(workshop, 10**18)


def put_second_version(workshop: Workshop) -> None:
    workshop.put("papers/a.txt", words("alpha", 32) + "\n\n" + words("gamma", 20))
    workshop.put("papers/c.pdf", pdf([text_page("inserted"), text_page("one page"), text_page("a second page")]))
    workshop.path("papers/d.txt").unlink()
    workshop.put("papers/e.pdf", pdf([text_page("mended")]))
    workshop.put("papers/f.txt", words("phi", 10))
    _date_all(workshop, 10**18 + 10**9)


def _date_all(workshop: Workshop, mtime_ns: int) -> None:
    """Dates are part of the payload: equal ones make two histories comparable."""
    paths = list(workshop.path("papers").iterdir())
    for path in paths:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    workshop.let_time_pass(paths[-1])


def finish(workshop: Workshop) -> dict[str, Any]:
    """What is there after the next run: nothing is left to do, and both stores agree."""
    workshop.scan()
    workshop.ingest()
    assert workshop.ingest().claimed == 0
    assert set(workshop.column("run_id").values()) == {None}
    return workshop.whole_state()


def check_every_step_of_a_first_run(workshop: Workshop, *, stride: int) -> int:
    """Interrupt a first run at every `stride`-th step; returns how many times."""
    put_first_version(workshop)
    workshop.scan()
    workshop.ingest()
    start_anew(workshop)
    count = interrupted(workshop, None)
    undisturbed = workshop.whole_state()
    steps = range(1 + count % stride, count + 1, stride)
    for step in steps:
        start_anew(workshop)
        interrupted(workshop, step)
        assert finish(workshop) == undisturbed, f"died at step {step} of {count}"
    return len(steps)


def check_every_step_of_an_update(workshop: Workshop, *, stride: int) -> int:
    """Interrupt a run after edits at every `stride`-th step; returns how many times."""
    put_first_version(workshop)
    workshop.scan()
    workshop.ingest()
    put_second_version(workshop)
    workshop.scan()
    count = interrupted(workshop, None)
    undisturbed = workshop.whole_state()
    steps = range(1 + count % stride, count + 1, stride)
    for step in steps:
        put_back_first_version(workshop)
        put_second_version(workshop)
        workshop.scan()
        interrupted(workshop, step)
        assert finish(workshop) == undisturbed, f"died at step {step} of {count}"
    return len(steps)


def check_every_step_of_making_a_collection(workshop: Workshop, *, stride: int) -> int:
    """Interrupt the making of a generation at every `stride`-th step; returns how many times."""
    workshop.put("papers/a.txt", "few words")
    workshop.scan()
    count = interrupted(workshop, None)
    undisturbed = workshop.whole_state()
    steps = range(1, count + 1, stride)
    for step in steps:
        start_anew(workshop)
        workshop.bench.qdrant.delete_collection("papers__g1")
        interrupted(workshop, step)
        assert finish(workshop) == undisturbed, f"died at step {step} of {count}"
    return len(steps)


def put_back_first_version(workshop: Workshop) -> None:
    workshop.put("papers/d.txt", "goes away")
    workshop.path("papers/f.txt").unlink(missing_ok=True)
    put_first_version(workshop)
    finish(workshop)


def start_anew(workshop: Workshop, *, scan: bool = True) -> None:
    """The ledger as the first scan leaves it (or empty), and no points."""
    with workshop.bench.ledger.begin() as connection:
        for table in ("points", "chunks", "pages", "embeddings", "verdicts", "runs", "documents", "generations"):
            connection.execute(sa.text(f"DELETE FROM rag.{table}"))  # noqa: S608 - our own names
        connection.execute(sa.text("UPDATE rag.collections SET live_generation = NULL, revision = 0"))
    if written := list(workshop.qdrant_points()):
        workshop.bench.qdrant.delete("papers__g1", models.PointIdsList(points=list(written)))
    if scan:
        workshop.scan()
