"""The mass-delete guard."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.domain.deletions import GuardRule, Vanished, decide_deletions

RULE = GuardRule(max_share=0.5, min_documents=20)


def gone(count: int, *, first: int = 0) -> list[Vanished]:
    return [Vanished(UUID(int=n), f"content {n}".encode()) for n in range(first, first + count)]


def test_few_deletions_pass() -> None:
    decision = decide_deletions(gone(19), present_hashes=set(), total=19, rule=RULE)

    assert len(decision.released) == 19
    assert decision.reason is None


def test_a_mass_deletion_waits() -> None:
    decision = decide_deletions(gone(20), present_hashes=set(), total=39, rule=RULE)

    assert len(decision.held) == 20
    assert decision.reason == "20 of 39 documents vanished and their content is nowhere else"


def test_half_of_a_large_collection_may_go() -> None:
    assert not decide_deletions(gone(20), present_hashes=set(), total=40, rule=RULE).held


def test_moved_documents_do_not_count_as_lost() -> None:
    moved = {document.content_hash for document in gone(30) if document.content_hash}

    decision = decide_deletions(gone(100), present_hashes=moved, total=100, rule=RULE)

    assert len(decision.released) == 30
    assert len(decision.held) == 70


def test_a_folder_that_is_gone_deletes_nothing() -> None:
    decision = decide_deletions(gone(1), present_hashes=set(), total=1, rule=RULE, root_trouble="is missing")

    assert decision.held
    assert decision.reason == "the folder is missing"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_every_vanished_document_is_released_or_held(vanished: int, moved: int, present: int) -> None:
    documents = gone(vanished)
    hashes = {document.content_hash for document in documents[:moved] if document.content_hash}

    decision = decide_deletions(documents, present_hashes=hashes, total=vanished + present, rule=RULE)

    assert sorted([*decision.released, *decision.held]) == [document.document_id for document in documents]
