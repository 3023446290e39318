"""Claims and leases."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from rag_pipeline.domain.documents import Document, Page
from rag_pipeline.domain.scanning import Signature
from rag_pipeline.domain.states import DocumentState
from rag_pipeline.ledger import collections, documents, tables, work
from rag_pipeline.ledger.engine import Ledger
from rag_pipeline_tests.workshop import Workshop


@pytest.fixture
def ledger(workshop: Workshop) -> Ledger:
    """A ledger with five due documents of 10 bytes."""
    with workshop.bench.ledger.begin() as connection:
        collections.create(connection, "papers", title="papers", folder=b"papers")
        documents.register(connection, "papers", {b"%d" % n: Signature(10, 1, 1) for n in range(5)})
    return workshop.bench.ledger


def claim(ledger: Ledger, run_id: str, *, lease_s: float = 60, most: int = 500, max_bytes: int = 1000) -> list[UUID]:
    with ledger.begin() as connection:
        claimed = work.claim(
            connection, "papers", run_id=run_id, lease_s=lease_s, max_documents=most, max_bytes=max_bytes
        )
    return [document.id for document in claimed]


def priorities(ledger: Ledger) -> list[int]:
    with ledger.begin() as connection:
        return list(connection.scalars(sa.select(tables.documents.c.priority)))


def test_no_document_is_claimed_twice(ledger: Ledger) -> None:
    first, second = claim(ledger, "a", most=3), claim(ledger, "b")

    assert (len(first), len(second)) == (3, 2)
    assert not set(first) & set(second)
    assert claim(ledger, "c") == []


def test_two_claims_at_once_share_the_work(ledger: Ledger) -> None:
    with ledger.begin() as one, ledger.begin() as other:
        options = {"lease_s": 60, "max_documents": 3, "max_bytes": 1000}
        first = work.claim(one, "papers", run_id="a", **options)
        second = work.claim(other, "papers", run_id="b", **options)

    assert len(first) == 3
    assert not {document.id for document in first} & {document.id for document in second}


def test_a_claim_is_void_when_its_lease_is_over(ledger: Ledger) -> None:
    claim(ledger, "dead", lease_s=-1)

    assert len(claim(ledger, "alive")) == 5


def test_a_sign_of_life_keeps_a_lease(ledger: Ledger) -> None:
    claim(ledger, "alive", lease_s=-1)
    with ledger.begin() as connection:
        work.extend_leases(connection, run_id="alive", lease_s=60)

    assert claim(ledger, "other") == []


def test_what_a_finished_run_holds_is_freed(ledger: Ledger) -> None:
    claim(ledger, "dead", most=2)
    claim(ledger, "alive", most=2)
    with ledger.begin() as connection:
        assert sorted(work.holding_runs(connection)) == ["alive", "dead"]
        assert work.release_runs(connection, ["dead"]) == 2

    assert len(claim(ledger, "next")) == 3


def test_a_claim_takes_one_document_at_least_and_then_as_many_bytes_as_allowed(ledger: Ledger) -> None:
    assert len(claim(ledger, "a", max_bytes=1)) == 1
    assert len(claim(ledger, "b", max_bytes=25)) == 2


def test_a_document_that_runs_died_with_is_claimed_alone(ledger: Ledger) -> None:
    for _ in range(2):
        claim(ledger, "dies", most=2)
        with ledger.begin() as connection:
            work.release_runs(connection, ["dies"])

    assert [len(claim(ledger, "next")) for _ in range(3)] == [1, 1, 3]


@pytest.mark.parametrize(
    ("stage", "attempts"),
    [(DocumentState.EXTRACTING, 2), (DocumentState.CHUNKING, 0), (DocumentState.EMBEDDING, 0)],
)
def test_only_runs_that_died_at_the_stage_a_document_stands_at_count(
    ledger: Ledger, stage: DocumentState, attempts: int
) -> None:
    claim(ledger, "dies", most=1)
    with ledger.begin() as connection:
        work.release_runs(connection, ["dies"])
    [document] = claim(ledger, "stopped", most=1)
    with ledger.begin() as connection:
        if stage is DocumentState.CHUNKING:
            text = Document((Page(1, "words"),), media_type="text/plain", extractor="text/1")
            work.record_extraction(connection, document, text, seq=1)
        else:
            work.advance(connection, [document], stage, run_id="stopped")
        work.release_runs(connection, ["stopped"])
        found = connection.scalar(sa.select(tables.documents.c.attempts).where(tables.documents.c.id == document))

    assert found == attempts


def test_deletions_are_claimed_first(ledger: Ledger) -> None:
    wanted = documents.document_id("papers", b"3")
    with ledger.begin() as connection:
        documents.want_deleted(connection, [wanted])

    assert claim(ledger, "a", most=1) == [wanted]


def test_a_document_that_comes_back_after_its_deletion_has_no_precedence(ledger: Ledger) -> None:
    path = b"3"
    with ledger.begin() as connection:
        documents.want_deleted(connection, [documents.document_id("papers", path)])
        [document] = work.claim(connection, "papers", run_id="a", lease_s=60, max_documents=1, max_bytes=10)
        work.finish(connection, document.id, DocumentState.DELETED, seq=document.seq, is_delete_wanted=False)
        documents.register(connection, "papers", {path: Signature(11, 2, 2)})

    assert document.path_bytes == path
    assert set(priorities(ledger)) == {documents.Priority.BULK}


def test_a_document_that_comes_back_before_its_deletion_has_no_precedence(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        documents.want_deleted(connection, [documents.document_id("papers", b"3")])
        documents.register(connection, "papers", {b"3": Signature(11, 2, 2)})

    assert set(priorities(ledger)) == {documents.Priority.BULK}


def test_a_deletion_asked_for_while_its_document_is_worked_on_keeps_its_precedence(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        [document] = work.claim(connection, "papers", run_id="a", lease_s=60, max_documents=1, max_bytes=10)
        documents.want_deleted(connection, [document.id])
        work.finish(connection, document.id, DocumentState.INDEXED, seq=document.seq)

    assert sorted(priorities(ledger))[:2] == [documents.Priority.DELETE, documents.Priority.BULK]


def test_a_reason_that_comes_while_a_document_is_worked_on_is_not_lost(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        [document] = work.claim(connection, "papers", run_id="a", lease_s=60, max_documents=1, max_bytes=10)
        documents.register(connection, "papers", {document.path_bytes: Signature(11, 2, 2)})
    assert document.id not in claim(ledger, "b")
    with ledger.begin() as connection:
        work.finish(connection, document.id, DocumentState.INDEXED, seq=document.seq)

    assert claim(ledger, "c") == [document.id]
