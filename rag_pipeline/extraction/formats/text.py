"""Plain text, and what is read as such: one unnumbered page, the text as it stands."""

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.decoding import decode
from rag_pipeline.extraction.reading import Reading, Source


def read(source: Source) -> Reading:
    """The whole text.

    Raises:
        DocumentError: it is too large, or no encoding explains it.
    """
    decoded = decode(source.read_bytes())
    return Reading(pages=(Page(None, decoded.text),), metadata={"encoding": decoded.encoding})
