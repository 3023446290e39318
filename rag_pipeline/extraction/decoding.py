"""Bytes of unknown encoding become text, or the honest answer that they cannot.

How it is decided; the first that fits:

1. a byte order mark (UTF-8, UTF-32, UTF-16);
2. NULs (or other control characters) where UTF-32 or UTF-16 has them, and strict decoding;
3. strict UTF-8; also where few of its sequences are broken (a cut file), those then becoming U+FFFD;
4. EBCDIC, told by its blank (0x40) and its letters, read as cp500 (cp037 differs in brackets and such only);
5. legacy encodings, by the letters they give: `evidence`;
6. mostly ASCII with a few unexplained bytes: UTF-8, those becoming U+FFFD.

Whether bytes are text at all is `looks_binary`; what is done to text afterwards is `cleaning`.
"""

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.alphabets import EBCDIC
from rag_pipeline.extraction.evidence import detect_legacy

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other."""

_HEAD_BYTES = 1 << 16
_GOOD_PER_BROKEN = 3
_MAX_BROKEN_SHARE = 0.2
_MAX_STRAY_NULS = 0.05
"""U+4E00 (one) and its like put a NUL where UTF-16 of Latin text has none."""

_MAX_NUL_SHARE = 0.1
_MAX_CONTROL_SHARE = 0.01
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1a\x1b"))
_HIGH = bytes(range(0x80, 0x100))
_SEVEN_BIT = frozenset({"iso2022_jp", "hz"})
"""Encodings whose bytes are all ASCII: only the file itself can tell."""

_LARGER = {"iso8859_1": "cp1252", "ascii": "cp1252", "iso8859_9": "cp1254", "gb2312": "gb18030"} | {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "tis_620": "cp874",
}
"""Names the web uses for the larger encoding (https://encoding.spec.whatwg.org/#names-and-labels)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text and the codec that gave it (Python's name)."""

    text: str
    encoding: str


def decode(content: bytes, *, hint: str | None = None) -> Decoded:
    """The text of `content`; `hint` is the encoding the file itself names, if any.

    Raises:
        DocumentError: no encoding explains the bytes (UNDECODABLE).
    """
    encoding = detect(content, hint=hint)
    if encoding is None:
        raise DocumentError(ReasonCode.UNDECODABLE, "no known encoding gives readable text")
    return Decoded(content.decode(encoding, errors="replace"), encoding)


def detect(content: bytes, *, hint: str | None = None) -> str | None:
    """Python's name of the encoding that explains `content`; `None` when none does."""
    wide = _marked(content) or _wide(content[:_HEAD_BYTES])
    if wide is not None:
        return wide
    codec = known_codec(hint)
    if content.isascii():
        return codec if codec in _SEVEN_BIT else "ascii"
    if _is_utf8(content):
        return "utf-8"
    if _is_ebcdic(content[:_HEAD_BYTES]):
        return EBCDIC
    return detect_legacy(content, hint=codec) or ("utf-8" if _is_mostly_ascii(content) else None)


def known_codec(label: str | None) -> str | None:
    """Python's name for the encoding a file calls `label`; `None` for one that is unknown, or not for text."""
    if not label:
        return None
    try:
        codec = codecs.lookup(label.strip())
        "".encode(codec.name)
    except (LookupError, ValueError):  # unknown, or not from bytes to text (base64, zlib, rot13)
        return None
    name = codec.name.replace("-", "_")
    return _LARGER.get(name, name)


def looks_binary(content: bytes) -> bool:
    """Whether `content` holds what no text has: many NULs, or many control characters. A few are damage."""
    head = content[:_HEAD_BYTES]
    if not content or _marked(content) or _wide(head) or _is_ebcdic(head):
        return False
    nul_count = content.count(0)
    return nul_count > _MAX_NUL_SHARE * len(content) or _control_count(content) - nul_count > _MAX_CONTROL_SHARE * len(
        content
    )


def _control_count(content: bytes) -> int:
    """How many bytes are control characters no text has, NUL among them."""
    return len(content) - len(content.translate(None, _CONTROLS))


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _wide(head: bytes) -> str | None:
    """UTF-32 or UTF-16 without a mark, told by which places hold NULs."""
    if _control_count(head) <= _MAX_CONTROL_SHARE * len(head) or _is_damaged_ascii(head):
        return None
    head = head[: len(head) // 2 * 2]
    shares = [head[place::4].count(0) / max(len(head) // 4, 1) for place in range(4)]
    stray = _MAX_STRAY_NULS
    candidates = []
    if len(head) % 4 == 0:
        candidates += [("utf-32-le", shares[3] == 1 and shares[0] <= stray)]
        candidates += [("utf-32-be", shares[0] == 1 and shares[3] <= stray)]
    even, odd = shares[0] + shares[2], shares[1] + shares[3]
    candidates += [("utf-16-le", even <= 2 * stray), ("utf-16-be", odd <= 2 * stray)]
    for encoding, fits in candidates:
        if fits and _decodes_readably(head, encoding):
            return encoding
    return None


def _is_damaged_ascii(head: bytes) -> bool:
    """Whether UTF-16 is out of the question: it is half NULs, or full of control characters or bytes above 0x7F."""
    if b"\0" not in head and head.isascii():
        return True
    strange = len(head) - len(head.translate(None, _HIGH + _CONTROLS))
    return head.count(0) <= _MAX_NUL_SHARE * len(head) and strange <= _MAX_NUL_SHARE * len(head)


def _decodes_readably(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and _is_readable(text)


def _is_readable(text: str) -> bool:
    """Whether hardly a character is one that no text has, and nearly all are of few blocks of Unicode.

    Bytes that are no UTF-16 give characters from everywhere.
    """
    strange = sum(
        unicodedata.category(char) in {"Cn", "Co", "Cs"} or (char < " " and char not in "\t\n\v\f\r\0") for char in text
    )
    ideographs = sum("\u3000" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in text)
    blocks = Counter(
        ord(char) >> 8 for char in text if not "\u3000" <= char <= "\u9fff" and not "\uac00" <= char <= "\ud7a3"
    )
    usual = ideographs + sum(count for _, count in blocks.most_common(3))
    return strange <= 0.01 * len(text) and usual >= 0.9 * len(text)


def _is_utf8(content: bytes) -> bool:
    """Whether it is UTF-8, or was before a few bytes were lost."""
    try:
        content.decode()
    except UnicodeDecodeError:
        pass
    else:
        return True
    good = len(re.findall(rb"[\xc2-\xf4][\x80-\xbf]+", content))
    broken = content.decode(errors="replace").count("\ufffd")
    return good >= _GOOD_PER_BROKEN * broken


def _is_ebcdic(head: bytes) -> bool:
    """Whether the blank is 0x40 and most other bytes are letters or digits where EBCDIC has them."""
    counts = Counter(head)
    total = len(head)
    letters = sum(counts[code] for code in _EBCDIC_LETTERS)
    return (
        counts[0x40] >= 0.05 * total
        and counts[0x20] <= 0.01 * total
        and letters + counts[0x40] >= 0.7 * total
        and letters >= 0.2 * total
    )


_EBCDIC_LETTERS = b"".join(
    bytes(range(first, last + 1))
    for first, last in (
        (0x81, 0x89),
        (0x91, 0x99),
        (0xA2, 0xA9),
        (0xC1, 0xC9),
        (0xD1, 0xD9),
        (0xE2, 0xE9),
        (0xF0, 0xF9),
    )
)


def _is_mostly_ascii(content: bytes) -> bool:
    high = len(content) - len(content.translate(None, _HIGH))
    return high <= _MAX_BROKEN_SHARE * len(content)
