"""Office, OpenDocument and EPUB files made by hand: only what their readers look at."""

import io
import zipfile
from collections.abc import Mapping

from openpyxl import Workbook

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
    "<dc:title>Relatório</dc:title><dc:creator>Ana</dc:creator>"
    "<dcterms:created>2024-02-29T10:15:00Z</dcterms:created></cp:coreProperties>"
)


def package(members: Mapping[str, str | bytes], *, stored_first: bool = False) -> bytes:
    """A ZIP with these members; `stored_first` leaves the first uncompressed, as OpenDocument and EPUB want it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, (name, content) in enumerate(members.items()):
            archive.writestr(name, content, zipfile.ZIP_STORED if stored_first and not index else None)
    return buffer.getvalue()


def docx(body: str, **beside: str) -> bytes:
    """A DOCX with this body, and other members of `word/` by their names without ".xml"."""
    more = {f"word/{name}.xml": content for name, content in beside.items()}
    document = f"<w:document {_W}><w:body>{body}</w:body></w:document>"
    return package({"word/document.xml": document, "docProps/core.xml": _CORE, **more})


def paragraph(text: str) -> str:
    """A paragraph of a DOCX."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def notes_xml(text: str) -> str:
    """Footnotes of a DOCX."""
    return f"<w:footnotes {_W}><w:footnote>{paragraph(text)}</w:footnote></w:footnotes>"


def pptx(*slides: str) -> bytes:
    """A PPTX whose show runs backwards through its files, one slide per text."""
    order = range(len(slides), 0, -1)
    ids = "".join(f'<p:sldId id="{number}" r:id="r{number}"/>' for number in order)
    relations = "".join(f'<Relationship Id="r{number}" Target="slides/slide{number}.xml"/>' for number in order)
    members = {
        "ppt/presentation.xml": f"<p:presentation {_P} {_R}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
    }
    for number, text in zip(order, slides, strict=True):
        members[f"ppt/slides/slide{number}.xml"] = f"<p:sld {_P} {_A}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>"
    return package(members)


def opendocument(kind: str, body: str) -> bytes:
    """An OpenDocument file: `kind` is text, spreadsheet or presentation."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"'
        for name, full in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"))
    )
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    return package({"mimetype": mimetype, "content.xml": content}, stored_first=True)


def epub(*chapters: str) -> bytes:
    """An EPUB with these chapters."""
    items = "".join(f'<item id="c{number}" href="c%20{number}.xhtml"/>' for number in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    texts = {
        f"OPS/c {number}.xhtml": f"<html><body><p>{text}</p></body></html>" for number, text in enumerate(chapters)
    }
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata><dc:title>Iracema</dc:title><dc:creator>José de Alencar</dc:creator></metadata>"
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
            **texts,
        },
        stored_first=True,
    )


def workbook(**sheets: list[list[object]]) -> bytes:
    """An XLSX with these sheets."""
    book, buffer = Workbook(), io.BytesIO()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(buffer)
    return buffer.getvalue()
