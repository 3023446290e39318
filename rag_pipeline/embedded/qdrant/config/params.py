"""The parts of a collection's configuration, read from JSON and checked; kept as JSON, as they are answered again.

Ranges are those of Qdrant's OpenAPI document, 1.20.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.names import checked_vector_name
from rag_pipeline.embedded.qdrant.problems import FormatError, ValidationError
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, choice, integer, number, picked, required

Reader = Callable[[object, str], object]

DISTANCES = MappingProxyType(
    {
        "cosine": edge.Distance.Cosine,
        "dot": edge.Distance.Dot,
        "euclid": edge.Distance.Euclid,
        "manhattan": edge.Distance.Manhattan,
    }
)
MEMORIES = MappingProxyType({"cold": edge.Memory.Cold, "cached": edge.Memory.Cached, "pinned": edge.Memory.Pinned})
_DATATYPES = ("float32", "float16", "uint8", "turbo4", "turbo8", "turbo16")
_MAX_DIMENSION = 65_536
_MAX_32 = 2**32 - 1
"""The engine takes most sizes in 32 bits."""


def is_unnamed(vectors: Mapping[str, object]) -> bool:
    """Whether this is one vector's params; a vector may itself be named "size", but then its value is an object."""
    return "size" in vectors and not isinstance(vectors["size"], dict)


def by_name(vectors: object) -> dict[str, JsonObject]:
    """Vector params by name; the unnamed vector is ""."""
    named = cast("dict[str, JsonObject]", vectors)
    return {"": cast("JsonObject", named)} if is_unnamed(named) else named


def read_vectors(value: object) -> JsonObject:
    """`VectorsConfig`: params of the unnamed vector, or of each named one."""
    if not isinstance(value, dict):
        raise FormatError("vectors must be an object")
    if is_unnamed(value):
        return read_vector(value)
    return {checked_vector_name(name): read_vector(vector) for name, vector in value.items()}


def read_vector(value: object) -> JsonObject:
    """`VectorParams`."""
    given = _read(value, of="vector params", readers=_VECTOR)
    for key in ("size", "distance"):
        required(given, key, of="vector params")
    return given


def read_vector_change(value: object) -> JsonObject:
    """`VectorParamsDiff`; quantization may be "Disabled"."""
    return _read(value, of="vector params", readers=_VECTOR_CHANGE)


def read_sparse_vectors(value: object) -> JsonObject:
    """Params of each sparse vector."""
    if not isinstance(value, dict):
        raise FormatError("sparse_vectors must be an object")
    return {checked_vector_name(name): read_sparse_vector(vector) for name, vector in value.items()}


def read_sparse_vector(value: object) -> JsonObject:
    """`SparseVectorParams`."""
    return _read({} if value is None else value, of="sparse vector params", readers=_SPARSE_VECTOR)


def read_hnsw(value: object) -> JsonObject:
    """`HnswConfigDiff`."""
    return _read(value, of="hnsw_config", readers=_HNSW)


def read_optimizers(value: object) -> JsonObject:
    """`OptimizersConfigDiff`; "auto" threads are null, as they are answered."""
    return _read(value, of="optimizers_config", readers=_OPTIMIZERS)


def read_wal(value: object) -> JsonObject:
    """`WalConfigDiff`."""
    return _read(value, of="wal_config", readers=_WAL)


def read_collection_params(value: object) -> JsonObject:
    """`CollectionParamsDiff`: what neither is a vector nor has a section of its own."""
    return _read(value, of="params", readers=_COLLECTION)


def read_strict_mode(value: object) -> JsonObject:
    """`StrictModeConfig`."""
    return _read(value, of="strict_mode_config", readers=_STRICT_MODE)


def read_metadata(value: object) -> JsonObject:
    """Any object; a null field is kept, since a change deletes the key."""
    if not isinstance(value, dict):
        raise FormatError("metadata must be an object")
    return cast("JsonObject", value)


def read_quantization(value: object) -> JsonObject:
    """`QuantizationConfig`: exactly one kind."""
    given = picked(value, of="quantization_config", keys=_QUANTIZATION)
    if len(given) != 1:
        raise FormatError(f"quantization_config has exactly one of {', '.join(_QUANTIZATION)}")
    ((kind, params),) = given.items()
    read = _read(params, of=kind, readers=_QUANTIZATION[kind])
    for key, item in (("scalar", "type"), ("product", "compression")):
        if kind == key:
            required(read, item, of=kind)
    return {kind: read}


def _read(value: object, *, of: str, readers: Mapping[str, Reader]) -> JsonObject:
    given = picked(value, of=of, keys=readers)
    return {key: readers[key](item, key) for key, item in given.items()}


def _quantization_change(value: object, _: str) -> object:
    return value if value == "Disabled" else read_quantization(value)


def _distance(value: object, key: str) -> str:
    return choice(value, of=key, among=DISTANCES).title()


def _threads(value: object, key: str) -> int | None:
    return None if value == "auto" else integer(value, of=key)


def _multivector(value: object, key: str) -> JsonObject:
    given = _read(value, of=key, readers={"comparator": _one_of("max_sim")})
    required(given, "comparator", of=key)
    return given


def _switch(value: object, key: str) -> bool:
    return boolean(value, of=key)


def _whole(*, least: int = 0, most: int = 2**64 - 1) -> Reader:
    return lambda value, key: integer(value, of=key, least=least, most=most)


def _fraction(*, least: float = 0.0, most: float | None = None) -> Reader:
    return lambda value, key: number(value, of=key, least=least, most=most)


def _one_of(*words: str) -> Reader:
    return lambda value, key: choice(value, of=key, among=words)


def _section(readers: Mapping[str, Reader]) -> Reader:
    return lambda value, key: _read(value, of=key, readers=readers)


def _limits_by_vector(key_of_limit: str) -> Reader:
    def read(value: object, key: str) -> object:
        if not isinstance(value, dict):
            raise FormatError(f"{key} must be an object")
        limit = {key_of_limit: _whole(least=1)}
        return {name: _read(item, of=key, readers=limit) for name, item in value.items()}

    return read


def _dense_memory(value: object, key: str) -> str:
    memory = choice(value, of=key, among=MEMORIES)
    if memory == "pinned":
        raise ValidationError(f"{key}: value `pinned` invalid, it is not supported for this storage")
    return memory


_MEMORY = _one_of(*MEMORIES)
_HNSW: Mapping[str, Reader] = MappingProxyType(
    {
        "m": _whole(most=_MAX_32),
        "ef_construct": _whole(least=4, most=_MAX_32),
        "full_scan_threshold": _whole(most=_MAX_32),
        "max_indexing_threads": _whole(most=_MAX_32),
        "on_disk": _switch,
        "memory": _MEMORY,
        "payload_m": _whole(most=_MAX_32),
        "inline_storage": _switch,
    }
)
_OPTIMIZERS: Mapping[str, Reader] = MappingProxyType(
    {
        "deleted_threshold": _fraction(most=1.0),
        "vacuum_min_vector_number": _whole(least=100, most=_MAX_32),
        "default_segment_number": _whole(most=_MAX_32),
        "max_segment_size": _whole(least=1),
        "memmap_threshold": _whole(),
        "indexing_threshold": _whole(),
        "flush_interval_sec": _whole(),
        "max_optimization_threads": _threads,
        "prevent_unoptimized": _switch,
    }
)
_WAL: Mapping[str, Reader] = MappingProxyType(
    {"wal_capacity_mb": _whole(least=1), "wal_segments_ahead": _whole(), "wal_retain_closed": _whole(least=1)}
)
_PLACEMENT: Mapping[str, Reader] = MappingProxyType({"always_ram": _switch, "memory": _MEMORY})
_QUANTIZATION: Mapping[str, Mapping[str, Reader]] = MappingProxyType(
    {
        "scalar": {"type": _one_of("int8"), "quantile": _fraction(least=0.5, most=1.0), **_PLACEMENT},
        "product": {"compression": _one_of("x4", "x8", "x16", "x32", "x64"), **_PLACEMENT},
        "binary": {
            "encoding": _one_of("one_bit", "two_bits", "one_and_half_bits"),
            "query_encoding": _one_of("default", "binary", "scalar4bits", "scalar8bits"),
            **_PLACEMENT,
        },
        "turbo": {"bits": _one_of("bits1", "bits1_5", "bits2", "bits4", "bits8"), **_PLACEMENT},
    }
)
_VECTOR: Mapping[str, Reader] = MappingProxyType(
    {
        "size": _whole(least=1, most=_MAX_DIMENSION),
        "distance": _distance,
        "hnsw_config": lambda value, _: read_hnsw(value),
        "quantization_config": lambda value, _: read_quantization(value),
        "on_disk": _switch,
        "memory": _dense_memory,
        "datatype": _one_of(*_DATATYPES),
        "multivector_config": _multivector,
    }
)
_VECTOR_CHANGE: Mapping[str, Reader] = MappingProxyType(
    {
        "hnsw_config": _VECTOR["hnsw_config"],
        "quantization_config": _quantization_change,
        "on_disk": _switch,
        "memory": _dense_memory,
    }
)
_SPARSE_VECTOR: Mapping[str, Reader] = MappingProxyType(
    {
        "index": _section(
            {
                "full_scan_threshold": _whole(),
                "on_disk": _switch,
                "memory": _MEMORY,
                "datatype": _one_of(*_DATATYPES),
            }
        ),
        "modifier": _one_of("none", "idf"),
    }
)
_COLLECTION: Mapping[str, Reader] = MappingProxyType(
    {
        "replication_factor": _whole(least=1, most=_MAX_32),
        "write_consistency_factor": _whole(least=1, most=_MAX_32),
        "read_fan_out_factor": _whole(most=_MAX_32),
        "read_fan_out_delay_ms": _whole(),
        "on_disk_payload": _switch,
        "payload": _section({"memory": _dense_memory}),
        "id_tracker": _section({"memory": _MEMORY}),
    }
)
_STRICT_MODE: Mapping[str, Reader] = MappingProxyType(
    {
        "enabled": _switch,
        "unindexed_filtering_retrieve": _switch,
        "unindexed_filtering_update": _switch,
        "search_allow_exact": _switch,
        "search_max_oversampling": _fraction(),
        "multivector_config": _limits_by_vector("max_vectors"),
        "sparse_config": _limits_by_vector("max_length"),
        "max_resident_memory_percent": _whole(least=1, most=100),
        **dict.fromkeys(
            ("max_query_limit", "max_timeout", "read_rate_limit", "write_rate_limit", "max_points_count"),
            _whole(least=1),
        ),
        **dict.fromkeys(
            (
                "search_max_hnsw_ef",
                "upsert_max_batchsize",
                "search_max_batchsize",
                "max_collection_vector_size_bytes",
                "max_collection_payload_size_bytes",
                "filter_max_conditions",
                "condition_max_size",
                "max_payload_index_count",
            ),
            _whole(),
        ),
    }
)
QUANTIZATION_CHANGE = _quantization_change
