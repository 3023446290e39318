"""Real documents that nobody here wrote, beside the checkout when they are there at all, and the phrases they hold."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from rag_pipeline_tests.e2e.instance import Instance

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="the shared corpora are not beside this checkout (../shared/corpora)"
)
FORMATS = ("pdf", "md", "html", "txt")
_SOFT_HYPHENS = "\u00ad\ufffe\x02"  # the last two: what pdfium gives for a hyphen at the end of a line


def probes(*, formats: Sequence[str] = FORMATS) -> Iterator[tuple[str, str]]:
    """Path below `docs` and phrase, for each phrase that a document of the `formats` holds."""
    with (CORPORA / "PROBES.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            path = row["path"].removeprefix("docs/")
            if path.startswith(tuple(f"{one}/" for one in formats)):
                yield path, row["phrase_that_extracted_text_must_contain"]


def comparable(text: str) -> str:
    """`text` after NFKC, in lower case, hyphenated words joined, white space collapsed."""
    for hyphen in _SOFT_HYPHENS:
        text = text.replace(hyphen, "-")
    joined = re.sub(r"(?<=\w)-\s*\n\s*(?=\w)", "", unicodedata.normalize("NFKC", text))
    return " ".join(joined.casefold().split())


def pages_holding(pdf: Path, phrase: str) -> set[int]:
    """Numbers of the pages whose text, read by pdfium here and not by the package, holds `phrase`."""
    with pypdfium2.PdfDocument(pdf) as document:
        texts = [page.get_textpage().get_text_bounded() for page in document]
    wanted = _without_space(phrase)  # pdfium sees spaces within words where letters stand far apart
    return {number for number, text in enumerate(texts, start=1) if wanted in _without_space(text)}


@dataclass(slots=True)
class Found:
    """How the phrases fared, each as (path, phrase).

    Shapes:
        straddling: found, but only in two neighbouring passages together.
        elsewhere: in a PDF, found on a page that does not hold it.
    """

    count: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    straddling: list[tuple[str, str]] = field(default_factory=list)
    elsewhere: list[tuple[str, str]] = field(default_factory=list)


def find_probes(instance: Instance, collection: str, *, prefix: str = "") -> Found:
    """Search every phrase of the formats that are read in a collection whose documents stand below `prefix`."""
    found = Found()
    for path, phrase in probes():
        found.count += 1
        hits = instance.search(collection, phrase, limit=100)
        pages, is_straddling = _places_of([hit for hit in hits if hit["document"]["path"] == prefix + path], phrase)
        if not pages:
            found.missing.append((path, phrase))
        elif path.endswith(".pdf") and not pages <= pages_holding(CORPORA / "docs" / path, phrase):
            found.elsewhere.append((path, phrase))
        if is_straddling:
            found.straddling.append((path, phrase))
    return found


def _places_of(hits: Sequence[dict[str, Any]], phrase: str) -> tuple[set[int | None], bool]:
    """Pages of the hits of one document that hold `phrase`, and whether only two neighbours together hold it."""
    wanted = comparable(phrase)
    pages = {hit["chunk"]["page"] for hit in hits if wanted in comparable(hit["text"])}
    if pages:
        return pages, False
    ordered = sorted(hits, key=lambda hit: (hit["chunk"]["page"] or 0, hit["chunk"]["start"]))
    together = [(one, other) for one, other in pairwise(ordered) if wanted in comparable(_joined(one, other))]
    return {hit["chunk"]["page"] for pair in together for hit in pair}, bool(together)


def _without_space(text: str) -> str:
    return comparable(text).replace(" ", "")


def _joined(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The text of two neighbouring hits, what they share only once."""
    if one["chunk"]["page"] == other["chunk"]["page"] and other["chunk"]["start"] <= one["chunk"]["end"]:
        return one["text"][: other["chunk"]["start"] - one["chunk"]["start"]] + other["text"]
    return f"{one['text']}\n{other['text']}"
