"""Files inside a file: attachments of a mail, members of a ZIP. Each is read as if it stood alone, but in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from rag_pipeline.domain.documents import Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import Source, check_page_count, check_text_length
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


def read_parts(parts: Iterable[tuple[str, bytes]], *, inside: Source, first_number: int) -> Parts:
    """The pages of the named parts; one that cannot be read is noted and costs only itself.

    Raises:
        DocumentError: together they are past a limit.
    """
    found, char_count = Parts(), 0
    if inside.depth >= MAX_DEPTH:
        raise DocumentError(ReasonCode.TOO_COMPLEX, f"files inside files, more than {MAX_DEPTH} deep")
    for number, (name, content) in enumerate(parts, 1):
        if number > _MAX_PARTS:
            raise DocumentError(ReasonCode.TOO_COMPLEX, f"more than {_MAX_PARTS} files inside")
        try:
            pages = list(_pages(name, content, inside))
        except DocumentError as error:
            found.unread.append(f"{name[:_MAX_NAME_CHARS]}: {error.reason.value}")
            continue
        for page in pages:
            char_count += len(page.text)
            check_text_length(char_count, inside.limits)
            check_page_count(len(found.pages), inside.limits)
            found.pages.append(replace(page, number=first_number + len(found.pages)))
    return found


def _pages(name: str, content: bytes, inside: Source) -> Iterator[Page]:
    outer = Source(content, "", inside.limits, depth=inside.depth + 1)
    with outer.open() as file:
        media_type = media_type_of(file, file_name=name.encode("utf-8", "replace"))
    reading = format_of(media_type).load()(replace(outer, media_type=media_type))
    for page in reading.pages:
        within = page.label or (f"page {page.number}" if page.number is not None else "")
        yield replace(page, label=f"{name[-_MAX_NAME_CHARS:]}, {within}" if within else name[-_MAX_NAME_CHARS:])
