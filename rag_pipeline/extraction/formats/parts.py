"""Files inside a file: attachments of a mail, members of a ZIP. Each is read as if it stood alone, but in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.formats.packages import damage_is_named
from rag_pipeline.extraction.reading import Reading, Source, check_page_count, check_text_length
from rag_pipeline.extraction.registry import format_of
from rag_pipeline.extraction.sniff import media_type_of

MAX_DEPTH = 4
"""A mail with a ZIP with a mail with a document."""

_MAX_PARTS = 2_000
_MAX_NAME_CHARS = 50


@dataclass(slots=True)
class Parts:
    """What the parts of one file gave.

    Shapes:
        pages: of all parts, numbered on from the file's own; each labelled with its part's name.
        unread: "name: reason" of each part that could not be read.
    """

    pages: list[Page] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, str | int | None]:
        """For the document's metadata."""
        return {"unread_parts": "; ".join(self.unread)} if self.unread else {}


def read_parts(parts: Iterable[tuple[str, Callable[[], bytes]]], *, inside: Source, first_number: int) -> Parts:
    """The pages of the named parts, each read when its turn comes; one that cannot be read costs only itself.

    Raises:
        DocumentError: together they are past a limit.
    """
    found, char_count = Parts(), 0
    for count, (name, content) in enumerate(parts, 1):
        if count > _MAX_PARTS:
            raise DocumentError(ReasonCode.TOO_COMPLEX, f"more than {_MAX_PARTS} files inside")
        try:
            reading = _read(name, content, inside)
        except DocumentError as error:
            found.unread.append(f"{name[-_MAX_NAME_CHARS:]}: {error.reason.value}")
            continue
        if unread := reading.metadata.get("unread_parts"):
            found.unread.append(f"{name[-_MAX_NAME_CHARS:]}: {unread}")
        for page in reading.pages:
            char_count += len(page.text)
            check_text_length(char_count, inside.limits)
            check_page_count(len(found.pages), inside.limits)
            found.pages.append(_named(page, name, first_number + len(found.pages)))
    return found


def _read(name: str, content: Callable[[], bytes], inside: Source) -> Reading:
    if inside.depth >= MAX_DEPTH:
        raise DocumentError(ReasonCode.TOO_COMPLEX, f"files inside files, more than {MAX_DEPTH} deep")
    try:
        with damage_is_named():
            outer = Source(content(), "", inside.limits, depth=inside.depth + 1)
            with outer.open() as file:
                media_type = media_type_of(file, file_name=name.encode("utf-8", "replace"))
            return format_of(media_type).load()(replace(outer, media_type=media_type))
    except RecursionError:
        raise DocumentError(ReasonCode.TOO_COMPLEX, "nested too deeply") from None


def _named(page: Page, name: str, number: int) -> Page:
    within = page.label or (f"page {page.number}" if page.number is not None else "")
    short = name[-_MAX_NAME_CHARS:]
    return replace(page, number=number, label=f"{short}, {within}" if within else short)
