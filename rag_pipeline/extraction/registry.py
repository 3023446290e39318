"""Which module reads which media type: the one place a new format is entered.

Names only: the parent process asks for versions without ever importing a parser. How a media type is told is `sniff`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

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


FORMATS: dict[str, Format] = {
    "application/pdf": Format("pdf", 1),
    "text/csv": Format("text", 1),
    "text/html": Format("html", 1),
    "text/markdown": Format("markdown", 1),
    "text/plain": Format("text", 1),
}


def extractor_versions() -> dict[str, str]:
    """Media type -> extractor ("pdf/1"), for every type that is read."""
    return {media_type: entry.extractor for media_type, entry in FORMATS.items()}
