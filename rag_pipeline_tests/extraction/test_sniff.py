"""The media type is that of the content; the name decides between kinds of text only."""

import io
import zipfile
from pathlib import Path

import pytest

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.sniff import media_type_of
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page

_PDF = pdf([text_page("hello")])
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _zip(*members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, "application/epub+zip" if member == "mimetype" else "<x/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (_PDF, "a.pdf", "application/pdf"),
        (_PDF, "a.txt", "application/pdf"),
        (_PDF, "a", "application/pdf"),
        (b"garbage before\n" + _PDF, "a.pdf", "application/pdf"),
        (b"garbage before\n" + _PDF, "a", "application/pdf"),
        (b"A file begins with %PDF-1.7, says the standard.", "a.txt", "text/plain"),
        (b"# Title\n\ntext", "a.md", "text/markdown"),
        (b"# Title\n\ntext", "A.MARKDOWN", "text/markdown"),
        (b"# Title\n\ntext", "README", "text/plain"),
        (b"<p>no doctype</p>", "a.htm", "text/html"),
        (b"<p>no doctype</p>", "a.txt", "text/plain"),
        (b"<!DOCTYPE html><p>x", "a", "text/html"),
        (b"\xef\xbb\xbf <!-- c -->\n<html lang=pt><p>x", "a.txt", "text/html"),
        ("<!doctype html><p>x".encode("utf-16"), "a", "text/html"),
        (b"<?xml version='1.0'?><html><p>x", "a.xml", "text/html"),
        (b"<!doctype html><p>x", "a.pdf", "text/html"),
        (b"a;b\n1;2\n", "a.csv", "text/csv"),
        ("ação".encode("utf-16-be") * 20, "a.txt", "text/plain"),
        (b"MZ is how a name may begin", "a.txt", "text/plain"),
        (b"BM, too", "a.txt", "text/plain"),
        (b"MZ\x90\0\x03\0\0\0\x04\0\0\0", "a.txt", "application/x-msdownload"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "a.txt", "application/x-elf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.txt", "image/png"),
        (b"\0\x01\x02\x03" * 100, "a.txt", "application/octet-stream"),
        (b"{\\rtf1 x}", "a.rtf", "application/rtf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "a.doc", "application/x-ole-storage"),
        (_zip("word/document.xml"), "a.docx", _DOCX),
        (_zip("word/document.xml"), "a.pdf", _DOCX),
        (_zip("mimetype"), "a.epub", "application/epub+zip"),
        (_zip("x"), "a.zip", "application/zip"),
        (b"PK\x03\x04 broken", "a.zip", "application/zip"),
    ],
)
def test_content_tells_the_type(tmp_path: Path, content: bytes, name: str, expected: str) -> None:
    path = tmp_path / "copy"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert media_type_of(file, file_name=name.encode()) == expected


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"plain text", "a.pdf", ReasonCode.CORRUPT),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.pdf", ReasonCode.CORRUPT),
        (b"%", "a.PDF", ReasonCode.CORRUPT),
        (b"x" * 1100 + _PDF, "a.pdf", ReasonCode.CORRUPT),
        (_zip("word/document.xml")[:60], "a.docx", ReasonCode.CORRUPT),
        (b"", "a.txt", ReasonCode.EMPTY),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            ReasonCode.ENCRYPTED,
        ),
    ],
    ids=["text.pdf", "png.pdf", "percent.pdf", "late-header.pdf", "cut.docx", "empty.txt", "locked.docx"],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, content: bytes, name: str, reason: ReasonCode
) -> None:
    path = tmp_path / "copy"
    path.write_bytes(content)
    with path.open("rb") as file, pytest.raises(DocumentError) as caught:
        media_type_of(file, file_name=name.encode())
    assert caught.value.reason is reason
