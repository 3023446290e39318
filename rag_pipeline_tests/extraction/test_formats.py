"""Each format gives the text a reader sees, and says by name why there is none."""

import pytest

from rag_pipeline.domain.documents import Document
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.registry import FORMATS, extractor_versions
from rag_pipeline_tests.extraction.conftest import Extract
from rag_pipeline_tests.extraction.pdf_files import assemble, pdf, stream, text_page

_BLANK = b" "
_PICTURE = b"q 100 0 0 100 0 0 cm /I Do Q"


def _texts(document: Document) -> list[str]:
    return [page.text.strip() for page in document.pages]


def _reason(extract: Extract, content: bytes, name: str) -> ReasonCode:
    with pytest.raises(DocumentError) as caught:
        extract(content, name)
    return caught.value.reason


def test_a_pdf_keeps_the_numbers_of_blank_pages(extract: Extract) -> None:
    document = extract(pdf([text_page("first"), _BLANK, text_page("third")]), "a.pdf")
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert _texts(document) == ["first", "", "third"]
    assert document.media_type == "application/pdf"
    assert document.extractor == FORMATS["application/pdf"].extractor


def test_a_pdf_tells_its_title_author_date_and_labels(extract: Extract) -> None:
    content = pdf(
        [text_page("a"), text_page("b")],
        catalog=b"/PageLabels<</Nums[0<</S/r>>1<</S/D/St 7/P(A-)>>]>>",
        information=b"/Title(Relat\363rio)/Author(Ana)/CreationDate(D:20240229101500Z)",
    )
    document = extract(content, "a.pdf")
    assert [page.label for page in document.pages] == ["i", "A-7"]
    assert document.title == "Relatório"
    assert document.metadata["author"] == "Ana"
    assert document.metadata["created"] == "2024-02-29"
    assert document.metadata["page_count"] == 2


def test_half_a_character_in_a_title_or_label_costs_only_that(extract: Extract) -> None:
    content = pdf(
        [text_page("text")],
        catalog=b"/PageLabels<</Nums[0<</S/D/P<FEFFD8000041>>>]>>",
        information=b"/Title<FEFFD8000041>/Author(Ana)",
    )
    document = extract(content, "a.pdf")
    assert (document.title, document.pages[0].label, document.metadata["author"]) == (None, None, "Ana")


def test_a_pdf_of_pictures_needs_ocr_and_a_blank_one_has_no_text(extract: Extract) -> None:
    assert _reason(extract, pdf([_PICTURE, _BLANK], with_picture=True), "a.pdf") is ReasonCode.NEEDS_OCR
    assert _reason(extract, pdf([_BLANK, _BLANK]), "a.pdf") is ReasonCode.NO_TEXT


def test_picture_pages_of_a_readable_pdf_are_counted(extract: Extract) -> None:
    document = extract(pdf([text_page("text"), _PICTURE], with_picture=True), "a.pdf")
    assert document.metadata["picture_pages"] == 1


def test_emoji_in_a_pdf_are_whole_and_half_ones_are_gaps(extract: Extract) -> None:
    to_unicode = (
        b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
        b"2 beginbfchar <41> <D83DDE00> <42> <D800> endbfchar endcmap"
    )
    content = assemble(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            stream(b"BT /F 1 Tf (xABy) Tj ET"),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
            stream(to_unicode),
        ]
    )
    text = extract(content, "a.pdf").pages[0].text
    assert text.startswith("x\U0001f600")
    text.encode()


def test_a_page_pdfium_cannot_load_is_asked_of_pypdf_or_counted(extract: Extract) -> None:
    content = pdf([text_page("first"), text_page("second")]).replace(b"/Count 2", b"/Count 3")
    document = extract(content, "a.pdf")
    assert _texts(document)[:2] == ["first", "second"]


def test_words_set_letter_by_letter_stay_whole(extract: Extract) -> None:
    text = "here are some words set apart"
    letter = b"q 1 0 0 -1 0 700 cm BT 12 0 0 -12 %d 11 Tm /F 1 Tf (%c) Tj ET Q "
    content = b"".join(letter % (50 + 9 * place, char) for place, char in enumerate(text.encode()))
    assert extract(pdf([content]), "a.pdf").pages[0].text.strip() == text


def test_a_pdf_without_pages_is_damaged(extract: Extract) -> None:
    assert _reason(extract, b"%PDF-1.4\n", "a.pdf") is ReasonCode.CORRUPT
    assert _reason(extract, pdf([text_page("x")])[:200], "a.pdf") is ReasonCode.CORRUPT


def test_html_gives_what_is_seen_and_nothing_else(extract: Extract) -> None:
    page = """<!doctype html><html><head><title>The &amp; title</title><style>secret{}</style></head><body>
      <script>secret</script><!-- secret --><template>secret</template><noscript>secret</noscript>
      <p hidden>secret</p><div style="color:red; DISPLAY : none"><p>secret</p></div><p style="visibility:hidden">secret
      <img src="data:image/png;base64,secret" alt="x"><svg><text>secret</text></svg><iframe>secret</iframe>
      <h1>Head&shy;ing</h1><p>One <b>bo</b>ld&nbsp;word.<br>Next
      line.</p><ul><li>a</li><li>b</li></ul><table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>
      <pre>  kept
    as is</pre></body></html>"""
    document = extract(page.encode(), "a.html")
    text = document.pages[0].text
    assert "secret" not in text
    assert document.title == "The & title"
    assert text == ("Head\u00ading\n\nOne bold\u00a0word.\nNext line.\n\na\nb\n\n1\t2\n3\n\n  kept\n    as is")
    assert document.pages[0].number is None


@pytest.mark.parametrize(
    "content",
    [
        "<meta charset=utf-8><p>ação de cobrança não prescreve".encode("cp1252"),
        "<meta charset=iso-8859-1><p>ação de cobrança não prescreve".encode(),
        '<?xml version="1.0" encoding="windows-1252"?><html><p>ação de cobrança não prescreve'.encode("cp1252"),
        "<p>ação de cobrança não prescreve".encode("utf-16"),
        b"<p>a&ccedil;&#227;o de cobran&#xe7;a n&atilde;o prescreve",
    ],
)
def test_html_reads_right_whatever_it_says_of_its_encoding(extract: Extract, content: bytes) -> None:
    assert extract(content, "a.html").pages[0].text == "ação de cobrança não prescreve"


def test_html_of_any_depth_does_no_harm(extract: Extract) -> None:
    assert extract(b"<div>" * 20_000 + b"deep", "a.html").pages[0].text == "deep"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: 'From: the front'\n---\n# Heading\n", "From: the front"),
        ("---\nauthor: x\n---\n# Heading #\ntext", "Heading"),
        ("intro\n\n## [A link](https://x.org) here\n", "A link here"),
        ("```\n# not this\n```\nThis one\n========\n", "This one"),
        ("intro\n\nThis one\n---\n", "This one"),
        ("no heading at all", None),
        ("#hashtag", None),
    ],
)
def test_markdown_is_kept_and_titled(extract: Extract, text: str, title: str | None) -> None:
    document = extract(text.encode(), "a.md")
    assert document.pages[0].text == text
    assert document.title == title


def test_text_is_kept_but_for_its_newlines(extract: Extract) -> None:
    document = extract(b"linha um\r\nlinha dois\0", "a.txt")
    assert document.pages[0].text == "linha um\nlinha dois\ufffd"


@pytest.mark.parametrize("content", [b" \n\t", b"\xef\xbb\xbf", b"\xff\xfe", "\u200b\u00a0".encode()])
def test_nothing_but_blank_space_is_no_text(extract: Extract, content: bytes) -> None:
    assert _reason(extract, content, "a.txt") is ReasonCode.NO_TEXT
    assert _reason(extract, b"<html><script>x</script>", "a.html") is ReasonCode.NO_TEXT


def test_a_type_nobody_reads_is_named(extract: Extract) -> None:
    with pytest.raises(DocumentError, match="image/png") as caught:
        extract(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png")
    assert caught.value.reason is ReasonCode.UNSUPPORTED_TYPE


def test_every_registered_format_can_be_loaded() -> None:
    for entry in FORMATS.values():
        assert callable(entry.load())
    assert extractor_versions() == {media_type: entry.extractor for media_type, entry in FORMATS.items()}
