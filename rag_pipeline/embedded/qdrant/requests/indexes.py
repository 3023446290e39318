"""Payload indexes: their parameters from JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import FormatError, ValidationError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    boolean,
    choice,
    known,
    path,
    required,
    string,
)
from rag_pipeline.embedded.qdrant.requests.text_indexes import read_text_params, text_params_as_object

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import PayloadIndexInfo, PayloadSchemaParams

_TYPES = MappingProxyType(
    {
        "keyword": edge.PayloadSchemaType.Keyword,
        "integer": edge.PayloadSchemaType.Integer,
        "float": edge.PayloadSchemaType.Float,
        "geo": edge.PayloadSchemaType.Geo,
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
        "geo": edge.GeoIndexParams,
        "bool": edge.BoolIndexParams,
        "datetime": edge.DatetimeIndexParams,
        "uuid": edge.UuidIndexParams,
        "text": edge.TextIndexParams,
    }
)
_SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "keyword": ("is_tenant", "on_disk", "enable_hnsw", "prefix"),
        "integer": ("lookup", "range", "is_principal", "on_disk", "enable_hnsw"),
        "float": ("is_principal", "on_disk", "enable_hnsw"),
        "geo": ("on_disk", "enable_hnsw"),
        "bool": ("on_disk", "enable_hnsw"),
        "datetime": ("is_principal", "on_disk", "enable_hnsw"),
        "uuid": ("is_tenant", "on_disk", "enable_hnsw"),
        "text": ("lowercase", "ascii_folding", "phrase_matching", "on_disk", "enable_hnsw"),
    }
)
_MEMORIES = MappingProxyType({"cold": edge.Memory.Cold, "cached": edge.Memory.Cached, "pinned": edge.Memory.Pinned})
_MEMORY_NAMES = {str(memory): name for name, memory in _MEMORIES.items()}


def read_create_index(body: object) -> edge.UpdateOperation:
    """The engine's operation for the body of `PUT .../index`; it replaces an index that the field has."""
    given = known(body, of="create index")
    field = path(required(given, "field_name", of="create index"), of="field_name")
    schema = given["field_type"] if "field_type" in given else required(given, "field_schema", of="create index")
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
    params = index.params
    if params is not None:
        values: JsonObject = {name: getattr(params, name) for name in _SWITCHES[kind]}
        values["memory"] = None if params.memory is None else _MEMORY_NAMES[str(params.memory)]
        values["nested"] = params.nested
        if isinstance(params, edge.TextIndexParams):
            values.update(text_params_as_object(params))
        answer["params"] = {"type": kind, **{key: value for key, value in values.items() if value is not None}}
    return answer


def _kind(value: object) -> str:
    kind = string(value, of="the type of field_schema")
    if kind not in _TYPES:
        raise FormatError(f"field_schema must be one of {', '.join(_TYPES)}")
    return kind


def _read_params(value: object) -> PayloadSchemaParams:
    given = known(value, of="field_schema")
    kind = _kind(required(given, "type", of="field_schema"))
    read: dict[str, Any] = {key: boolean(given[key], of=key) for key in _SWITCHES[kind] if key in given}
    if "memory" in given:
        read["memory"] = _MEMORIES[choice(given["memory"], of="memory", among=_MEMORIES)]
    if "nested" in given:
        read["nested"] = path(given["nested"], of="nested")
    if read.get("lookup") is False and read.get("range") is False:
        raise ValidationError("field_schema: the 'lookup' and 'range' capabilities can't be both false")
    if kind == "text":
        read.update(read_text_params(given))
    return _PARAMS[kind](**read)
