"""A collection's configuration: read from the create request, kept as JSON, given to the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.names import checked_vector_name
from rag_pipeline.embedded.qdrant.problems import UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, boolean, choice, fields, integer, number, required

_DISTANCES = MappingProxyType(
    {
        "cosine": edge.Distance.Cosine,
        "dot": edge.Distance.Dot,
        "euclid": edge.Distance.Euclid,
        "manhattan": edge.Distance.Manhattan,
    }
)
_MAX_DIMENSION = 65_536
"""Source: Qdrant's openapi, VectorParams.size."""

_HNSW_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, "max_indexing_threads": 0, "on_disk": False}
)
_OPTIMIZER_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 0,
        "max_segment_size": None,
        "memmap_threshold": None,
        "indexing_threshold": 10_000,
        "flush_interval_sec": 5,
        "max_optimization_threads": None,
    }
)
_WAL_DEFAULTS: Mapping[str, object] = MappingProxyType({"wal_capacity_mb": 32, "wal_segments_ahead": 0})
_ENGINE_OPTIMIZER_KEYS = (
    "deleted_threshold",
    "vacuum_min_vector_number",
    "default_segment_number",
    "max_segment_size",
    "indexing_threshold",
)


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """What vectors a collection has, and its configuration as REST answers it.

    Shapes:
        dense: vector name to dimension; the unnamed vector is "".
        sparse: names of the sparse vectors.
        config: a `CollectionConfig` of the REST API, JSON.
    """

    dense: Mapping[str, int]
    sparse: frozenset[str]
    names: frozenset[str]
    config: JsonObject

    @classmethod
    def from_config(cls, config: JsonObject) -> "CollectionSchema":
        """The schema of a stored configuration."""
        params = cast("dict[str, dict[str, JsonObject]]", config["params"])
        dense = {name: cast("int", vector["size"]) for name, vector in _by_name(params["vectors"]).items()}
        sparse = frozenset(params.get("sparse_vectors", {}))
        return cls(dense=MappingProxyType(dense), sparse=sparse, names=frozenset(dense) | sparse, config=config)


def read_create(body: object) -> CollectionSchema:
    """The schema that a create request asks for."""
    given = fields(body, of="create collection", allowed=_CREATE_KEYS)
    if integer(given.get("shard_number", 1), of="shard_number", least=1) != 1:
        raise UnsupportedError("more than one shard")
    if given.get("sharding_method", "auto") != "auto":
        raise UnsupportedError("custom sharding")
    params: JsonObject = {
        "vectors": _read_vectors(given.get("vectors", {})),
        "shard_number": 1,
        "replication_factor": integer(given.get("replication_factor", 1), of="replication_factor", least=1),
        "write_consistency_factor": integer(given.get("write_consistency_factor", 1), of="write_consistency_factor"),
        "on_disk_payload": boolean(given.get("on_disk_payload", True), of="on_disk_payload"),
    }
    if sparse := _read_sparse_vectors(given.get("sparse_vectors", {})):
        params["sparse_vectors"] = sparse
    config: JsonObject = {
        "params": params,
        "hnsw_config": {**_HNSW_DEFAULTS, **_read_hnsw(given.get("hnsw_config", {}))},
        "optimizer_config": {**_OPTIMIZER_DEFAULTS, **_read_optimizers(given.get("optimizers_config", {}))},
        "wal_config": {**_WAL_DEFAULTS, **_whole_numbers(given.get("wal_config", {}), of="wal_config", keys=_WAL_KEYS)},
        "quantization_config": None,
    }
    if "metadata" in given:
        config["metadata"] = fields(
            given["metadata"], of="metadata", allowed=cast("dict[str, object]", given["metadata"])
        )
    schema = CollectionSchema.from_config(config)
    if schema.sparse & schema.dense.keys():
        raise WrongInputError("a dense and a sparse vector cannot have the same name")
    return schema


def engine_config(schema: CollectionSchema) -> edge.EdgeConfig:
    """The same for the engine."""
    params = cast("dict[str, dict[str, JsonObject]]", schema.config["params"])
    hnsw = cast("JsonObject", schema.config["hnsw_config"])
    optimizers = cast("JsonObject", schema.config["optimizer_config"])
    return edge.EdgeConfig(
        vectors={name: _engine_vector(vector, hnsw) for name, vector in _by_name(params["vectors"]).items()},
        sparse_vectors={name: _engine_sparse(vector) for name, vector in params.get("sparse_vectors", {}).items()},
        on_disk_payload=cast("bool", params["on_disk_payload"]),
        hnsw_config=_engine_hnsw(hnsw),
        optimizers=edge.EdgeOptimizersConfig(**{key: optimizers[key] for key in _ENGINE_OPTIMIZER_KEYS}),  # pyright: ignore[reportArgumentType] - read as numbers below
    )


_CREATE_KEYS = frozenset(
    {
        "vectors",
        "sparse_vectors",
        "hnsw_config",
        "optimizers_config",
        "wal_config",
        "on_disk_payload",
        "shard_number",
        "sharding_method",
        "replication_factor",
        "write_consistency_factor",
        "metadata",
    }
)
_WAL_KEYS = ("wal_capacity_mb", "wal_segments_ahead", "wal_retain_closed")
_HNSW_NUMBERS = ("m", "ef_construct", "full_scan_threshold", "max_indexing_threads", "payload_m")


def _by_name(vectors: object) -> dict[str, JsonObject]:
    named = cast("dict[str, JsonObject]", vectors)
    return {"": cast("JsonObject", named)} if _is_unnamed(named) else named


def _is_unnamed(vectors: Mapping[str, object]) -> bool:
    """Whether this is one vector's params; a vector may itself be named "size", but then its value is an object."""
    return "size" in vectors and not isinstance(vectors["size"], dict)


def _read_vectors(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise WrongInputError("`vectors` must be an object")
    if _is_unnamed(value):
        return _read_vector(value)
    return {checked_vector_name(name): _read_vector(vector) for name, vector in value.items()}


def _read_vector(value: object) -> JsonObject:
    allowed = ("size", "distance", "on_disk", "hnsw_config", "datatype")
    given = fields(value, of="vector params", allowed=allowed)
    if given.get("datatype", "float32") != "float32":
        raise UnsupportedError("vectors of another type than float32")
    vector: JsonObject = {
        "size": integer(required(given, "size", of="vector params"), of="size", least=1, most=_MAX_DIMENSION),
        "distance": choice(required(given, "distance", of="vector params"), of="distance", among=_DISTANCES).title(),
    }
    if "on_disk" in given:
        vector["on_disk"] = boolean(given["on_disk"], of="on_disk")
    if "hnsw_config" in given:
        vector["hnsw_config"] = _read_hnsw(given["hnsw_config"])
    return vector


def _read_sparse_vectors(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise WrongInputError("`sparse_vectors` must be an object")
    return {checked_vector_name(name): _read_sparse_vector(vector) for name, vector in value.items()}


def _read_sparse_vector(value: object) -> JsonObject:
    given = fields(value or {}, of="sparse vector params", allowed=("index", "modifier"))
    vector: JsonObject = {}
    if "index" in given:
        index = fields(given["index"], of="index", allowed=("full_scan_threshold", "on_disk", "datatype"))
        if index.get("datatype", "float32") != "float32":
            raise UnsupportedError("sparse vectors of another type than float32")
        if "full_scan_threshold" in index:
            integer(index["full_scan_threshold"], of="full_scan_threshold")
        boolean(index.get("on_disk", False), of="on_disk")
        vector["index"] = index
    if "modifier" in given:
        vector["modifier"] = choice(given["modifier"], of="modifier", among=("idf", "none"))
    return vector


def _read_hnsw(value: object) -> JsonObject:
    given = fields(value, of="hnsw_config", allowed=(*_HNSW_NUMBERS, "on_disk"))
    numbers: JsonObject = {key: integer(given[key], of=key, most=2**31) for key in _HNSW_NUMBERS if key in given}
    if "on_disk" in given:
        numbers["on_disk"] = boolean(given["on_disk"], of="on_disk")
    return numbers


def _read_optimizers(value: object) -> JsonObject:
    given = fields(value, of="optimizers_config", allowed=_OPTIMIZER_DEFAULTS.keys())
    read: JsonObject = {key: integer(given[key], of=key) for key in given.keys() - {"deleted_threshold"}}
    if "deleted_threshold" in given:
        read["deleted_threshold"] = number(given["deleted_threshold"], of="deleted_threshold")
    return read


def _whole_numbers(value: object, *, of: str, keys: tuple[str, ...]) -> JsonObject:
    return {key: integer(item, of=key) for key, item in fields(value, of=of, allowed=keys).items()}


def _engine_vector(vector: JsonObject, collection_hnsw: JsonObject) -> edge.EdgeVectorParams:
    own_hnsw = cast("JsonObject | None", vector.get("hnsw_config"))
    return edge.EdgeVectorParams(
        cast("int", vector["size"]),
        _DISTANCES[cast("str", vector["distance"]).lower()],
        on_disk=cast("bool | None", vector.get("on_disk")),
        hnsw_config=_engine_hnsw({**collection_hnsw, **own_hnsw}) if own_hnsw else None,
    )


def _engine_sparse(vector: JsonObject) -> edge.EdgeSparseVectorParams:
    index = cast("JsonObject", vector.get("index", {}))
    return edge.EdgeSparseVectorParams(
        full_scan_threshold=cast("int | None", index.get("full_scan_threshold")),
        on_disk=cast("bool | None", index.get("on_disk")),
        modifier=edge.Modifier.Idf if vector.get("modifier") == "idf" else None,
    )


def _engine_hnsw(hnsw: JsonObject) -> edge.HnswIndexConfig:
    return edge.HnswIndexConfig(**hnsw)  # pyright: ignore[reportArgumentType] - numbers, as read above
