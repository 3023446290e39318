"""What `/telemetry` tells: of the program, its collections and its requests."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from rag_pipeline.embedded.qdrant.http.metrics import resident_bytes
from rag_pipeline.embedded.qdrant.http.statistics import Statistics
from rag_pipeline.embedded.qdrant.problems import NotFoundError
from rag_pipeline.embedded.qdrant.reading import JsonObject
from rag_pipeline.embedded.qdrant.store.collection import Collection

_ALL_OF_COLLECTIONS = 2
"""The level from which a collection is told in full; at 1 without its name and shards. Source: Qdrant's docs."""


@dataclass(frozen=True, slots=True)
class Program:
    """This run of the server."""

    version: str
    run_id: str = field(default_factory=lambda: str(uuid4()))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


def telemetry(
    program: Program, collections: Sequence[Collection], statistics: Statistics, *, details_level: int
) -> JsonObject:
    """A `TelemetryData` of the REST API."""
    told: JsonObject = {"number_of_collections": len(collections)}
    if details_level > 0:
        told["collections"] = [item for one in collections for item in _collection(one, details_level)]
    return {
        "id": program.run_id,
        "app": _app(program, details_level),
        "collections": told,
        "cluster": {"enabled": False},
        "requests": {"rest": {"responses": statistics.as_object()}, "grpc": {"responses": {}}},
        "memory": _memory(),
        "hardware": {"collection_data": {}},
    }


def _app(program: Program, details_level: int) -> JsonObject:
    app: JsonObject = {"name": "qdrant", "version": program.version, "startup": program.started}
    if details_level > 0:
        switches = ("debug", "service_debug_feature", "recovery_mode", "gpu", "rocksdb", "staging")
        app["features"] = dict.fromkeys(switches, False)
        app["system"] = {
            "is_docker": False,
            "container_runtime": "other",
            "cores": os.cpu_count(),
            "ram_size": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024,
            "cpu_flags": "",
            "cpu_endian": sys.byteorder,
        }
    return app


def _memory() -> JsonObject:
    # Of the engine's allocator nothing can be asked; what is in RAM is known.
    resident = resident_bytes()
    told = ("active_bytes", "allocated_bytes", "resident_bytes")
    return {**dict.fromkeys(told, resident), "metadata_bytes": 0, "retained_bytes": 0}


def _collection(collection: Collection, details_level: int) -> list[JsonObject]:
    config = collection.schema.config
    try:
        vectors = collection.vectors_counts()
        points = collection.points_count()
    except NotFoundError:
        return []  # deleted in the meantime
    held = sum(vectors.values())
    if details_level < _ALL_OF_COLLECTIONS:
        return [{"vectors": held, "optimizers_status": "ok", "params": config["params"]}]
    shard = {
        "status": "green",
        "total_optimized_points": 0,
        "num_points": points,
        "num_vectors": held,
        "num_vectors_by_name": vectors,
        "update_queue": {"length": 0},
    }
    replicas: JsonObject = {"id": 0, "local": shard, "remote": [], "replicate_states": {"0": "Active"}}
    return [{"id": collection.name, "init_time_ms": 0, "config": config, "shards": [replicas], "transfers": []}]
