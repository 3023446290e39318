"""A store that hangs never fails: the API gives its answers up by itself, and answers again once the store does."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient

from rag_pipeline.api.app import build_app
from rag_pipeline.api.deadline import MAX_THREADS
from rag_pipeline.embedded.postgres import EmbeddedPostgres
from rag_pipeline.ledger import schema
from rag_pipeline_tests.api.test_api import ask, is_problem
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir
from rag_pipeline_tests.embedded.qdrant.server import ServerProcess
from rag_pipeline_tests.workshop import FakeModel, Workshop

LONGEST_S = 20.0
"""A frozen store goes on after this, so that an API that waits for it answers well, and the test fails."""


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Process `pid` and all below it do nothing in the block, as on a machine that swaps or a disk that is lost."""
    tree = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]

    def go_on() -> None:
        for one in tree:
            os.kill(one, signal.SIGCONT)

    rescue = threading.Timer(LONGEST_S, go_on)
    rescue.start()
    for one in tree:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        rescue.cancel()
        rescue.join()
        go_on()


@pytest.fixture
def postgres() -> Iterator[EmbeddedPostgres]:
    with temporary_data_dir() as folder, EmbeddedPostgres(folder, is_durable=False) as server:
        schema.upgrade(server.url)
        yield server


def test_while_the_ledger_hangs_every_answer_has_a_deadline(
    postgres: EmbeddedPostgres, clean_qdrant_url: str, tmp_path: Path
) -> None:
    with Workshop.open(postgres.url, clean_qdrant_url, tmp_path, model=FakeModel()) as workshop:
        workshop.put("papers/a.md", "a needle here")
        workshop.catch_up()
        with TestClient(build_app(workshop.bench, search_deadline_s=0.5)) as api:
            assert ask(api).status_code == 200
            assert postgres.pid
            with frozen(postgres.pid):
                answers = [ask(api)]
                answers += [
                    api.get(path)
                    for path in ("/api/v1/collections", "/api/v1/collections/papers/documents", "/health/ready")
                ]
                assert api.get("/health/live").status_code == 200
            for answer in answers:
                is_problem(answer, 503, "search_deadline")
                assert answer.headers["Retry-After"]
            assert ask(api).json()["hits"][0]["document"]["path"] == "a.md"


def test_hanging_answers_take_no_more_threads_than_there_are(
    postgres: EmbeddedPostgres, clean_qdrant_url: str, tmp_path: Path
) -> None:
    with (
        Workshop.open(postgres.url, clean_qdrant_url, tmp_path, model=FakeModel()) as workshop,
        TestClient(build_app(workshop.bench, search_deadline_s=0.02)) as api,
    ):
        assert postgres.pid
        with frozen(postgres.pid):
            for _ in range(MAX_THREADS + 20):
                is_problem(api.get("/api/v1/collections"), 503, "search_deadline")
            assert api.get("/health/live").status_code == 200
            working = [thread for thread in threading.enumerate() if thread.name.startswith("answer")]
            assert 0 < len(working) <= MAX_THREADS


def test_ready_does_not_wait_for_a_qdrant_that_hangs(database_url: str, tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path / "storage") as qdrant,
        Workshop.open(database_url, qdrant.url, tmp_path, model=FakeModel()) as workshop,
        TestClient(build_app(workshop.bench)) as api,
    ):
        assert api.get("/health/ready").status_code == 200
        with frozen(qdrant.process.pid):
            is_problem(api.get("/health/ready"), 503, "vector_store_unavailable")
        assert api.get("/health/ready").status_code == 200
