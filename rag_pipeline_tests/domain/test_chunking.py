"""Laws of cutting: everything is covered, in order, and nothing is longer than the model reads."""

import itertools
import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.domain.chunking import MAX_CHARS_PER_TOKEN, cut
from rag_pipeline.domain.spec import ChunkingSpec


def count_words(texts: Sequence[str]) -> list[int]:
    """A tokenizer like WordPiece in what matters: 2 special tokens, long words are many tokens, 1 per symbol."""
    return [2 + sum(-(-len(word) // 6) for word in re.findall(r"\w+|[^\w\s]", text)) for text in texts]


texts = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(["ação", "casa.", "x" * 90, "Sim!", "\n", "\n\n", " ", "水。", "a", "(b)"]), max_size=200
    ).map(" ".join),
    st.builds(str.__mul__, st.sampled_from(["x", "ab ", "\n", "水", "e\u0301"]), st.integers(0, 5000)),
)
specs = st.builds(ChunkingSpec, max_tokens=st.integers(12, 60), overlap_tokens=st.integers(0, 6))


@given(texts, specs)
def test_passages_cover_every_character_in_order_and_fit_the_model(text: str, spec: ChunkingSpec) -> None:
    passages = cut(text, count_words, spec)

    covered = [False] * len(text)
    for passage in passages:
        covered[passage.start : passage.end] = [True] * (passage.end - passage.start)
    assert all(is_covered or char.isspace() for is_covered, char in zip(covered, text, strict=True))
    for before, after in itertools.pairwise(passages):
        assert before.start < after.start
        assert before.end < after.end
    for passage in passages:
        words = text[passage.start : passage.end]
        assert words == words.strip()
        assert words
        assert passage.token_count == count_words([words])[0] <= spec.max_tokens
        assert len(words) <= spec.max_tokens * MAX_CHARS_PER_TOKEN


@given(texts, specs)
def test_cutting_twice_gives_the_same(text: str, spec: ChunkingSpec) -> None:
    assert cut(text, count_words, spec) == cut(text, count_words, spec)


def test_a_passage_ends_where_a_paragraph_does_when_it_is_late_enough() -> None:
    text = "word. " * 6 + "end.\n\n" + "other. " * 8

    passages = cut(text, count_words, ChunkingSpec(max_tokens=24, overlap_tokens=4))

    assert [text[p.start : p.end] for p in passages] == ["word. " * 6 + "end.", ("other. " * 8).strip()]


def test_an_edit_leaves_passages_far_from_it_alone() -> None:
    paragraphs = [f"Paragraph {n} has its own words, like {'x' * (n % 7)}. It has two sentences." for n in range(60)]
    spec = ChunkingSpec(max_tokens=60, overlap_tokens=8)

    def passages(parts: list[str]) -> set[str]:
        text = "\n\n".join(parts)
        return {text[p.start : p.end] for p in cut(text, count_words, spec)}

    before = passages(paragraphs)
    after = passages([*paragraphs[:5], "A new paragraph, put in later, of some length.", *paragraphs[5:]])

    assert len(before - after) <= 3
    assert len(before & after) >= len(before) - 3


def test_overlap_repeats_the_end_of_the_passage_before() -> None:
    text = " ".join(f"Sentence number {n} is here." for n in range(12))

    passages = cut(text, count_words, ChunkingSpec(max_tokens=30, overlap_tokens=8))

    assert len(passages) > 2
    assert all(after.start < before.end for before, after in itertools.pairwise(passages))
