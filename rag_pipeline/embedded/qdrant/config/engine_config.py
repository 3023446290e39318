"""A collection's configuration for the engine."""

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.config.params import DISTANCES, MEMORIES
from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema, dense_vectors, sparse_vectors
from rag_pipeline.embedded.qdrant.reading import JsonObject

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import QuantizationConfigType

_OPTIMIZER_KEYS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
)
"""Not `prevent_unoptimized`: it hides points until an optimiser has run, and none runs inside the engine here."""

_DATATYPES = MappingProxyType(
    {
        "float32": edge.VectorStorageDatatype.Float32,
        "float16": edge.VectorStorageDatatype.Float16,
        "uint8": edge.VectorStorageDatatype.Uint8,
        "turbo4": edge.VectorStorageDatatype.Turbo4,  # pyright: ignore[reportAttributeAccessIssue] - missing in the stub
        "turbo8": edge.VectorStorageDatatype.Turbo8,
        "turbo16": edge.VectorStorageDatatype.Turbo16,
    }
)
_COMPRESSIONS = MappingProxyType(
    {
        "x4": edge.CompressionRatio.X4,
        "x8": edge.CompressionRatio.X8,
        "x16": edge.CompressionRatio.X16,
        "x32": edge.CompressionRatio.X32,
        "x64": edge.CompressionRatio.X64,
    }
)
_ENCODINGS = MappingProxyType(
    {
        "one_bit": edge.BinaryQuantizationEncoding.OneBit,
        "two_bits": edge.BinaryQuantizationEncoding.TwoBits,
        "one_and_half_bits": edge.BinaryQuantizationEncoding.OneAndHalfBits,
    }
)
_QUERY_ENCODINGS = MappingProxyType(
    {
        "default": edge.BinaryQuantizationQueryEncoding.Default,
        "binary": edge.BinaryQuantizationQueryEncoding.Binary,
        "scalar4bits": edge.BinaryQuantizationQueryEncoding.Scalar4Bits,
        "scalar8bits": edge.BinaryQuantizationQueryEncoding.Scalar8Bits,
    }
)
_TURBO_BITS = MappingProxyType(
    {
        "bits1": edge.TurboQuantBitSize.Bits1,
        "bits1_5": edge.TurboQuantBitSize.Bits1_5,
        "bits2": edge.TurboQuantBitSize.Bits2,
        "bits4": edge.TurboQuantBitSize.Bits4,
        "bits8": edge.TurboQuantBitSize.Bits8,
    }
)


def engine_config(schema: CollectionSchema) -> edge.EdgeConfig:
    """The configuration of a schema that has a vector: the engine refuses one without."""
    config = schema.config
    params = cast("JsonObject", config["params"])
    optimizers = cast("JsonObject", config["optimizer_config"])
    return edge.EdgeConfig(
        vectors={name: _vector(vector, config) for name, vector in dense_vectors(config).items()},
        sparse_vectors={name: _sparse(vector) for name, vector in sparse_vectors(config).items()},
        on_disk_payload=cast("bool", params["on_disk_payload"]),
        payload_memory=_memory(params.get("payload")),
        id_tracker_memory=_memory(params.get("id_tracker")),
        hnsw_config=_hnsw(cast("JsonObject", config["hnsw_config"])),
        optimizers=edge.EdgeOptimizersConfig(**{key: optimizers[key] for key in _OPTIMIZER_KEYS}),  # pyright: ignore[reportArgumentType] - numbers, as read
    )


def creates_vector(name: str, config: JsonObject) -> edge.UpdateOperation:
    """The operation that gives a shard the vector `name` of `config`; without effect when it has it."""
    if name in sparse_vectors(config):
        vector = sparse_vectors(config)[name]
        datatype = cast("JsonObject", vector.get("index", {})).get("datatype")
        return edge.UpdateOperation.create_sparse_vector(name, _modifier(vector), _datatype(datatype))
    vector = dense_vectors(config)[name]
    return edge.UpdateOperation.create_dense_vector(
        name,
        cast("int", vector["size"]),
        DISTANCES[cast("str", vector["distance"]).lower()],
        _multivector(vector),
        _datatype(vector.get("datatype")),
    )


def _vector(vector: JsonObject, config: JsonObject) -> edge.EdgeVectorParams:
    own_hnsw = cast("JsonObject | None", vector.get("hnsw_config"))
    # Quantization of the whole collection goes to each vector: the engine keeps one given for the whole collection
    # for ever (measured 2026-11-25, qdrant-edge-py 0.9.0), so "Disabled" could not be applied.
    quantization = vector.get("quantization_config") or config["quantization_config"]
    return edge.EdgeVectorParams(
        cast("int", vector["size"]),
        DISTANCES[cast("str", vector["distance"]).lower()],
        on_disk=cast("bool | None", vector.get("on_disk")),
        memory=_memory(vector),
        multivector_config=_multivector(vector),
        datatype=_datatype(vector.get("datatype")),
        quantization_config=_quantization(cast("JsonObject | None", quantization)),
        hnsw_config=_hnsw({**cast("JsonObject", config["hnsw_config"]), **own_hnsw}) if own_hnsw else None,
    )


def _sparse(vector: JsonObject) -> edge.EdgeSparseVectorParams:
    index = cast("JsonObject", vector.get("index", {}))
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=cast("int | None", index.get("full_scan_threshold")),
        on_disk=cast("bool | None", index.get("on_disk")),
        memory=_memory(index),
        modifier=_modifier(vector),
        datatype=_datatype(index.get("datatype")),
    )


def _hnsw(hnsw: JsonObject) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(**{**hnsw, "memory": _memory(hnsw)})  # pyright: ignore[reportArgumentType] - numbers and switches, as read


def _modifier(vector: JsonObject) -> edge.Modifier | None:
    return edge.Modifier.Idf if vector.get("modifier") == "idf" else None


def _memory(section: object) -> edge.Memory | None:
    memory = section.get("memory") if isinstance(section, dict) else None
    return MEMORIES[memory] if memory else None


def _datatype(name: object) -> edge.VectorStorageDatatype | None:
    return _DATATYPES[cast("str", name)] if name else None


def _multivector(vector: JsonObject) -> edge.MultiVectorConfig | None:
    return edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if "multivector_config" in vector else None


def _quantization(quantization: JsonObject | None) -> "QuantizationConfigType | None":
    if not quantization:
        return None
    ((kind, given),) = quantization.items()
    params = cast("JsonObject", given)
    always_ram, memory = cast("bool | None", params.get("always_ram")), _memory(params)
    if kind == "scalar":
        quantile = cast("float | None", params.get("quantile"))
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile, always_ram, memory)
    if kind == "product":
        compression = _COMPRESSIONS[cast("str", params["compression"])]
        return edge.ProductQuantizationConfig(compression, always_ram, memory)
    if kind == "binary":
        return edge.BinaryQuantizationConfig(
            always_ram,
            _ENCODINGS.get(cast("str", params.get("encoding"))),
            _QUERY_ENCODINGS.get(cast("str", params.get("query_encoding"))),
            memory,
        )
    return edge.TurboQuantQuantizationConfig(always_ram, _TURBO_BITS.get(cast("str", params.get("bits"))), memory)
