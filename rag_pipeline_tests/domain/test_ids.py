"""Ids depend on what they name and on nothing else."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.domain.ids import chunk_ids, document_id

DOCUMENT = UUID(int=1)
passages = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=12)


def test_ids_never_change_between_versions() -> None:
    # Written down once: another value here would orphan every point that was ever written.
    assert str(document_id("papers", b"2024/a.pdf")) == "b53076f4-aa8c-5bf5-87b1-8ce96c81093f"
    assert str(chunk_ids(DOCUMENT, ["text"])[0]) == "80863502-e450-5188-88c6-f991dbf8a6fa"


@given(passages)
def test_no_two_chunks_of_a_document_share_an_id(texts: list[str]) -> None:
    ids = chunk_ids(DOCUMENT, texts)

    assert len(set(ids)) == len(texts)


@given(passages, st.integers(0, 12), st.text(min_size=2, max_size=5))
def test_an_edit_keeps_the_ids_of_the_other_passages(texts: list[str], position: int, new: str) -> None:
    before = chunk_ids(DOCUMENT, texts)
    after = chunk_ids(DOCUMENT, [*texts[:position], new, *texts[position:]])

    assert set(before) <= set(after)


@given(st.binary(min_size=1), st.binary(min_size=1), st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]))
def test_documents_differ_when_their_place_does(one: bytes, other: bytes, here: str, there: str) -> None:
    assert (document_id(here, one) == document_id(there, other)) == ((here, one) == (there, other))
