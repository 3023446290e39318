"""Changes of a collection's configuration: what `PATCH` and the routes of vector names ask for, applied to its JSON."""

from typing import cast

from rag_pipeline.embedded.qdrant.config import params
from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema, dense_vectors, sparse_vectors
from rag_pipeline.embedded.qdrant.names import checked_vector_name
from rag_pipeline.embedded.qdrant.problems import FormatError, UnsupportedError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, picked

_KEYS = frozenset(
    {
        "vectors",
        "sparse_vectors",
        "optimizers_config",
        "params",
        "hnsw_config",
        "quantization_config",
        "strict_mode_config",
        "metadata",
    }
)
_KINDS = ("dense", "sparse")


def changed(schema: CollectionSchema, body: object) -> CollectionSchema:
    """The schema after `PATCH /collections/{name}` with this body; what is not given stays."""
    given = picked(body, of="update collection", keys=_KEYS)
    config = dict(schema.config)
    merged = {
        "hnsw_config": ("hnsw_config", params.read_hnsw),
        "optimizers_config": ("optimizer_config", params.read_optimizers),
        "strict_mode_config": ("strict_mode_config", params.read_strict_mode),
        "params": ("params", params.read_collection_params),
    }
    for key, (section, read) in merged.items():
        if key in given:
            config[section] = {**cast("JsonObject", config.get(section) or {}), **read(given[key])}
    if "quantization_config" in given:
        wanted = params.QUANTIZATION_CHANGE(given["quantization_config"], "quantization_config")
        config["quantization_config"] = None if wanted == "Disabled" else wanted
    if "metadata" in given:
        config["metadata"] = _merged_metadata(config, params.read_metadata(given["metadata"]))
    if "vectors" in given:
        config = _with_vectors(config, _changed_vectors(dense_vectors(config), given["vectors"]))
    if "sparse_vectors" in given:
        config = _with_sparse(config, _changed_sparse(sparse_vectors(config), given["sparse_vectors"]))
    return schema.with_config(config)


def with_vector_name(schema: CollectionSchema, name: str, body: object) -> CollectionSchema:
    """The schema with one more vector, as `PUT /collections/{name}/vectors/{vector}` asks for.

    Raises:
        WrongInputError: there is one of this name that is not the same.
    """
    given = picked(body, of="vector name config", keys=_KINDS)
    if len(given) != 1:
        raise FormatError("a vector name config has exactly one of dense and sparse")
    checked_vector_name(name)
    config, vector = schema.config, _named_vector(given)
    existing = sparse_vectors(config).get(name) if "sparse" in given else dense_vectors(config).get(name)
    if name in schema.names:
        if existing is None or any(existing.get(key) != value for key, value in vector.items()):
            raise WrongInputError(
                f"vector '{name}' already exists with different parameters; "
                "delete it before recreating with a different configuration"
            )
        return schema
    if "sparse" in given:
        return schema.with_config(_with_sparse(config, {**sparse_vectors(config), name: vector}))
    return schema.with_config(_with_vectors(config, {**dense_vectors(config), name: vector}))


def without_vector_name(schema: CollectionSchema, name: str) -> CollectionSchema:
    """The schema without the vector `name`."""
    if name not in schema.names:
        raise WrongInputError(f"Not existing vector name error: {name}")
    config = schema.config
    if name in schema.sparse:
        return schema.with_config(
            _with_sparse(config, {key: item for key, item in sparse_vectors(config).items() if key != name})
        )
    return schema.with_config(
        _with_vectors(config, {key: item for key, item in dense_vectors(config).items() if key != name})
    )


def _named_vector(given: JsonObject) -> JsonObject:
    if "dense" in given:
        read = params.read_vector(given["dense"])
        return {key: read[key] for key in ("size", "distance", "multivector_config", "datatype") if key in read}
    wanted = picked(given["sparse"], of="sparse vector config", keys=("modifier", "datatype"))
    index = {"index": {"datatype": wanted["datatype"]}} if "datatype" in wanted else {}
    return params.read_sparse_vector({**index, "modifier": wanted.get("modifier")})


def _changed_vectors(vectors: dict[str, JsonObject], value: object) -> dict[str, JsonObject]:
    if not isinstance(value, dict):
        raise FormatError("vectors must be an object")
    changes = {name: params.read_vector_change(change) for name, change in value.items()}
    for name in changes:
        if name not in vectors:
            raise WrongInputError(f"Not existing vector name error: {name}")
    return {name: _changed_vector(vector, changes.get(name, {})) for name, vector in vectors.items()}


def _changed_vector(vector: JsonObject, change: JsonObject) -> JsonObject:
    after = {**vector, **change}
    if "hnsw_config" in change:
        own = cast("JsonObject", change["hnsw_config"])
        # An empty object unsets (Source: Qdrant's OpenAPI, VectorParamsDiff.hnsw_config).
        after["hnsw_config"] = {**cast("JsonObject", vector.get("hnsw_config", {})), **own} if own else {}
    dropped = {key for key in ("hnsw_config", "quantization_config") if after.get(key) in ({}, "Disabled")}
    return {key: value for key, value in after.items() if key not in dropped}


def _changed_sparse(vectors: dict[str, JsonObject], value: object) -> dict[str, JsonObject]:
    changes = cast("dict[str, JsonObject]", params.read_sparse_vectors(value))
    after = dict(vectors)
    for name, change in changes.items():
        if name not in vectors:
            raise WrongInputError(f"Not existing vector name error: {name}")
        before = vectors[name]
        if "modifier" in change and change["modifier"] != before.get("modifier", "none"):
            # The engine does not load a shard with another modifier (measured 2026-11-25, qdrant-edge-py 0.9.0).
            raise UnsupportedError("changing the modifier of a sparse vector that exists")
        index = {**cast("JsonObject", before.get("index", {})), **cast("JsonObject", change.get("index", {}))}
        after[name] = {**before, **({"index": index} if index else {})}
    return after


def _merged_metadata(config: JsonObject, change: JsonObject) -> JsonObject:
    merged = {**cast("JsonObject", config.get("metadata") or {}), **change}
    return {key: value for key, value in merged.items() if value is not None}


def _with_vectors(config: JsonObject, vectors: dict[str, JsonObject]) -> JsonObject:
    unnamed = vectors.keys() == {""}
    return _with_params(config, {"vectors": vectors[""] if unnamed else vectors})


def _with_sparse(config: JsonObject, vectors: dict[str, JsonObject]) -> JsonObject:
    return _with_params(config, {"sparse_vectors": vectors})


def _with_params(config: JsonObject, changes: JsonObject) -> JsonObject:
    own = {**cast("JsonObject", config["params"]), **changes}
    if not own.get("sparse_vectors"):
        own.pop("sparse_vectors", None)
    return {**config, "params": own}
