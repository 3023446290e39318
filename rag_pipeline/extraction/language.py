"""The language most of a text is in, as ISO 639-1, told from a bounded sample of it.

Told by the parent: the model takes 0.6 s to load, by way of a temporary file of 68 MB (py3langid 0.4), neither of which
a child that is often killed and may write no file should pay for. What it gets is clean text, and it is plain Python.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_SAMPLE_CHARS = 6_000
_SLICES = 6
_MIN_LETTERS = 20
"""Measured 2026-11-20: "hello" is Breton, "Bom dia" Nigerian Pidgin; from 20 letters on it is right or unsure."""

_MIN_CONFIDENCE = 0.5


def language_of(texts: Sequence[str]) -> str | None:
    """ISO 639-1 of most of `texts`; `None` when they are too short, or no language is likelier than all others."""
    sample = _sample(texts)
    if sum(char.isalpha() for char in sample) < _MIN_LETTERS:
        return None
    language, confidence = _identifier().classify(sample)
    is_iso_639_1 = len(language) == len("xx")  # the model also tells three-letter languages, and "zxx": none at all
    return language if is_iso_639_1 and confidence >= _MIN_CONFIDENCE else None


def _sample(texts: Sequence[str]) -> str:
    """Slices from evenly spread places: a cover page in English does not make a book English."""
    total = sum(len(text) for text in texts)
    if total <= _SAMPLE_CHARS:
        return "\n".join(texts)
    slice_chars = _SAMPLE_CHARS // _SLICES
    starts = [position * (total - slice_chars) // (_SLICES - 1) for position in range(_SLICES)]
    slices: list[str] = []
    offset = 0
    for text in texts:
        while starts and starts[0] < offset + len(text):
            begin = max(starts.pop(0) - offset, 0)
            slices.append(text[begin : begin + slice_chars])
        offset += len(text)
    return "\n".join(slices)


@cache
def _identifier() -> "LanguageIdentifier":
    """The model, loaded at the first document that has text."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
