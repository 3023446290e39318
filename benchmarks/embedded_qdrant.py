"""The embedded Qdrant beside the client's local mode, and beside its own engine called in process: the limit.

    python benchmarks/embedded_qdrant.py [--sizes 10000,100000,1000000] [--dimension 384] [--without-local-mode]

Each size is loaded three times: over HTTP into a server of its own (a real process), into `QdrantClient(path=...)`, and
into the engine within a process of ours. Searches of the three take turns, 20 at a time, so that their ratio holds when
the machine's speed drifts. Prints, for each size: points upserted per second, p50 and p95 of a search with 1 and
with 8 callers, memory of the process, seconds from start to ready, and seconds until the server had optimised itself.

Vectors are normalised and lie around centres, as embeddings do; they are equal in all three. Every answer's ids are
compared with the exact ones (recall@10). Local mode is left out above 100,000 points, where its load takes over ten
minutes. All traffic stays on this machine; everything is in a temporary folder that is removed.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import orjson
import psutil
import qdrant_edge as edge
from qdrant_client import QdrantClient, models

Vectors = npt.NDArray[np.float32]
Search = Callable[[int], list[int]]

_NAME = "bench"
_QUERIES = 400
_BLOCK = 20
_PAUSE_S = 0.05
"""Before each block: local mode's linear algebra leaves threads that spin for a while, and they would slow the next."""

_LIMIT = 10
_CALLERS = 8
_UPSERT_POINTS = 256
_LOCAL_MODE_MOST_POINTS = 100_000
_OPTIMISED_WITHIN_S = 3600.0
_CENTRES = 1000
_SPREAD = 0.6


def main() -> None:
    """Run the benchmark and print a table per size."""
    parser = argparse.ArgumentParser(description="The embedded Qdrant beside local mode and the engine in process.")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="numbers of points, separated by commas")
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--callers", type=int, default=_CALLERS)
    parser.add_argument("--without-local-mode", action="store_true", help="leave out the slowest of the three")
    options = parser.parse_args()
    for size in map(int, options.sizes.split(",")):
        figures = _measured(size, options)
        print(json.dumps(figures, indent=2), flush=True)


@dataclass(slots=True)
class Contender:
    """One of the three, loaded.

    Shapes:
        search: query number -> ids, best first.
        searches: a caller's own `search` (connections are not shared).
    """

    name: str
    searches: Callable[[], Search]
    figures: dict[str, object] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)


def _measured(size: int, options: argparse.Namespace) -> dict[str, object]:
    dimension = options.dimension
    vectors, queries = _around_centres(size, dimension)
    exact = _exact(vectors, queries)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _server(folder / "http") as contender_of:
            contenders = [contender_of(vectors, queries), _in_process(folder / "engine", vectors, queries)]
            if size <= _LOCAL_MODE_MOST_POINTS and not options.without_local_mode:
                contenders.append(_local_mode(folder / "local", vectors, queries))
            _take_turns(contenders, exact)
            for contender in contenders:
                contender.figures |= _with_callers(contender.searches, options.callers)
    found = {contender.name: contender.figures for contender in contenders}
    return {"points": size, "dimension": dimension, **found, "ratios": _ratios(contenders)}


def _around_centres(size: int, dimension: int) -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(20261125)
    centres = rng.standard_normal((_CENTRES, dimension), dtype=np.float32)

    def some(count: int) -> Vectors:
        noise = rng.standard_normal((count, dimension), dtype=np.float32)
        drawn = centres[rng.integers(0, _CENTRES, count)] + noise * _SPREAD
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    return some(size), some(_QUERIES)


def _exact(vectors: Vectors, queries: Vectors) -> list[set[int]]:
    scores = queries @ vectors.T
    best = np.argpartition(scores, -_LIMIT, axis=1)[:, -_LIMIT:]
    return [set(row.tolist()) for row in best]


def _take_turns(contenders: Sequence[Contender], exact: Sequence[set[int]]) -> None:
    """Every contender answers a block of queries before any answers the next block; the first block is a warm-up."""
    searches = [contender.searches() for contender in contenders]
    right = [0] * len(contenders)
    for start in (0, *range(0, _QUERIES, _BLOCK)):
        for index, (contender, search) in enumerate(zip(contenders, searches, strict=True)):
            time.sleep(_PAUSE_S)
            for number in range(start, start + _BLOCK):
                began = time.perf_counter()
                ids = search(number)
                contender.latencies_s.append(time.perf_counter() - began)
                right[index] += len(exact[number].intersection(ids))
    for contender, found in zip(contenders, right, strict=True):
        contender.latencies_s = contender.latencies_s[_BLOCK:]
        contender.figures |= _percentiles_ms(contender.latencies_s, callers=1)
        contender.figures["recall_at_10"] = round(found / (_LIMIT * (_QUERIES + _BLOCK)), 4)


def _with_callers(searches: Callable[[], Search], callers: int) -> dict[str, float]:
    """Threads: what they wait for is another process, or the engine, which holds the interpreter anyway."""
    latencies_s: list[list[float]] = [[] for _ in range(callers)]
    each = _QUERIES // 2

    def calls(index: int) -> None:
        search = searches()
        for number in range(each):
            began = time.perf_counter()
            search((number * callers + index) % _QUERIES)
            latencies_s[index].append(time.perf_counter() - began)

    threads = [threading.Thread(target=calls, args=(index,)) for index in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began
    figures = _percentiles_ms([one for own in latencies_s for one in own], callers=callers)
    return {**figures, f"searches_per_s_{callers}_callers": round(callers * each / took_s)}


def _percentiles_ms(latencies_s: Sequence[float], *, callers: int) -> dict[str, float]:
    ordered = sorted(latencies_s)
    word = "caller" if callers == 1 else "callers"
    return {
        f"search_p50_ms_{callers}_{word}": round(statistics.median(ordered) * 1000, 2),
        f"search_p95_ms_{callers}_{word}": round(ordered[int(len(ordered) * 0.95)] * 1000, 2),
    }


def _ratios(contenders: Sequence[Contender]) -> dict[str, float]:
    by_name = {contender.name: contender for contender in contenders}
    over_http, engine, local = by_name["http"], by_name["in_process"], by_name.get("local_mode")
    p50 = {name: statistics.median(contender.latencies_s) for name, contender in by_name.items()}
    ratios = {"search_p50_http_to_in_process": round(p50["http"] / p50["in_process"], 2)}
    if local:
        ratios["search_p50_local_mode_to_http"] = round(p50["local_mode"] / p50["http"], 2)
        ratios["upserts_http_to_local_mode"] = round(_upserts(over_http) / _upserts(local), 2)
    ratios["upserts_in_process_to_http"] = round(_upserts(engine) / _upserts(over_http), 2)
    return ratios


def _upserts(contender: Contender) -> float:
    return float(str(contender.figures["upserted_points_per_s"]))


def _rss_mib(pid: int | None = None) -> int:
    return round(psutil.Process(pid).memory_info().rss / 2**20)


def _payload(number: int) -> dict[str, object]:
    return {"number": number, "document": f"{number // 20}"}


# --- over HTTP --------------------------------------------------------------------------------------------------------


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[Vectors, Vectors], Contender]]:
    """Makes the contender over HTTP; its server is stopped when the block ends."""
    process, url, _ = _started(folder)
    running = [process]

    def contender(vectors: Vectors, queries: Vectors) -> Contender:
        client = _Client(url)
        distance = {"size": vectors.shape[1], "distance": "Cosine"}
        client.ask("PUT", f"/collections/{_NAME}", orjson.dumps({"vectors": distance}))
        upserted_per_s = _load_over_http(client, vectors)
        optimised_s = _until_optimised(client)
        running[0].terminate()
        running[0].wait(60)
        running[0], again, start_s = _started(folder)
        figures: dict[str, object] = {
            "upserted_points_per_s": upserted_per_s,
            "optimised_after_s": optimised_s,
            "start_s": round(start_s, 2),
        }
        bodies = [orjson.dumps({"query": query.tolist(), "limit": _LIMIT}) for query in queries]
        made = Contender("http", lambda: _http_search(again, bodies), figures)
        _http_search(again, bodies)(0)
        made.figures["rss_mib"] = _rss_mib(running[0].pid)
        return made

    try:
        yield contender
    finally:
        running[0].terminate()
        running[0].wait(60)


def _started(folder: Path) -> tuple["subprocess.Popen[str]", str, float]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "rag_pipeline.embedded.qdrant", "--data-dir", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if process.stdout is None or not (url := process.stdout.readline().strip()):
        sys.exit("The embedded Qdrant did not start.")
    _Client(url).ask("GET", "/readyz")
    return process, url, time.perf_counter() - began


class _Client:
    """One connection that is kept: nothing but the standard library's HTTP."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=600)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of the answer."""
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            sys.exit(f"{method} {path} was answered {answer.status}: {content[:500]!r}")
        return content


def _load_over_http(client: _Client, vectors: Vectors) -> int:
    began = time.perf_counter()
    for start in range(0, len(vectors), _UPSERT_POINTS):
        points = [
            {"id": start + offset, "vector": vector, "payload": _payload(start + offset)}
            for offset, vector in enumerate(vectors[start : start + _UPSERT_POINTS])
        ]
        body = orjson.dumps({"points": points}, option=orjson.OPT_SERIALIZE_NUMPY)
        client.ask("PUT", f"/collections/{_NAME}/points?wait=true", body)
    return round(len(vectors) / (time.perf_counter() - began))


def _until_optimised(client: _Client) -> float | None:
    """Seconds until the collection was green and indexed; None when it is too small for an index."""
    began = time.perf_counter()
    while time.perf_counter() - began < _OPTIMISED_WITHIN_S:
        described = orjson.loads(client.ask("GET", f"/collections/{_NAME}"))["result"]
        if described["status"] == "green" and time.perf_counter() - began > _SETTLED_AFTER_S:
            return round(time.perf_counter() - began, 1) if described["indexed_vectors_count"] else None
        time.sleep(0.5)
    sys.exit("The server did not end its optimisation.")


_SETTLED_AFTER_S = 10.0
"""The server waits a moment for more writes before it begins."""


def _http_search(url: str, bodies: Sequence[bytes]) -> Search:
    client = _Client(url)
    path = f"/collections/{_NAME}/points/query"
    return lambda number: [
        point["id"] for point in orjson.loads(client.ask("POST", path, bodies[number]))["result"]["points"]
    ]


# --- the engine in this process ---------------------------------------------------------------------------------------


def _in_process(folder: Path, vectors: Vectors, queries: Vectors) -> Contender:
    folder.mkdir()
    params = edge.EdgeVectorParams(vectors.shape[1], edge.Distance.Cosine)
    before_mib = _rss_mib()
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors={"": params}))
    began = time.perf_counter()
    for start in range(0, len(vectors), _UPSERT_POINTS):
        points = [
            edge.Point(start + offset, vector, _payload(start + offset))
            for offset, vector in enumerate(vectors[start : start + _UPSERT_POINTS].tolist())
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
    loaded_s = time.perf_counter() - began
    shard.flush()
    began = time.perf_counter()
    shard.optimize()
    optimised_s = time.perf_counter() - began
    lists = [query.tolist() for query in queries]

    def search(number: int) -> list[int]:
        request = edge.QueryRequest(query=edge.Query.Nearest(lists[number], using=""), limit=_LIMIT, offset=0)
        return [int(str(point.id)) for point in shard.query(request)]

    figures: dict[str, object] = {
        "upserted_points_per_s": round(len(vectors) / loaded_s),
        "optimised_after_s": round(optimised_s, 1),
        "rss_mib": _rss_mib() - before_mib,
    }
    return Contender("in_process", lambda: search, figures)


# --- local mode -------------------------------------------------------------------------------------------------------


def _local_mode(folder: Path, vectors: Vectors, queries: Vectors) -> Contender:
    before_mib = _rss_mib()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # local mode warns of collections over 20,000 points
        client = QdrantClient(path=str(folder), force_disable_check_same_thread=True)
        params = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
        client.create_collection(_NAME, vectors_config=params)
        began = time.perf_counter()
        for start in range(0, len(vectors), _UPSERT_POINTS):
            points = [
                models.PointStruct(id=start + offset, vector=vector, payload=_payload(start + offset))
                for offset, vector in enumerate(vectors[start : start + _UPSERT_POINTS].tolist())
            ]
            client.upsert(_NAME, points)
    loaded_s = time.perf_counter() - began
    lists = [query.tolist() for query in queries]

    def search(number: int) -> list[int]:
        return [int(point.id) for point in client.query_points(_NAME, lists[number], limit=_LIMIT).points]

    figures: dict[str, object] = {
        "upserted_points_per_s": round(len(vectors) / loaded_s),
        "rss_mib": _rss_mib() - before_mib,
    }
    return Contender("local_mode", lambda: search, figures)


if __name__ == "__main__":
    main()
