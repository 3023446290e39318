"""Which module reads which media type: the one place a new format is entered.

Names only: the parent process asks for versions without ever importing a parser. How a media type is told is `sniff`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast
from zlib import crc32

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import Reading, Source

Read = Callable[[Source], Reading]


@dataclass(frozen=True, slots=True)
class Format:
    """One format that is read.

    Shapes:
        module: of `rag_pipeline.extraction.formats`; its `read` is the extractor.
        version: raised whenever `read`, or what it uses, gives other text for the same bytes: documents of the
            format are then extracted again.
    """

    module: str
    version: int

    @property
    def extractor(self) -> str:
        """Name and version, as the ledger records it on each document."""
        return f"{self.module}/{self.version}"

    def load(self) -> Read:
        """The module's `read`, imported now; only the child calls this."""
        module = import_module(f"rag_pipeline.extraction.formats.{self.module}")
        return cast("Read", module.read)


_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"

FORMATS: dict[str, Format] = {
    "application/epub+zip": Format("epub", 1),
    "application/json": Format("json_values", 1),
    "application/pdf": Format("pdf", 1),
    "application/rtf": Format("rtf", 1),
    f"{_OPEN}.presentation": Format("opendocument", 1),
    f"{_OPEN}.spreadsheet": Format("opendocument", 1),
    f"{_OPEN}.text": Format("opendocument", 1),
    f"{_OFFICE}.presentationml.presentation": Format("pptx", 1),
    f"{_OFFICE}.spreadsheetml.sheet": Format("xlsx", 1),
    f"{_OFFICE}.wordprocessingml.document": Format("docx", 1),
    "application/xml": Format("xml", 1),
    "application/zip": Format("zip", 1),
    "message/rfc822": Format("mail", 1),
    "text/csv": Format("csv", 1),
    "text/tab-separated-values": Format("csv", 1),
    "text/html": Format("html", 1),
    "text/markdown": Format("markdown", 1),
    "text/plain": Format("text", 1),
}


_HOW_TO = {
    "application/x-ole-storage": "an Office file of before 2007; save it as DOCX, XLSX or PPTX",
    "image/": "a picture; run OCR on it and put the text or PDF in its place",
    "audio/": "a recording; put its transcript in its place",
    "video/": "a film; put its transcript in its place",
}


def format_of(media_type: str) -> Format:
    """The format that reads `media_type`.

    Raises:
        DocumentError: none does.
    """
    if media_type in FORMATS:
        return FORMATS[media_type]
    how = next((words for start, words in _HOW_TO.items() if media_type.startswith(start)), None)
    what = f"its content is {media_type}"
    raise DocumentError(ReasonCode.UNSUPPORTED_TYPE, f"{what}: {how}" if how else what)


def formats_version() -> str:
    """What stands for the set of all formats ("formats/1c2d3e4f"): another one when any is added or raised.

    The ledger records it on a document of a type that nothing read, as whose turn may come with the next set.
    """
    spelled = repr(sorted((media_type, entry.extractor) for media_type, entry in FORMATS.items()))
    return f"formats/{crc32(spelled.encode()):08x}"


def extractor_versions() -> dict[str, str]:
    """Media type -> extractor ("pdf/1"), for every type that is read."""
    return {media_type: entry.extractor for media_type, entry in FORMATS.items()}
