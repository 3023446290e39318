"""BM25: words find words, in every language, with the weights of the formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.embedding.sparse import Bm25Encoder, SparseVector

_LANGUAGES = [None, "en", "pt", "zh", "ja", "nb", "xx", ""]


def _score(query: SparseVector, passage: SparseVector) -> float:
    _, in_query, in_passage = np.intersect1d(query.indices, passage.indices, return_indices=True)
    return float(query.values[in_query] @ passage.values[in_passage])


@pytest.mark.parametrize(
    ("language", "passage", "query"),
    [
        ("en", "The cats were running through the houses.", "house cat"),
        ("pt", "As empresas portuguesas exportaram mais.", "empresa portuguesa"),
        ("no", "Bilene og husene er her.", "bil hus"),
        (None, "Errors E-4711 and E-4712", "4711"),
        ("xx", "Tuma faili kwa Mwanga", "faili"),
        ("zh", "\u6211\u4eec\u559c\u6b22\u673a\u5668\u5b66\u4e60", "\u673a\u5668"),
        (
            "ja",
            "\u6a5f\u68b0\u5b66\u7fd2\u306f\u4eba\u5de5\u77e5\u80fd\u306e\u4e00\u5206\u91ce\u3067\u3042\u308b",
            "\u77e5\u80fd",
        ),
        (None, "\u6211\u4eec\u559c\u6b22\u673a\u5668\u5b66\u4e60", "\u673a\u5668"),
        (None, "\u7248\u672c 4711 \u3002", "4711"),
        ("en", "About \u673a\u5668\u5b66\u4e60 in 2024", "\u5b66\u4e60"),
        (None, "\ud55c\uad6d\uc5b4\ub294", "\ud55c\uad6d\uc5b4"),
        ("en", "e\ufb03cient \uff26\uff35\uff2c\uff2c", "efficient full"),
        ("fr", "une de\u0301cision", "d\u00e9cision"),
    ],
)
def test_a_query_finds_a_passage_of_its_language(language: str | None, passage: str, query: str) -> None:
    encoder = Bm25Encoder()
    (vector,) = encoder.encode_passages([passage], [language])

    words = encoder.encode_query(query, language)
    assert _score(words, vector) > 0
    assert set(words.indices) <= set(vector.indices)


def test_a_query_in_several_languages_finds_passages_of_each() -> None:
    encoder = Bm25Encoder()
    passages = encoder.encode_passages(["As empresas cresceram", "The companies grew", "empresas"], ["pt", "en", None])

    query = encoder.encode_query("empresas companies", None, also=["pt", "en"])
    assert all(_score(query, passage) > 0 for passage in passages)
    assert _score(encoder.encode_query("empresas companies"), passages[0]) == 0


def test_weights_follow_the_formula() -> None:
    encoder = Bm25Encoder(k1=1.5, b=0.5, average_words=4)
    (vector,) = encoder.encode_passages(["alpha alpha alpha beta gamma delta"], [None])

    # Six words against four on average: k1 * (1 - b + b * 6 / 4) = 1.875.
    expected = sorted([3 * 2.5 / (3 + 1.875), *[2.5 / (1 + 1.875)] * 3])
    np.testing.assert_allclose(np.sort(vector.values), expected, rtol=1e-5)


def test_the_name_tells_the_parameters() -> None:
    assert Bm25Encoder().name == "bm25/1;k1=1.2;b=0.75;avg_len=100"
    assert Bm25Encoder(k1=1.5, b=0.5, average_words=80).name == "bm25/1;k1=1.5;b=0.5;avg_len=80"


def test_stop_words_count_only_where_no_language_is_known() -> None:
    encoder = Bm25Encoder()

    assert len(encoder.encode_query("the of and", "en").indices) == 0
    assert len(encoder.encode_query("the of and", None).indices) == 3


@given(texts=st.lists(st.tuples(st.text(max_size=80), st.sampled_from(_LANGUAGES)), max_size=4))
def test_any_text_gives_a_valid_vector(texts: list[tuple[str, str | None]]) -> None:
    encoder = Bm25Encoder()
    vectors = encoder.encode_passages([text for text, _ in texts], [language for _, language in texts])

    assert len(vectors) == len(texts)
    for vector, (text, language) in zip(vectors, texts, strict=True):
        assert (vector.indices.dtype, vector.values.dtype) == (np.uint32, np.float32)
        assert np.all(np.diff(vector.indices.astype(np.int64)) > 0)
        assert np.all(vector.values > 0)
        assert set(encoder.encode_query(text, language).indices) == set(vector.indices)


def test_a_text_without_words_gives_an_empty_vector() -> None:
    (vector,) = Bm25Encoder().encode_passages(["... \N{GRINNING FACE} \ud800"], ["en"])

    assert vector.indices.shape == vector.values.shape == (0,)


def test_a_language_is_asked_for_every_passage() -> None:
    with pytest.raises(ValueError, match="zip"):
        Bm25Encoder().encode_passages(["one", "two"], ["en"])
