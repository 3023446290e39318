"""RTF: the text without its controls."""

from striprtf.striprtf import rtf_to_text

from rag_pipeline.domain.documents import Page
from rag_pipeline.extraction.formats.packages import damage_is_named
from rag_pipeline.extraction.reading import Reading, Source


def read(source: Source) -> Reading:
    """The whole text as one unnumbered page.

    Raises:
        DocumentError: it is damaged or too large.
    """
    with damage_is_named():
        # RTF is ASCII by its standard and names the code page of what it escapes; bytes above are in that code page.
        text = rtf_to_text(source.read_bytes().decode("latin-1"), errors="replace")
        # What lies beyond 16 bits (emoji) is written as two halves.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return Reading(pages=(Page(None, text),))
