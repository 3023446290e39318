"""One extractor for the whole room (its child is reused between files, as in a run), and the shared corpora."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag_pipeline.domain.documents import Document
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.extraction.sandbox import Extractor

Extract = Callable[..., Document]


@pytest.fixture(scope="session")
def extractor() -> Iterator[Extractor]:
    with Extractor(ExtractionLimits(timeout_s=20, max_memory_bytes=600_000_000)) as extractor:
        yield extractor


@pytest.fixture
def extract(extractor: Extractor, tmp_path: Path) -> Extract:
    """`extract(content, name)`: the Document of a file with these bytes and that name."""

    def extract_bytes(content: bytes, name: str = "document.txt") -> Document:
        path = tmp_path / "copy"
        path.write_bytes(content)
        return extractor.extract(path, file_name=name.encode())

    return extract_bytes
