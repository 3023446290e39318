"""Verdicts: what must be true of a collection, judged at the end of each run."""

import sqlalchemy as sa

from rag_pipeline.ledger.tables import chunks
from rag_pipeline.services.judge import EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK
from rag_pipeline.services.verdicts import verdicts_by_check
from rag_pipeline_tests.workshop import Workshop, words


def has_passed(workshop: Workshop, name: str) -> bool:
    [verdict] = verdicts_by_check(workshop.bench.ledger, [name])[name]
    return verdict.has_passed


def test_an_indexed_document_that_cannot_be_found_is_noticed(workshop: Workshop) -> None:
    workshop.put("papers/one.txt", words("first", 20))
    workshop.put("papers/empty.txt", "")
    workshop.put("papers/blank.txt", " \n \n")
    workshop.catch_up()
    assert workshop.states()["blank.txt"][0] == "skipped"
    assert has_passed(workshop, EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK)

    with workshop.bench.ledger.begin() as connection:
        connection.execute(sa.delete(chunks))
    workshop.ingest()

    assert not has_passed(workshop, EVERY_INDEXED_DOCUMENT_HAS_A_CHUNK)
