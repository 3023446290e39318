"""Mail (EML): subject, people and date, the text of the body, then each attachment as if it stood alone."""

import email
import email.policy
from collections.abc import Iterator
from email.message import MIMEPart
from email.utils import parsedate_to_datetime
from typing import cast

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.formats.html import visible_text
from rag_pipeline.extraction.formats.packages import damage_is_named
from rag_pipeline.extraction.formats.parts import read_parts
from rag_pipeline.extraction.reading import Reading, Source

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_MAX_HEADER_CHARS = 2_000


def read(source: Source) -> Reading:
    """The mail itself as page 1, its attachments' pages after it, labelled with their names.

    Raises:
        DocumentError: it is damaged, nested too deeply, or past a limit.
    """
    with damage_is_named():
        message = cast("MIMEPart", email.message_from_bytes(source.read_bytes(), policy=email.policy.default))
        headers = {name: shown for name in _SHOWN if (shown := _header(message, name))}
        body = message.get_body(("plain", "html"))
        first = Page(1, "\n".join(f"{name}: {shown}" for name, shown in headers.items()) + "\n\n" + _text(body))
        parts = read_parts(_attachments(message, body), inside=source, first_number=2)
        facts = {"author": headers.get("From"), "created": _day(headers.get("Date"))}
        return Reading(
            pages=(first, *parts.pages),
            title=headers.get("Subject"),
            metadata={**{key: fact for key, fact in facts.items() if fact}, **parts.facts()},
        )


def _header(message: MIMEPart, name: str) -> str | None:
    """The header decoded; as it stands when its encoding is broken."""
    try:
        shown = message.get(name)
    except Exception:  # noqa: BLE001 - the parser of headers trips over many damaged ones
        shown = dict(message.raw_items()).get(name)
    return " ".join(str(shown).split())[:_MAX_HEADER_CHARS] if shown else None


def _text(part: MIMEPart | None) -> str:
    content = _content(part) if part is not None else b""
    if not content.strip():
        return ""
    if part is not None and part.get_content_subtype() == "html":
        return visible_text(content)[0]
    return decode(content, hint=part.get_content_charset() if part is not None else None).text


def _content(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: MIMEPart, body: MIMEPart | None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every part that is not the body or another form of it."""
    waiting: list[MIMEPart] = [message]
    while waiting:
        part = waiting.pop()
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            for one in inner if isinstance(inner, list) else []:
                yield part.get_filename() or "mail.eml", cast("MIMEPart", one).as_bytes()
        elif part.is_multipart():
            waiting.extend(reversed(list(cast("Iterator[MIMEPart]", part.iter_parts()))))
        elif part is not body and (name := part.get_filename()):
            yield name, _content(part)


def _day(spelled: str | None) -> str | None:
    try:
        return parsedate_to_datetime(spelled).date().isoformat() if spelled else None
    except ValueError:
        return None
