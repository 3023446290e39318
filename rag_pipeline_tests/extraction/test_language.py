"""The language is that of most of the text, or honestly unknown."""

import pytest

from rag_pipeline.extraction.language import language_of

_PORTUGUESE = "A ação de cobrança não prescreve enquanto o devedor não for notificado. "
_ENGLISH = "The quick brown fox discusses regulation of inland ports and the price of grain. "


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        ([_PORTUGUESE], "pt"),
        ([_ENGLISH], "en"),
        (["这是用于检查文档字符编码的文本。港口规则。中华人民共和国是一个国家。"], "zh"),
        ([_ENGLISH, *[_PORTUGUESE * 20] * 50], "pt"),
        (["", "", _ENGLISH * 3, ""], "en"),
        (["hello"], None),
        (["12345 67890 " * 50], None),
        (["x" * 10_000], None),
        ([], None),
    ],
)
def test_the_language_of_most_of_the_text_is_told(texts: list[str], language: str | None) -> None:
    assert language_of(texts) == language
