"""The sample collection that the first start puts into `uploads/`."""

from importlib.resources import files
from pathlib import Path

import pytest
from pypdf import PdfReader

SAMPLES = sorted(Path(str(files("rag_pipeline"))).joinpath("samples").iterdir())


def test_every_format_is_shown() -> None:
    assert {path.suffix for path in SAMPLES} == {".md", ".html", ".txt", ".pdf"}


def test_the_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES) < 300_000


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.suffix == ".pdf"], ids=lambda path: path.name)
def test_a_pdf_has_pages_of_text_and_a_title(path: Path) -> None:
    reader = PdfReader(path)
    assert reader.metadata is not None
    assert reader.metadata.title
    assert len(reader.pages) in (2, 3)
    assert all(len(page.extract_text()) > 500 for page in reader.pages)


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.suffix != ".pdf"], ids=lambda path: path.name)
def test_a_text_is_utf8(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8", errors="strict")) > 1_000
