"""BM25 sparse vectors, by the code that Qdrant itself uses.

The rarity of a word (IDF) is not in the vectors: Qdrant multiplies it in at query time (`Modifier.IDF`), so that it
follows the collection. How sparse and dense scores are joined lives in `domain`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.embedding.tokens import valid_text

if TYPE_CHECKING:
    from qdrant_edge import Bm25

ALGORITHM = "bm25/1"
"""Raised when the same text would give another vector: another tokenisation, stemmer or weighting."""

_K1 = 1.2
_B = 0.75
_AVERAGE_WORDS = 100.0
"""Words of a usual chunk, stop words left out. Source: measured 2026-11 on 48 paragraphs of English: 96 in 220 word
pieces."""

_LANGUAGES = {
    "ar": "arabic",
    "az": "azerbaijani",
    "bn": "bengali",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "he": "hebrew",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "kk": "kazakh",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sl": "slovene",
    "sv": "swedish",
    "tg": "tajik",
    "tr": "turkish",
}
"""ISO 639-1 to the names of qdrant_edge 0.9.0, which has stop words for each and a stemmer for most.

Its Chinese and Japanese are left out: they need its multilingual tokenizer, which drops numbers ("4711" gives an empty
vector, seen 2026-11). Both are cut into pairs of characters here."""

_UNSPACED = re.compile(
    "[\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003fffd]+"
)
"""Runs of Chinese, Japanese and Korean characters: words are not told apart by spaces, or carry particles."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseVector:
    """A vector that is zero nearly everywhere.

    Shapes:
        indices: uint32, (words,), ascending, each once.
        values: float32, (words,), positive.
    """

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


class Bm25Encoder:
    """Texts to BM25 vectors, each text by its own language's stemmer and stop words. Safe to use from several threads.

    A word is matched only by a word cut the same way, so a query should be encoded in the languages its collection
    holds, not in the one that a few words seem to be in.
    """

    def __init__(self, *, k1: float = _K1, b: float = _B, average_words: float = _AVERAGE_WORDS) -> None:
        """Weigh by `k1` (saturation), `b` (how much length matters) and a text's usual length in words."""
        self._k1 = k1
        self._b = b
        self._average_words = average_words

    @property
    def name(self) -> str:
        """What decides the vectors, for the IndexSpec: algorithm and parameters."""
        return f"{ALGORITHM};k1={self._k1:g};b={self._b:g};avg_len={self._average_words:g}"

    def encode_passages(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[SparseVector]:
        """One vector per text, in their order; a text without any word gives an empty one.

        Args:
            texts: passages.
            languages: ISO 639-1 of each; `None` or a language not known here: words as they stand.
        """
        vectors: list[SparseVector] = []
        for text, language in zip(texts, languages, strict=True):
            found = self._model(_known(language)).embed_document(_normal(text))
            vectors.append(_sparse(dict(zip(found.indices, found.values, strict=True))))
        return vectors

    def encode_query(self, text: str, language: str | None = None, *, also: Sequence[str | None] = ()) -> SparseVector:
        """The query's words, each once and each with weight 1.

        Args:
            text: the query.
            language: ISO 639-1, `None` for words as they stand.
            also: other languages the collection holds; a word then stands in each language's form.
        """
        words: set[int] = set()
        for one in {_known(language), *map(_known, also)}:
            words.update(self._model(one).embed_query(_normal(text)).indices)
        return _sparse(dict.fromkeys(words, 1.0))

    def _model(self, language: str | None) -> "Bm25":
        return _open(language, self._k1, self._b, self._average_words)


def _known(language: str | None) -> str | None:
    return _LANGUAGES.get(language or "")


def _normal(text: str) -> str:
    """`text` compatibility-composed (PDFs hold ligatures and split accents), unspaced scripts as overlapping pairs.

    Pairs are language-neutral, so Chinese inside an English document is found too.
    """
    return _UNSPACED.sub(_pairs, unicodedata.normalize("NFKC", valid_text(text)))


def _pairs(run: re.Match[str]) -> str:
    characters = run.group()
    pairs = [characters[at : at + 2] for at in range(max(1, len(characters) - 1))]
    return f" {' '.join(pairs)} "


def _sparse(weights: dict[int, float]) -> SparseVector:
    ordered = sorted(weights.items())
    return SparseVector(
        indices=np.array([index for index, _ in ordered], dtype=np.uint32),
        values=np.array([value for _, value in ordered], dtype=np.float32),
    )


@cache
def _open(language: str | None, k1: float, b: float, average_words: float) -> "Bm25":
    """The encoder of one language, by the library's name for it, or of none."""
    from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet

    if language is not None:
        return Bm25(Bm25Config(k=k1, b=b, avg_len=average_words, language=language))
    # Without a language the library means English: stop words and stemmer have to be taken away one by one.
    return Bm25(Bm25Config(k=k1, b=b, avg_len=average_words, stopwords=StopwordsSet(), stemmer=DisabledStemmer()))
