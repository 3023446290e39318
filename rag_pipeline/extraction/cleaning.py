"""Text that every store can hold: valid UTF-8, no NUL, one kind of newline. How bytes become text is `decoding`."""

import re

_LONE_SURROGATE_OR_NUL = re.compile("[\0\ud800-\udfff]")
_NEWLINES = re.compile("\r\n?|\u2028|\u2029|\x85|\x0b")
"""CR LF, CR, line and paragraph separator, NEL (the newline of EBCDIC), vertical tab (Word's soft newline)."""

_CONTROLS = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"\s+")


def clean(text: str) -> str:
    """`text` as it may be stored; an unstorable character becomes U+FFFD, so that something is seen to be missing.

    Remaining control characters become spaces: none of them is text, and terminals obey them.
    """
    text = _NEWLINES.sub("\n", text)
    text = _LONE_SURROGATE_OR_NUL.sub("\ufffd", text)
    return _CONTROLS.sub(" ", text).removeprefix("\ufeff")


def clean_line(text: str | None, *, max_chars: int) -> str | None:
    """`text` cleaned, on one line and cut to `max_chars`; `None` when nothing is left."""
    if text is None:
        return None
    line = _BLANKS.sub(" ", clean(text[: max_chars * 4])).strip()
    return line[:max_chars].rstrip() or None
