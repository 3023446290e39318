"""Text in any encoding people still have is read as it was written."""
# ruff: noqa: RUF001 - telling look-alikes apart is what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction.decoding import decode, detect, known_codec, looks_binary

_PORTUGUESE = (
    "A ação de cobrança não prescreve: é necessário avaliar a situação, a condição econômica e as exceções à regra "
    "geral do código. DA SITUAÇÃO. Artigo 1º, § 2º — “citação”."
)
_CHINESE = "这是用于检查文档字符编码的文本。港口规则。中华人民共和国是一个国家。"
_JAPANESE = "これは文書の文字コードを検査するためのテキストです。日本は東アジアの国です。"
_RUSSIAN = "Она составила миллионов масс солнца. Российская федерация есть демократическое государство."
_SAMPLES = [
    ("A ação de cobrança não prescreve: é necessário avaliar a situação. AÇÃO.", "cp1252 cp850 mac_roman cp500 cp037"),
    (_PORTUGUESE, "cp1252 mac_roman utf-8 utf-8-sig utf-16 utf-32 utf-16-le utf-16-be utf-32-le utf-32-be"),
    ("AÇÃO ORDINÁRIA DE COBRANÇA", "cp1252 cp850 mac_roman"),
    ("o réu", "cp1252 cp850 mac_roman"),
    ("He said “it’s over” — then left.", "cp1252 mac_roman"),
    ("Price: £5 at 20°C", "cp1252"),
    ("El niño comió una manzana en la mañana. ¿Qué pasó después?", "cp1252 cp850 mac_roman"),
    ("L'élève a été reçu à l'école où il étudie le français.", "cp1252 cp850 mac_roman"),
    ("Über die Straße läuft ein großer Hund, der schöne Grüße überbringt.", "cp1252 cp850 mac_roman"),
    ("Zażółć gęślą jaźń. Łódź jest dużym miastem, w którym żyją ludzie.", "cp1250 iso8859_2 cp852"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy. Řeka teče přes město.", "cp1250 iso8859_2 cp852"),
    ("Árvíztűrő tükörfúrógép. A gyerekek az iskolában tanulnak.", "cp1250 iso8859_2 cp852"),
    ("Türkiye'nin başkenti Ankara'dır. İstanbul en büyük şehirdir.", "cp1254 cp857"),
    ("Lietuvos Respublika yra nepriklausoma demokratinė valstybė šalia jūros.", "cp1257"),
    (_RUSSIAN, "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic utf-16-le utf-16-be"),
    ("Україна є суверенна і незалежна, демократична, соціальна, правова держава.", "cp1251 koi8_u"),
    ("Η Ελλάδα είναι μια χώρα της νοτιοανατολικής Ευρώπης και έχει πολλά νησιά.", "cp1253 iso8859_7 utf-16-le"),
    ("ישראל היא מדינה במזרח התיכון, השוכנת על חופו המזרחי של הים התיכון.", "cp1255 utf-16-be"),
    ("أن تقدم المساعدة التقنية، وتستفيد حسب ما يلزم، التجنيد في القوات", "cp1256 iso8859_6"),
    ("ประเทศไทยเป็นประเทศที่ตั้งอยู่ในภูมิภาคเอเชียตะวันออกเฉียงใต้", "cp874"),
    (_CHINESE, "gb18030 gb2312 utf-16-le utf-16-be"),
    ("這是用於檢查文件字元編碼的文本。中華民國是一個國家，位於東亞。", "big5"),
    (_JAPANESE, "cp932 euc_jp utf-16-le"),
    ("이것은 문서의 문자 인코딩을 확인하기 위한 텍스트입니다. 대한민국은 나라이다.", "cp949"),
]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(text, encoding) for text, encodings in _SAMPLES for encoding in encodings.split()],
    ids=lambda value: value if value.isascii() and " " not in value else value[:10],
)
def test_text_reads_as_it_was_written(text: str, encoding: str) -> None:
    content = text.encode(encoding)
    assert not looks_binary(content)
    assert decode(content).text == text


def test_one_accent_in_a_long_text_is_enough() -> None:
    text = "x" * 50_000 + "\n" + "plain words " * 5000 + "a ação prescreve\n"
    assert decode(text.encode("cp1252")).text == text


def test_a_file_is_believed_when_its_bytes_agree() -> None:
    assert decode(b"caf\xe8").text == "cafè"
    assert decode(b"caf\xe8", hint="windows-1250").text == "cafč"
    assert decode(b"it\xd5s", hint="macintosh").text == "it’s"
    assert decode("ação".encode("cp1252"), hint="utf-8").text == "ação"
    assert decode("ação".encode(), hint="windows-1252").text == "ação"
    assert decode("日本".encode("iso2022_jp"), hint="iso-2022-jp").text == "日本"


@pytest.mark.parametrize("label", ["no-such", "base64", "rot13", "", "zlib", "\0", "hex", None])
def test_a_name_that_is_no_text_encoding_is_ignored(label: str | None) -> None:
    assert known_codec(label) is None


def test_utf_8_with_a_few_broken_bytes_stays_utf_8() -> None:
    content = "ação de cobrança não prescreve".encode() + b"\xc3"
    assert decode(content).text == "ação de cobrança não prescreve\ufffd"


def test_unexplained_bytes_in_ascii_become_visible_gaps() -> None:
    text = decode(b"plain text " * 20 + b"\xff\xfe\x81\x00" + b" and more").text
    assert "\ufffd" in text
    assert text.endswith(" and more")


def test_bytes_that_nothing_explains_are_undecodable() -> None:
    noise = bytes((place * 97 + place // 3) % 128 + 128 for place in range(400))
    with pytest.raises(DocumentError) as caught:
        decode(noise)
    assert caught.value.reason is ReasonCode.UNDECODABLE


def test_binary_content_is_told_from_text() -> None:
    assert looks_binary(b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x03\0>\0\x01\0\0\0")
    assert looks_binary(bytes(range(256)) * 4)
    assert not looks_binary(b"marker nul\0 byte text\0\0 continues here. " * 20)
    assert not looks_binary(b"")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_utf_8_is_always_told(text: str) -> None:
    content = text.encode("utf-8", "replace")
    if not content.startswith(b"\xef\xbb\xbf") and not looks_binary(content):
        assert content.decode(detect(content) or "") == content.decode()


@given(st.binary())
def test_any_bytes_have_text_or_none(content: bytes) -> None:
    encoding = detect(content)
    assert encoding is None or isinstance(content.decode(encoding, "replace"), str)
