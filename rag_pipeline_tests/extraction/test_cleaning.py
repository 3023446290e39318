"""Whatever text comes out of a file, what is stored is valid everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.extraction.cleaning import clean, clean_line

_ANYTHING = st.text(st.characters(exclude_categories=[]))


@given(_ANYTHING)
def test_clean_text_is_utf_8_without_nul_and_cleaning_it_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not set(cleaned) & {"\0", "\r", "\x0b", "\x1b", "\x85"}
    assert clean(cleaned) == cleaned.removeprefix("\ufeff")


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_text_that_is_clean_is_left_alone(text: str) -> None:
    assert clean(text) == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ufeffa", "a"),
        ("a\x1b[31mb", "a [31mb"),
        ("tab\tstays", "tab\tstays"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_what_cannot_be_stored_stays_visible_as_a_gap(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(_ANYTHING, st.integers(1, 50))
def test_a_line_is_one_short_line_or_nothing(text: str, max_chars: int) -> None:
    line = clean_line(text, max_chars=max_chars)
    assert line is None or (0 < len(line) <= max_chars and "\n" not in line and line == line.strip())
