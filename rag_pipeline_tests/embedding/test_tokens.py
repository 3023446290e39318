"""Token counts: those of the model, with nothing cut."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_pipeline.embedding.tokens import ModelTokenizer, valid_text
from rag_pipeline_tests.embedding.models import wheel_files


@cache
def _ours() -> ModelTokenizer:
    # The original file: it asks for truncation at 128 tokens and padding to 128.
    return ModelTokenizer(wheel_files() / "tokenizer.json")


@cache
def _of_transformers() -> Any:  # noqa: ANN401 - the class depends on the model
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(wheel_files())


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=300), max_size=5))
def test_counts_are_those_of_transformers(texts: list[str]) -> None:
    expected = [len(_of_transformers()(text)["input_ids"]) for text in texts]

    assert _ours().count(texts) == expected
    assert [len(ids) for ids in _ours().ids(texts)] == expected


@pytest.mark.parametrize(("text", "tokens"), [("", 2), ("word", 3), ("word " * 1_000, 1_002)])
def test_nothing_is_padded_or_cut(text: str, tokens: int) -> None:
    assert _ours().count([text]) == [tokens]


def test_many_texts_are_counted_in_their_order() -> None:
    counts = [1 + n % 50 for n in range(3_000)]
    texts = ["word " * count + " " * 1_000 for count in counts]

    assert _ours().count(texts) == [count + 2 for count in counts]


def test_a_single_word_of_a_megabyte_and_a_half_is_counted() -> None:
    assert _ours().count(["a" * 1_500_000]) == [3]


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=200), max_tokens=st.integers(min_value=3, max_value=40))
def test_cut_ids_are_the_beginning_and_keep_the_special_tokens(text: str, max_tokens: int) -> None:
    whole = _ours().ids([text])[0].tolist()
    cut = _ours().ids_cut(text, max_tokens=max_tokens).tolist()

    assert len(cut) == min(len(whole), max_tokens)
    assert cut == whole[: len(cut) - 1] + whole[-1:]


@given(text=st.text(st.characters(), max_size=50))
def test_valid_text_is_unicode_and_leaves_unicode_alone(text: str) -> None:
    valid = valid_text(text)

    assert valid.encode().decode() == valid
    if "\ufffd" not in valid:
        assert valid == text
