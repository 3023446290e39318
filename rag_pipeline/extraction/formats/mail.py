"""Mail (EML): subject, people and date, the text of the body, then each attachment as if it stood alone.

Headers are decoded from their raw form and only in part: the parser of Python's `email` takes the square of their
length, and trips over many damaged ones.
"""

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from email.header import decode_header, make_header
from email.message import MIMEPart
from email.utils import parsedate_to_datetime
from functools import partial
from typing import cast

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.formats.html import visible_text
from rag_pipeline.extraction.formats.packages import damage_is_named
from rag_pipeline.extraction.formats.parts import read_parts
from rag_pipeline.extraction.reading import Reading, Source

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_MAX_HEADER_CHARS = 2_000
_LONG_HEADER = re.compile(rb"^content-[a-z-]{1,40}:(?:[^\n]|\n[ \t]){10000}", re.IGNORECASE | re.MULTILINE)
_MAX_PARTS = 5_000
_MAIL = "message/rfc822"

Part = tuple[str, Callable[[], bytes]]


def read(source: Source) -> Reading:
    """The mail itself as page 1, its attachments' pages after it, labelled with their names.

    Raises:
        DocumentError: it is damaged, nested too deeply, or past a limit.
    """
    content = source.read_bytes()
    if _LONG_HEADER.search(content):
        raise DocumentError(ReasonCode.TOO_COMPLEX, "a header that says more than 10,000 bytes of its part")
    with damage_is_named():
        message = cast("MIMEPart", email.message_from_bytes(content, policy=email.policy.default))
        headers = {name: shown for name in _SHOWN if (shown := _header(message, name))}
        texts, others = _sorted_out(message)
        body = "\n\n".join(text for part in texts if (text := _text(part).strip()))
        first = Page(1, "\n".join(f"{name}: {shown}" for name, shown in headers.items()) + "\n\n" + body)
        parts = read_parts(others, inside=source, first_number=2)
        facts = {"author": headers.get("From"), "created": _day(headers.get("Date"))}
        return Reading(
            pages=(first, *parts.pages),
            title=headers.get("Subject"),
            metadata={**{key: fact for key, fact in facts.items() if fact}, **parts.facts()},
        )


def _header(message: MIMEPart, name: str) -> str | None:
    """The header decoded; as it stands when its encoding is broken."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")[
        :_MAX_HEADER_CHARS
    ]
    try:
        shown = str(make_header(decode_header(raw)))
    except (ValueError, LookupError, UnicodeError):
        shown = raw
    return " ".join(shown.split()) or None


def _sorted_out(message: MIMEPart) -> tuple[list[MIMEPart], list[Part]]:
    """The parts that are the body, in order, and everything else by name; of alternatives one is enough."""
    texts: list[MIMEPart] = []
    others: list[Part] = []
    waiting, count = [message], 0
    while waiting:
        part, count = waiting.pop(), count + 1
        if count > _MAX_PARTS:
            raise DocumentError(ReasonCode.TOO_COMPLEX, f"more than {_MAX_PARTS} parts")
        kind, name = part.get_content_type(), _file_name(part)
        if kind == _MAIL:
            others += _inner_mails(part, name or "mail.eml")
        elif kind == "multipart/alternative" and part.is_multipart():
            waiting.append(_best(list(cast("Iterator[MIMEPart]", part.iter_parts()))) or MIMEPart())
        elif part.is_multipart():
            waiting.extend(reversed(list(cast("Iterator[MIMEPart]", part.iter_parts()))))
        elif name is not None or part.get_content_disposition() == "attachment":
            others.append((name or f"attachment.{part.get_content_subtype()}", partial(_content, part)))
        elif kind.startswith(("text/", "multipart/")):
            texts.append(part)
    return texts, others


def _best(alternatives: list[MIMEPart]) -> MIMEPart | None:
    """The plain text when it says something, else what holds text at all, the last first: that is the richest."""
    plain = [part for part in alternatives if part.get_content_type() == "text/plain" and _text(part).strip()]
    rich = [part for part in reversed(alternatives) if part.is_multipart() or part.get_content_type() == "text/html"]
    return next(iter([*plain, *rich, *alternatives]), None)


def _text(part: MIMEPart) -> str:
    content, charset = _content(part), _charset(part)
    if not content.strip():
        return ""
    if part.get_content_subtype() == "html":
        return visible_text(content, hint=charset)[0]
    return decode(content, hint=charset).text


def _content(part: MIMEPart) -> bytes:
    """The decoded bytes; what stands there when it is a text without the boundary that its header names."""
    payload = part.get_payload(decode=True)
    if payload is None and isinstance(text := part.get_payload(), str):
        return text.encode("utf-8", "surrogateescape")
    return payload if isinstance(payload, bytes) else b""


def _charset(part: MIMEPart) -> str | None:
    try:
        return part.get_content_charset()
    except (ValueError, LookupError, UnicodeError):
        return None


def _file_name(part: MIMEPart) -> str | None:
    try:
        return part.get_filename()
    except (ValueError, LookupError, UnicodeError):
        return "attachment"


def _inner_mails(part: MIMEPart, name: str) -> Iterator[Part]:
    """Attached mails; their name ends as a mail's, so that they are read as such."""
    named = name if name.lower().endswith(".eml") else f"{name}.eml"
    inner = part.get_payload()
    for one in inner if isinstance(inner, list) else []:
        if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
            yield named, partial(_decoded_mail, cast("MIMEPart", one))
        else:
            yield named, cast("MIMEPart", one).as_bytes


def _decoded_mail(mail: MIMEPart) -> bytes:
    """Of a mail that was encoded as a whole, which the parser took for the text of a mail without headers."""
    mail["Content-Transfer-Encoding"] = "base64"
    return _content(mail)


def _day(spelled: str | None) -> str | None:
    try:
        return parsedate_to_datetime(spelled).date().isoformat() if spelled else None
    except (ValueError, OverflowError):
        return None
