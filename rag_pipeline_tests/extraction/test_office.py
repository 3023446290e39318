"""Office, OpenDocument, EPUB, tables, mail and archives: the text with its place, and bounds that hold."""

import io
from datetime import date
from email.message import EmailMessage
from zlib import crc32

import pytest
from openpyxl import Workbook

from rag_pipeline.domain.documents import Document
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline_tests.extraction.conftest import Extract
from rag_pipeline_tests.extraction.packages import (
    docx,
    epub,
    notes_xml,
    opendocument,
    package,
    paragraph,
    pptx,
    workbook,
)
from rag_pipeline_tests.extraction.pdf_files import pdf, text_page

_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">&b;</w:document>'
)


def _reason(extract: Extract, content: bytes, name: str) -> ReasonCode:
    with pytest.raises(DocumentError) as caught:
        extract(content, name)
    return caught.value.reason


def _text(document: Document) -> str:
    return "\n".join(page.text for page in document.pages)


def test_a_docx_keeps_its_order_its_tables_as_rows_and_its_notes(extract: Extract) -> None:
    cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in ("Cliente", "Valor"))
    deleted = "<w:p><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del></w:p>"
    body = paragraph("before") + f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>" + deleted + paragraph("after")
    document = extract(docx(body, footnotes=notes_xml("a note")), "a.docx")
    assert [line.rstrip() for line in document.pages[0].text.split("\n") if line.strip()] == [
        "before",
        "Cliente\tValor",
        "after",
        "a note",
    ]
    assert document.title == "Relatório"
    assert document.metadata == {"author": "Ana", "created": "2024-02-29"}


def test_slides_are_numbered_in_the_order_of_the_show(extract: Extract) -> None:
    document = extract(pptx("first shown", "second shown"), "a.pptx")
    assert [(page.number, page.text) for page in document.pages] == [(1, "first shown"), (2, "second shown")]


def test_a_sheet_is_pages_of_rows_that_repeat_the_header(extract: Extract) -> None:
    rows: list[list[object]] = [["Cliente", "Desde", "Valor"]]
    rows += [[f"Cliente número {number}", date(2024, 2, 29), number + 0.5] for number in range(100)]
    document = extract(workbook(Vendas=rows, Vazia=[]), "a.xlsx")
    assert len(document.pages) > 2
    assert {page.text.split("\n")[0] for page in document.pages} == {"Cliente\tDesde\tValor"}
    assert "Cliente número 7\t2024-02-29\t7.5" in _text(document)
    assert document.pages[0].label is not None
    assert document.pages[0].label.startswith("Vendas, rows 1-")
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))


def test_a_far_cell_costs_nothing(extract: Extract) -> None:
    workbook, buffer = Workbook(), io.BytesIO()
    sheet = workbook.worksheets[0]
    sheet["A1"], sheet["XFD1048576"] = "near", "far"
    workbook.save(buffer)
    text = _text(extract(buffer.getvalue(), "a.xlsx"))
    assert "near" in text
    assert "far" in text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_repeats_its_header(extract: Extract, delimiter: str) -> None:
    lines = [["nome", "cidade"], *([f"pessoa {number}", '"São Paulo"'] for number in range(200))]
    content = "\n".join(delimiter.join(line) for line in lines).encode("cp1252")
    document = extract(content, "a.tsv" if delimiter == "\t" else "a.csv")
    assert len(document.pages) > 1
    assert all(page.text.startswith("nome\tcidade\n") for page in document.pages)
    assert "pessoa 199\tSão Paulo" in document.pages[-1].text


def test_what_is_no_table_is_text(extract: Extract) -> None:
    document = extract(b'a;"' + b"never closed; " * 20_000, "a.csv")
    assert "never closed" in _text(document)


def test_json_values_are_named_by_their_keys(extract: Extract) -> None:
    content = '{"cliente": {"nome": "A\\u00e7\\u00e3o", "idade": 3, "vazio": null}, "notas": ["um", "dois"]}'
    assert _text(extract(content.encode(), "a.json")) == "cliente.nome: Ação\ncliente.idade: 3\nnotas: um\nnotas: dois"
    assert _text(extract(b'{"a": 1}\n{"a": 2}\n', "a.jsonl")) == "a: 1\n\na: 2"
    assert _text(extract(b'{"a": not json', "a.json")) == '{"a": not json'
    assert _reason(extract, b"[" * 100_000 + b"1" + b"]" * 100_000, "a.json") is ReasonCode.TOO_COMPLEX


def test_xml_gives_its_texts_and_attributes(extract: Extract) -> None:
    content = b"<?xml version='1.0' encoding='iso-8859-1'?><a n='uma'>a\xe7\xe3o<b>dentro</b>depois<!-- never --></a>"
    assert _text(extract(content, "a.xml")) == "n: uma\nação\ndentro\ndepois"
    assert "&b;" in _text(extract(_LAUGHS.encode(), "a.xml")), "what defines entities is read as the text it is"


def test_rtf_is_read_in_its_code_page(extract: Extract) -> None:
    content = b"{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}\\f0 A\\'e7\\'e3o de cobran\\'e7a\\par fim}"
    assert _text(extract(content, "a.rtf")).split("\n")[:2] == ["Ação de cobrança", "fim"]


def test_opendocument_of_every_kind(extract: Extract) -> None:
    text = opendocument("text", "<office:text><text:h>Título</text:h><text:p>um<text:tab/>dois</text:p></office:text>")
    assert _text(extract(text, "a.odt")) == "Título\num\tdois"
    slides = "".join(f"<draw:page><text:p>slide {number}</text:p></draw:page>" for number in (1, 2))
    document = extract(opendocument("presentation", f"<office:presentation>{slides}</office:presentation>"), "a.odp")
    assert [(page.number, page.text) for page in document.pages] == [(1, "slide 1"), (2, "slide 2")]
    cells = "<table:table-cell><text:p>a</text:p></table:table-cell>"
    cells += '<table:table-cell table:number-columns-repeated="1048576"/>'
    table = f'<table:table table:name="Folha"><table:table-row>{cells}</table:table-row></table:table>'
    document = extract(opendocument("spreadsheet", f"<office:spreadsheet>{table}</office:spreadsheet>"), "a.ods")
    assert [(page.label, page.text) for page in document.pages] == [("Folha, row 1", "a")]


def test_an_epub_is_a_page_per_chapter(extract: Extract) -> None:
    document = extract(epub("um", "dois"), "a.epub")
    assert [(page.number, page.text) for page in document.pages] == [(1, "um"), (2, "dois")]
    assert (document.title, document.metadata["author"]) == ("Iracema", "José de Alencar")


def test_a_mail_is_read_with_its_attachments(extract: Extract) -> None:
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inner body")
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = (
        "Relatório de ação",
        "ana@example.org",
        "Thu, 29 Feb 2024 10:00:00 +0000",
    )
    mail.set_content("the body")
    mail.add_alternative("<p>the body</p>", subtype="html")
    mail.add_attachment(pdf([text_page("in the pdf")]), maintype="application", subtype="pdf", filename="../../a.pdf")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", maintype="image", subtype="png", filename="p.png")
    mail.add_attachment(inner)
    document = extract(mail.as_bytes(), "a.eml")
    assert document.title == "Relatório de ação"
    assert document.metadata["created"] == "2024-02-29"
    assert document.pages[0].text.count("the body") == 1
    assert [(page.number, page.label) for page in document.pages[1:]] == [
        (2, "../../a.pdf, page 1"),
        (3, "mail.eml, page 1"),
    ]
    assert "in the pdf" in document.pages[1].text
    assert "inner body" in document.pages[2].text
    assert document.metadata["unread_parts"] == "p.png: unsupported_type"


def test_a_zip_is_read_as_a_folder(extract: Extract) -> None:
    members = {
        "../escape.txt": "escaped",
        "b/c.docx": docx(paragraph("in docx")),
        "__MACOSX/x.txt": "never",
        "d.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    }
    document = extract(package(members), "a.zip")
    assert [(page.label, page.text) for page in document.pages] == [
        ("../escape.txt", "escaped"),
        ("b/c.docx", "in docx"),
    ]
    assert document.metadata["file_count"] == 3
    assert "d.png" in str(document.metadata["unread_parts"])


def test_archives_inside_archives_are_read_so_deep_and_no_deeper(extract: Extract) -> None:
    content = package({"a.txt": "the core"})
    for _ in range(3):
        content = package({"in.zip": content, "beside.txt": "beside"})
    assert "the core" in _text(extract(content, "a.zip"))
    for _ in range(5):
        content = package({"in.zip": content, "beside.txt": "beside"})
    document = extract(content, "a.zip")
    assert "the core" not in _text(document)
    assert "beside" in _text(document)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (docx("")[:-30], "a.docx", ReasonCode.CORRUPT),
        (docx("<unclosed>"), "a.docx", ReasonCode.CORRUPT),
        (docx(""), "a.docx", ReasonCode.NO_TEXT),
        (package({"word/document.xml": _LAUGHS}), "a.docx", ReasonCode.CORRUPT),
        (package({"word/document.xml": _LAUGHS.encode("utf-16")}), "a.docx", ReasonCode.CORRUPT),
        (package({"word/document.xml": b" " * 90_000_000}), "a.docx", ReasonCode.TOO_MUCH_TEXT),
        (package({"word/document.xml": "<x/>", "big.bin": bytes(210_000_000)}), "a.docx", ReasonCode.TOO_LARGE),
        (package({f"{number}.txt": "" for number in range(20_001)}), "a.zip", ReasonCode.TOO_COMPLEX),
        (package({"x": "<x/>", "xl/workbook.xml": "<x/>"}), "a.xlsx", ReasonCode.CORRUPT),
    ],
    ids=["cut", "unclosed", "no-text", "laughs", "laughs-utf16", "bomb", "big", "many", "no-sheets"],
)
def test_what_is_damaged_or_too_much_says_so(extract: Extract, content: bytes, name: str, reason: ReasonCode) -> None:
    assert _reason(extract, content, name) is reason


def test_a_paragraph_inside_another_does_not_glue_words(extract: Extract) -> None:
    box = f"<w:p><w:r><w:t>before</w:t><w:txbxContent>{paragraph('box')}</w:txbxContent><w:t>after</w:t></w:r></w:p>"
    assert _text(extract(docx(box), "a.docx")).split() == ["before", "box", "after"]


def test_a_part_beside_the_text_does_not_cost_the_text(extract: Extract) -> None:
    document = extract(docx(paragraph("the text"), footnotes="<broken", comments=""), "a.docx")
    assert _text(document) == "the text"


def test_what_is_written_small_does_not_take_long(extract: Extract) -> None:
    blanks = docx(f'<w:p><w:r><w:t xml:space="preserve">{" " * 300_000}x</w:t></w:r></w:p>')
    assert _text(extract(blanks, "a.docx")).strip() == "x"
    assert "x" in _text(extract(b"\n'" * 10_000 + b"x", "a.csv"))
    keys = b'{"' + b"k" * 200_000 + b'": [' + b"1," * 20_000 + b"1]}"
    assert _text(extract(keys, "a.json")).count(": 1") == 20_001


def test_a_chapter_after_an_element_that_closes_itself_is_read(extract: Extract) -> None:
    document = extract(epub("<title/><script src='a'/>um", "dois"), "a.epub")
    assert [page.text for page in document.pages] == ["um", "dois"]


def test_fields_and_repeated_rows_of_opendocument_are_read(extract: Extract) -> None:
    body = "<office:text><text:p>Figura <text:sequence>1</text:sequence>, fim</text:p></office:text>"
    assert _text(extract(opendocument("text", body), "a.odt")) == "Figura 1, fim"
    rows = '<table:table-row table:number-rows-repeated="1000000"><table:table-cell/></table:table-row>'
    rows += "<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>"
    table = f'<office:spreadsheet><table:table table:name="F">{rows}</table:table></office:spreadsheet>'
    assert extract(opendocument("spreadsheet", table), "a.ods").pages[0].label == "F, row 1000001"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Content-Type: multipart/mixed; boundary=none\n\nthe body", ["the body"]),
        (
            (
                b"Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n \n--x\n"
                b"Content-Type: text/html\n\n<p>rich</p>\n--x--\n"
            ),
            ["rich"],
        ),
        (
            (
                b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nfirst\n--x\nContent-Type: image/png\n\nP\n--x\n\n"
                b"second\n--x--\n"
            ),
            ["first", "second"],
        ),
        (b"Date: Thu, 29 Feb 2024 10:00:00 +99999999999999\n\nthe body", ["the body"]),
        ("Content-Type: text/html; charset=iso-2022-jp\n\n<p>日本語".encode("iso-2022-jp"), ["日本語"]),
        (b"To: " + b"someone <a@example.org>, " * 12_000 + b"\n\nthe body", ["the body"]),
    ],
    ids=["no-boundary", "empty-plain", "two-texts", "far-date", "charset", "many-people"],
)
def test_the_body_of_a_mail_is_never_lost(extract: Extract, content: bytes, words: list[str]) -> None:
    text = _text(extract(b"Subject: s\n" + content, "a.eml"))
    assert [word for word in words if word not in text] == []


def test_a_damaged_member_of_a_zip_costs_only_itself(extract: Extract) -> None:
    whole = package({"a.txt": "stays here", "b.txt": "is damaged", "c.json": "[" * 100_000})
    document = extract(whole.replace(crc32(b"is damaged").to_bytes(4, "little"), b"0000"), "a.zip")
    assert _text(document) == "stays here"
    assert document.metadata["unread_parts"] == "b.txt: corrupt; c.json: too_complex"


def test_numbers_of_json_stand_as_they_were_written(extract: Extract) -> None:
    assert _text(extract(b'{"preco": 10.50, "grande": 1e400}', "a.json")) == "preco: 10.50\ngrande: 1e400"


def test_emoji_of_rtf_are_whole(extract: Extract) -> None:
    assert _text(extract(b"{\\rtf1\\ansi a \\u-10179?\\u-8704?}", "a.rtf")).strip() == "a \U0001f600"
