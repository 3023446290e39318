"""pypdf's opinion of a PDF, asked only where pdfium has none; imported and opened at the first question.

pypdf parses in Python and raises whatever its parsing trips over, so this is where all of it becomes "cannot be read".
"""

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.reading import Source

if TYPE_CHECKING:
    from pypdf import PdfReader


class SecondOpinion:
    """A PDF as pypdf sees it."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def page_count(self) -> int:
        """How many pages there are.

        Raises:
            DocumentError: the file asks for a password, or cannot be opened.
        """
        reader = self._reader
        if reader is None:
            raise DocumentError(ReasonCode.CORRUPT, "a damaged PDF: neither reader opens it")
        if reader.is_encrypted and not _opens_without_password(reader):
            raise DocumentError(ReasonCode.ENCRYPTED, "it opens only with a password")
        try:
            return len(reader.pages)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - see the module's docstring
            raise DocumentError(ReasonCode.CORRUPT, f"a damaged PDF: no pages ({type(error).__name__})") from None

    def page_text(self, index: int) -> str | None:
        """The text of a page by its 0-based place; `None` when it cannot be read."""
        if self._reader is None:
            return None
        try:
            return self._reader.pages[index].extract_text()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - see the module's docstring
            return None

    def labels(self, page_count: int) -> list[str | None]:
        """The printed name of each page; all `None` when the file names none."""
        try:
            has_labels = self._reader is not None and "/PageLabels" in self._reader.root_object
            named: list[str | None] = [*self._reader.page_labels] if self._reader and has_labels else []
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - see the module's docstring
            named = []
        return named if len(named) == page_count else [None] * page_count

    def facts(self) -> dict[str, str]:
        """Title, author and dates as the file has them, without pypdf's leading slash."""
        try:
            metadata = (self._reader.metadata if self._reader else None) or {}
            return {str(key).lstrip("/"): str(value) for key, value in metadata.items()}
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - see the module's docstring
            return {}

    @cached_property
    def _reader(self) -> "PdfReader | None":
        from pypdf import PdfReader

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        try:
            return PdfReader(self._source.open(), strict=False)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - see the module's docstring
            return None


def _opens_without_password(reader: "PdfReader") -> bool:
    try:
        return bool(reader.decrypt(""))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - see the module's docstring
        return False
