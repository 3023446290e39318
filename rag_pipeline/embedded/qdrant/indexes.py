"""Payload indexes: their parameters from JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, choice, fields, integer, path, required, string

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PayloadIndexInfo, PayloadSchemaParams

_TYPES = MappingProxyType(
    {
        "keyword": edge.PayloadSchemaType.Keyword,
        "integer": edge.PayloadSchemaType.Integer,
        "float": edge.PayloadSchemaType.Float,
        "bool": edge.PayloadSchemaType.Bool,
        "datetime": edge.PayloadSchemaType.Datetime,
        "uuid": edge.PayloadSchemaType.Uuid,
        "text": edge.PayloadSchemaType.Text,
    }
)
_NAMES = {str(kind): name for name, kind in _TYPES.items()}
_PARAMS: Mapping[str, type[PayloadSchemaParams]] = MappingProxyType(
    {
        "keyword": edge.KeywordIndexParams,
        "integer": edge.IntegerIndexParams,
        "float": edge.FloatIndexParams,
        "bool": edge.BoolIndexParams,
        "datetime": edge.DatetimeIndexParams,
        "uuid": edge.UuidIndexParams,
        "text": edge.TextIndexParams,
    }
)
_SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "keyword": ("is_tenant", "on_disk", "enable_hnsw"),
        "integer": ("lookup", "range", "is_principal", "on_disk", "enable_hnsw"),
        "float": ("is_principal", "on_disk", "enable_hnsw"),
        "bool": ("on_disk", "enable_hnsw"),
        "datetime": ("is_principal", "on_disk", "enable_hnsw"),
        "uuid": ("is_tenant", "on_disk", "enable_hnsw"),
        "text": ("lowercase", "ascii_folding", "phrase_matching", "on_disk", "enable_hnsw"),
    }
)
_TEXT_NUMBERS = ("min_token_len", "max_token_len")
_TOKENIZERS = MappingProxyType(
    {
        "prefix": edge.TokenizerType.Prefix,
        "whitespace": edge.TokenizerType.Whitespace,
        "word": edge.TokenizerType.Word,
        "multilingual": edge.TokenizerType.Multilingual,
    }
)
_TOKENIZER_NAMES = {str(kind): name for name, kind in _TOKENIZERS.items()}


def read_create_index(body: object) -> edge.UpdateOperation:
    """The engine's operation for the body of `PUT .../index`."""
    given = fields(body, of="create index", allowed=("field_name", "field_schema"))
    field = path(required(given, "field_name", of="create index"), of="field_name")
    schema = required(given, "field_schema", of="create index")
    if isinstance(schema, str):
        return edge.UpdateOperation.create_field_index(field, _TYPES[_kind(schema)])
    return edge.UpdateOperation.create_field_index(field, _read_params(schema))


def delete_index(field: str) -> edge.UpdateOperation:
    """The engine's operation that drops the index of `field`."""
    return edge.UpdateOperation.delete_field_index(path(field, of="field name"))


def index_kinds(indexes: Mapping[str, PayloadIndexInfo]) -> dict[str, str]:
    """The kind of each field's index, in the words of the REST API."""
    return {field: _NAMES[str(index.data_type)] for field, index in indexes.items()}


def index_as_object(index: PayloadIndexInfo) -> JsonObject:
    """A `PayloadIndexInfo` of the REST API."""
    kind = _NAMES[str(index.data_type)]
    answer: JsonObject = {"data_type": kind, "points": index.points}
    if index.params is not None:
        names = (*_SWITCHES[kind], *(_TEXT_NUMBERS if kind == "text" else ()))
        values = {name: getattr(index.params, name) for name in names}
        if kind == "text":
            values["tokenizer"] = _TOKENIZER_NAMES[str(index.params.tokenizer)]  # pyright: ignore[reportAttributeAccessIssue] - of TextIndexParams
        answer["params"] = {"type": kind, **{key: value for key, value in values.items() if value is not None}}
    return answer


def _kind(value: object) -> str:
    kind = string(value, of="field_schema").lower()
    if kind == "geo":
        raise UnsupportedError("geo indexes")
    if kind not in _TYPES:
        raise WrongInputError(f"field_schema must be one of {', '.join(_TYPES)}")
    return kind


def _read_params(value: object) -> PayloadSchemaParams:
    kind = _kind(value.get("type") if isinstance(value, dict) else value)
    text_keys = (*_TEXT_NUMBERS, "tokenizer") if kind == "text" else ()
    given = fields(value, of=f"{kind} index params", allowed=("type", *_SWITCHES[kind], *text_keys))
    read: dict[str, Any] = {key: boolean(given[key], of=key) for key in _SWITCHES[kind] if key in given}
    if kind == "text":
        read.update({key: integer(given[key], of=key, most=2**31) for key in _TEXT_NUMBERS if key in given})
        if "tokenizer" in given:
            read["tokenizer"] = _TOKENIZERS[choice(given["tokenizer"], of="tokenizer", among=_TOKENIZERS)]
    return _PARAMS[kind](**read)
