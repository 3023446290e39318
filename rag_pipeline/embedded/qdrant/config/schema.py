"""A collection's configuration: read from the create request, kept as JSON, changed by later requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import cast

from rag_pipeline.embedded.qdrant.config import params
from rag_pipeline.embedded.qdrant.problems import UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, choice, integer, picked

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
_WAL_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
)
_PARAMS_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {"replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}
)
_PARAMS_KEYS = (*_PARAMS_DEFAULTS, "payload", "id_tracker")
_CREATE_KEYS = frozenset(
    {
        "vectors",
        "sparse_vectors",
        "hnsw_config",
        "optimizers_config",
        "wal_config",
        "quantization_config",
        "strict_mode_config",
        "metadata",
        "shard_number",
        "sharding_method",
        *_PARAMS_KEYS,
    }
)
_CREATED_AT = "created_at"
"""Stored beside the configuration and answered outside of it."""


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """What vectors a collection has, and its configuration as REST answers it.

    Shapes:
        dense: vector name to dimension; the unnamed vector is "".
        sparse: names of the sparse vectors.
        multi: names of those dense vectors of which a point has a list.
        config: a `CollectionConfig` of the REST API, JSON.
        created_at: RFC 3339, or None for a collection made before it was kept.
    """

    dense: Mapping[str, int]
    sparse: frozenset[str]
    multi: frozenset[str]
    names: frozenset[str]
    config: JsonObject
    created_at: str | None = None

    @classmethod
    def from_config(cls, config: JsonObject, *, created_at: str | None = None) -> "CollectionSchema":
        """The schema of a configuration.

        Raises:
            WrongInputError: a dense and a sparse vector have the same name.
        """
        vectors = dense_vectors(config)
        dense = {name: cast("int", vector["size"]) for name, vector in vectors.items()}
        sparse = frozenset(sparse_vectors(config))
        if sparse & dense.keys():
            raise WrongInputError("a dense and a sparse vector cannot have the same name")
        return cls(
            dense=MappingProxyType(dense),
            sparse=sparse,
            multi=frozenset(name for name, vector in vectors.items() if "multivector_config" in vector),
            names=frozenset(dense) | sparse,
            config=config,
            created_at=created_at,
        )

    @classmethod
    def from_stored(cls, stored: JsonObject) -> "CollectionSchema":
        """The schema that `stored` gave."""
        config = {key: value for key, value in stored.items() if key != _CREATED_AT}
        return cls.from_config(config, created_at=cast("str | None", stored.get(_CREATED_AT)))

    def stored(self) -> JsonObject:
        """What is kept on the disk."""
        return {**self.config, _CREATED_AT: self.created_at} if self.created_at else dict(self.config)

    def with_config(self, config: JsonObject) -> "CollectionSchema":
        """The same collection, configured so."""
        return CollectionSchema.from_config(config, created_at=self.created_at)

    @property
    def strict_mode(self) -> JsonObject | None:
        """The limits of strict mode, when it is enabled."""
        strict = cast("JsonObject", self.config.get("strict_mode_config") or {})
        return strict if strict.get("enabled") else None


def dense_vectors(config: JsonObject) -> dict[str, JsonObject]:
    """The dense vectors' params by name, the unnamed one's under ""."""
    return params.by_name(cast("JsonObject", config["params"]).get("vectors", {}))


def sparse_vectors(config: JsonObject) -> dict[str, JsonObject]:
    """The sparse vectors' params by name."""
    return cast("dict[str, JsonObject]", cast("JsonObject", config["params"]).get("sparse_vectors", {}))


def read_create(body: object) -> CollectionSchema:
    """The schema that a create request asks for."""
    given = picked(body, of="create collection", keys=_CREATE_KEYS)
    if "sharding_method" in given:
        method = choice(given["sharding_method"], of="sharding_method", among=("auto", "custom"))
        if method == "custom":
            raise UnsupportedError("custom sharding")
    own_params: JsonObject = {
        "vectors": params.read_vectors(given.get("vectors", {})),
        # Stored and answered; one engine shard holds all points whatever the number, which no request can tell.
        "shard_number": integer(given.get("shard_number", 1), of="shard_number", least=1, most=2**32 - 1),
        **_PARAMS_DEFAULTS,
        **params.read_collection_params({key: given[key] for key in _PARAMS_KEYS if key in given}),
    }
    if sparse := params.read_sparse_vectors(given.get("sparse_vectors", {})):
        own_params["sparse_vectors"] = sparse
    config: JsonObject = {
        "params": own_params,
        "hnsw_config": {**_HNSW_DEFAULTS, **params.read_hnsw(given.get("hnsw_config", {}))},
        "optimizer_config": {**_OPTIMIZER_DEFAULTS, **params.read_optimizers(given.get("optimizers_config", {}))},
        "wal_config": {**_WAL_DEFAULTS, **params.read_wal(given.get("wal_config", {}))},
        "quantization_config": None,
        "strict_mode_config": {"enabled": False, **params.read_strict_mode(given.get("strict_mode_config", {}))},
    }
    if "quantization_config" in given:
        config["quantization_config"] = params.read_quantization(given["quantization_config"])
    if "metadata" in given:
        config["metadata"] = params.read_metadata(given["metadata"])
    return CollectionSchema.from_config(config, created_at=datetime.now(UTC).isoformat())
