"""Texts as sparse vectors by BM25: the one model that Qdrant runs itself, with no service for inference."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, known, number, required, string
from rag_pipeline.embedded.qdrant.requests.text_indexes import read_text_params

_MODEL = "qdrant/bm25"
_NUMBERS = ("k", "b", "avg_len")
_SWITCHES = ("lowercase", "ascii_folding")
_TEXT_KEYS = frozenset({"tokenizer", "stopwords", "stemmer", "min_token_len", "max_token_len"})


def is_bm25(value: object) -> bool:
    """Whether `value` is a text for this model."""
    return isinstance(value, dict) and "text" in value and str(value.get("model")).lower() == _MODEL


def query_vector(document: object) -> edge.SparseVector:
    """The vector to search with: each word counts once."""
    given = known(document, of="a document")
    return _model(given).embed_query(string(required(given, "text", of="a document"), of="text"))


def document_vector(document: object) -> edge.SparseVector:
    """The vector to store: words weighed by how often they are there and how long the text is."""
    given = known(document, of="a document")
    return _model(given).embed_document(string(required(given, "text", of="a document"), of="text"))


def _model(document: JsonObject) -> edge.Bm25:
    options = known(document.get("options", {}), of="options")
    read: dict[str, Any] = {key: number(options[key], of=key) for key in _NUMBERS if key in options}
    read.update({key: boolean(options[key], of=key) for key in _SWITCHES if key in options})
    if "language" in options:
        read["language"] = string(options["language"], of="language")
    read.update(read_text_params({key: item for key, item in options.items() if key in _TEXT_KEYS}))
    return edge.Bm25(edge.Bm25Config(**read))
