"""The server's state in Prometheus' text format."""

import os
import resource
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_pipeline.embedded.qdrant.http.statistics import DURATION_BOUNDS_S, Statistics
from rag_pipeline.embedded.qdrant.problems import NotFoundError
from rag_pipeline.embedded.qdrant.store.collection import Collection

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PAGE_BYTES = resource.getpagesize()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of samples: suffix of the name, labels, value."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[str, Mapping[str, str], float]]


def metrics_text(version: str, collections: Iterable[Collection], statistics: Statistics) -> str:
    """The whole answer of `/metrics`."""
    families = [
        Metric("app_info", "gauge", "information about qdrant server", [_info(version)]),
        Metric("app_status_recovery_mode", "gauge", "is recovery mode enabled", [("", {}, 0)]),
        Metric("cluster_enabled", "gauge", "is cluster support enabled", [("", {}, 0)]),
        *_collections(collections),
        *_responses(statistics),
        *_process(),
    ]
    return "".join(_written(family) for family in families if family.samples)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _info(version: str) -> tuple[str, Mapping[str, str], float]:
    return "", {"name": "qdrant", "version": version}, 1


def _collections(collections: Iterable[Collection]) -> list[Metric]:
    points: list[tuple[str, Mapping[str, str], float]] = []
    vectors: list[tuple[str, Mapping[str, str], float]] = []
    for collection in sorted(collections, key=lambda one: one.name):
        try:
            count, by_name = collection.points_count(), collection.vectors_counts()
        except NotFoundError:
            continue  # deleted in the meantime
        points.append(("", {"id": collection.name}, count))
        vectors += [("", {"collection": collection.name, "vector": name}, held) for name, held in by_name.items()]
    total = sum(value for _, _, value in vectors)
    return [
        Metric("collections_total", "gauge", "number of collections", [("", {}, len(points))]),
        Metric("collections_vector_total", "gauge", "total number of vectors in all collections", [("", {}, total)]),
        Metric("collection_points", "gauge", "number of points per collection", points),
        Metric("collection_vectors", "gauge", "number of vectors per collection and vector name", vectors),
    ]


def _responses(statistics: Statistics) -> list[Metric]:
    answers = [
        ({"method": method, "endpoint": endpoint, "status": str(status)}, durations)
        for method, endpoint, status, durations in statistics
    ]
    histogram: list[tuple[str, Mapping[str, str], float]] = []
    for labels, durations in answers:
        below = 0
        for bound, held in zip((*map(str, DURATION_BOUNDS_S), "+Inf"), durations.buckets, strict=True):
            below += held
            histogram.append(("_bucket", {**labels, "le": bound}, below))
        histogram.append(("_sum", labels, durations.total_s))
        histogram.append(("_count", labels, durations.count))
    name = "rest_responses"
    averages = [("", labels, durations.total_s / durations.count) for labels, durations in answers]
    return [
        Metric(f"{name}_total", "counter", "total number of responses", [("", o, d.count) for o, d in answers]),
        Metric(f"{name}_avg_duration_seconds", "gauge", "average response duration", averages),
        Metric(f"{name}_min_duration_seconds", "gauge", "minimum", [("", o, d.least_s) for o, d in answers]),
        Metric(f"{name}_max_duration_seconds", "gauge", "maximum", [("", o, d.most_s) for o, d in answers]),
        Metric(f"{name}_duration_seconds", "histogram", "response duration histogram", histogram),
    ]


def _process() -> list[Metric]:
    # After the name, which may hold spaces, fields are as in proc(5) from the third on.
    status = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    fields = {
        "memory_resident_bytes": resident_bytes(),
        "process_threads": int(status[17]),
        "process_open_fds": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "process_max_fds": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    counters = {
        "process_minor_page_faults_total": int(status[7]),
        "process_major_page_faults_total": int(status[9]),
        "process_cpu_seconds_total": (int(status[11]) + int(status[12])) / _TICKS_PER_S,
    }
    return [
        *(Metric(name, "gauge", f"{name} of this process", [("", {}, value)]) for name, value in fields.items()),
        *(Metric(name, "counter", f"{name} of this process", [("", {}, value)]) for name, value in counters.items()),
    ]


def _written(family: Metric) -> str:
    lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
    for suffix, labels, value in family.samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{family.name}{suffix}{{{inside}}} {value}" if inside else f"{family.name}{suffix} {value}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
