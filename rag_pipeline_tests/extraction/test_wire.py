"""What the child says is bounded and believed only in the agreed shape; what is said arrives whole."""

import os
import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_pipeline.domain.documents import Document, Page
from rag_pipeline.errors import DocumentError, ReasonCode
from rag_pipeline.extraction import wire
from rag_pipeline.extraction.reading import ExtractionLimits
from rag_pipeline.extraction.registry import FORMATS

_LIMITS = ExtractionLimits(max_text_chars=1000)
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
_DOCUMENTS = st.builds(
    lambda pages, media_type, title, metadata: Document(
        pages=tuple(pages),
        media_type=media_type,
        extractor=FORMATS[media_type].extractor,
        title=title,
        metadata=metadata,
    ),
    pages=st.lists(st.builds(Page, st.none() | st.integers(1, 9999), _TEXT, st.none() | _TEXT), max_size=5),
    media_type=st.sampled_from(sorted(FORMATS)),
    title=st.none() | _TEXT,
    metadata=st.dictionaries(_TEXT, st.none() | _TEXT | st.integers(-1000, 1000), max_size=3),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["document", "reason", "x"]), inner),
)


@given(_DOCUMENTS)
def test_a_document_arrives_as_it_was_sent(document: Document) -> None:
    assert wire.decode_answer(wire.encode_document(document), limits=_LIMITS) == document


@given(st.sampled_from(ReasonCode), st.text(st.characters(exclude_categories=[])))
def test_an_error_arrives_as_it_was_sent(reason: ReasonCode, detail: str) -> None:
    with pytest.raises(DocumentError) as caught:
        wire.decode_answer(wire.encode_error(DocumentError(reason, detail)), limits=_LIMITS)
    assert caught.value.reason is reason
    assert "\0" not in caught.value.detail


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name), st.binary())
def test_a_request_arrives_as_it_was_sent(path: bytes, file_name: bytes) -> None:
    sent = Path(os.fsdecode(b"/" + path))
    assert wire.decode_request(wire.encode_request(sent, file_name)) == (sent, file_name)


@given(st.binary() | _JSON.map(orjson.dumps))
def test_what_has_another_shape_is_not_believed(message: bytes) -> None:
    with pytest.raises((wire.WireError, DocumentError)):
        wire.decode_answer(message, limits=_LIMITS)


@pytest.mark.parametrize(
    "change",
    [
        {"media_type": "application/x-evil"},
        {"pages": [{"number": 1, "text": "a\0b", "label": None}]},
        {"pages": [{"number": "1", "text": "a", "label": None}]},
        {"pages": [{"number": 1, "text": "x" * 2000, "label": None}]},
        {"metadata": {"a": [1]}},
        {"title": 5},
    ],
)
def test_a_document_that_breaks_a_rule_is_not_believed(change: dict[str, object]) -> None:
    document = Document(pages=(Page(1, "a"),), media_type="application/pdf", extractor="pdf/1")
    sent = orjson.loads(wire.encode_document(document))
    sent["document"].update(change)
    with pytest.raises(wire.WireError):
        wire.decode_answer(orjson.dumps(sent), limits=_LIMITS)


def test_frames_arrive_whole_and_in_order() -> None:
    receiving, sending = os.pipe()
    messages = [b"", b"x", os.urandom(300_000)]
    writer = threading.Thread(target=lambda: [wire.write_frame(sending, message) for message in messages])
    writer.start()
    assert [wire.read_frame(receiving, max_bytes=1 << 20) for _ in messages] == messages
    writer.join()
    os.close(sending)
    assert wire.read_frame(receiving, max_bytes=1) is None
    os.close(receiving)


def test_a_frame_that_is_too_long_is_refused_unread() -> None:
    receiving, sending = os.pipe()
    wire.write_frame(sending, b"12345")
    with pytest.raises(wire.WireError):
        wire.read_frame(receiving, max_bytes=4)
    os.close(sending)
    os.close(receiving)
