"""Which legacy encoding a text is in, judged by the letters each candidate gives.

Each candidate decodes the stretches around bytes above 0x7F. Every character there earns when it is a usual letter of
one of the encoding's languages and stands where a letter stands, and costs when it is none or stands wrongly: a capital
after a small letter, a symbol inside a word, a control character. The best mean wins if it is plausible; among equals
the earlier in the table, so cp1252 before all.

Written by us because of Portuguese: measured 2026-11-20, charset-normalizer 3.5 reads `ação` in cp1252 as cp1250
(`açăo`) and in mac_roman as mac_latin2. The letters are in `alphabets`; encodings told by structure in `decoding`.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from rag_pipeline.extraction.alphabets import (
    APART_FROM_LETTERS,
    INSIDE_WORDS,
    MULTI_BYTE,
    OPENING,
    SINGLE_BYTE,
    SYMBOLS,
)

_STRETCH = re.compile(rb"[^\n\r\x80-\xff]{0,16}[\x80-\xff][^\n\r]*")
_MAX_STRETCH_BYTES = 4_000
_MAX_EVIDENCE_BYTES = 6_000
_PLAUSIBLE = 0.5
"""Measured 2026-11-20: true texts of 15 languages reach 0.6 to 1 (AÇÃO, in capitals, 0.6), random bytes 0.23."""

_HINT_BONUS = 0.1
"""What a file says of itself counts for something, but its bytes count for more."""

_LETTER, _LONE_LETTER, _INNER_CAPITAL = 1.0, 0.9, 0.6
_SYMBOL, _RARE_SYMBOL, _OTHER_SYMBOL, _RARE_IDEOGRAPH = 1.0, 0.7, -0.5, 0.15
_WRONG, _IMPOSSIBLE = -1.0, -2.0
_NEVER_IN_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
_MAX_STRAY_SHARE = 0.001
_MAX_ACCENTED_RUN = 3
_LONG_ACCENTED_RUN = re.compile("[\u00c0-\u024f]{4,}")
"""No Latin language writes more than three accented letters in a row."""


def detect_legacy(content: bytes, *, hint: str | None = None) -> str | None:
    """Python's name of the encoding whose letters make sense; `None` when none's do."""
    evidence = _evidence(content)
    scores = {encoding: _single_byte_score(evidence, encoding, languages) for encoding, languages in SINGLE_BYTE}
    scores |= {encoding: _multi_byte_score(evidence, encoding, frequent) for encoding, frequent in MULTI_BYTE}
    if hint in scores:
        scores[hint] += _HINT_BONUS
    for encoding in sorted(scores, key=lambda name: -scores[name]):  # stable: equals stay in the table's order
        if scores[encoding] < _PLAUSIBLE:
            return None
        if _decodes(content, encoding):
            return encoding
    return None


def _evidence(content: bytes) -> list[bytes]:
    """Each line's end from shortly before its first byte above 0x7F, which begins a character in every encoding."""
    stretches: list[bytes] = []
    size_bytes = 0
    for match in _STRETCH.finditer(content):
        stretches.append(match.group()[:_MAX_STRETCH_BYTES])
        size_bytes += len(stretches[-1])
        if size_bytes > _MAX_EVIDENCE_BYTES:
            break
    return stretches


def _decoded(evidence: list[bytes], encoding: str) -> list[str] | None:
    """The stretches as text (a character cut at the end is dropped); `None` when one of them is not this encoding."""
    try:
        return [codecs.getincrementaldecoder(encoding)().decode(stretch) for stretch in evidence]
    except UnicodeDecodeError:
        return None


def _decodes(content: bytes, encoding: str) -> bool:
    """Whether nearly all of the file is this encoding: a long file may hold a few stray bytes."""
    return content.decode(encoding, errors="replace").count("\ufffd") <= _MAX_STRAY_SHARE * len(content)


def _single_byte_score(evidence: list[bytes], encoding: str, languages: tuple[str, ...]) -> float:
    """Between -2 and 1: the mean worth of the characters above 0x7F, for the language that explains them best."""
    texts = _decoded(evidence, encoding)
    if texts is None:
        return _IMPOSSIBLE
    letters: Counter[tuple[str, float]] = Counter()
    fixed = 0.0
    count = 0
    for text in texts:
        for before, char, after in _high_characters(text):
            count += 1
            worth = _worth_apart_from_language(before, char, after)
            if worth is None:
                letters[char.lower(), _worth_of_letter(before, char, after)] += 1
            else:
                fixed += worth
        fixed += _WRONG * len(_LONG_ACCENTED_RUN.findall(text)) * _MAX_ACCENTED_RUN
    best = max(
        sum(worth * times for (char, worth), times in letters.items() if char in language) for language in languages
    )
    return (fixed + best) / max(count, 1)


def _high_characters(text: str) -> Iterator[tuple[str, str, str]]:
    """Each non-ASCII character with its neighbours; a blank stands before the first and after the last."""
    padded = f" {text} "
    for place in range(1, len(padded) - 1):
        if padded[place] > "\x7f":
            yield padded[place - 1], padded[place], padded[place + 1]


def _worth_apart_from_language(before: str, char: str, after: str) -> float | None:
    """What a character is worth in any language; `None` for a letter that stands well."""
    is_inside_word = before.isalpha() and after.isalpha()
    if char in INSIDE_WORDS:
        return _SYMBOL
    if char in SYMBOLS or char in OPENING:
        return _WRONG if is_inside_word or (char in OPENING and before.isalpha()) else _SYMBOL
    if char in APART_FROM_LETTERS:
        return _WRONG if before.isalpha() or after.isalpha() else _RARE_SYMBOL
    category = unicodedata.category(char)
    if category in _NEVER_IN_TEXT:
        return _IMPOSSIBLE
    if category[0] not in "LM":
        return _WRONG if is_inside_word else _OTHER_SYMBOL
    is_capital_after_small = char.isupper() and before.islower()
    is_after_other_script = before.isascii() and before.isalpha() and not _is_latin(char)
    return _WRONG if is_capital_after_small or is_after_other_script else None


def _worth_of_letter(before: str, char: str, after: str) -> float:
    """What a letter is worth in a language that uses it: less where letters are rarer (`AÇÃO`, a lone `é`)."""
    if char.isupper() and before.isalpha():
        return _INNER_CAPITAL
    return _LETTER if before.isalpha() or after.isalpha() else _LONE_LETTER


def _is_latin(char: str) -> bool:
    return char < "\u0250"


def _multi_byte_score(evidence: list[bytes], encoding: str, frequent: frozenset[str]) -> float:
    """Between -2 and 1: mean worth of the characters above 0x7F, most of it for those the language uses most."""
    texts = _decoded(evidence, encoding)
    if texts is None:
        return _IMPOSSIBLE
    worths = [_multi_byte_worth(before, char, frequent) for text in texts for before, char, _ in _high_characters(text)]
    return sum(worths) / max(len(worths), 1)


def _multi_byte_worth(before: str, char: str, frequent: frozenset[str]) -> float:
    if char in frequent:
        return _LETTER
    if unicodedata.category(char) in _NEVER_IN_TEXT:
        return _IMPOSSIBLE
    if "\uff61" <= char <= "\uff9f" or before.islower():  # half-width katakana; or an ideograph inside a Latin word
        return _WRONG
    return _RARE_IDEOGRAPH
