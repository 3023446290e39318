"""Searches while a loader writes at full speed: how long they wait, in each state of the collection.

    python benchmarks/embedded_qdrant_fairness.py [--points 100000] [--batch-points 500] [--seconds 15]

Starts an embedded Qdrant in a temporary folder, loads so many points of 384 dimensions, and then searches one after
another over one connection while a second process upserts without a pause. Three states: never optimised, while the
child process optimises, and after it. Loopback only.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
import numpy as np

DIMENSION = 384
_NAME = "fairness"
_DIFFERENT = 2000
"""Vectors that are turned into JSON once; a loader that spends its time on that is not at full speed."""


def main() -> None:
    """Measure and print one line per state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--batch-points", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rag_pipeline.embedded.qdrant", "--data-dir", folder, "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=(Path(folder) / "log").open("wb"), text=True)
        try:
            url = server.stdout.readline().strip() if server.stdout else ""
            with httpx.Client(base_url=url, timeout=120) as http:
                _measure(http, given)
        finally:
            server.terminate()
            server.wait()


def _measure(http: httpx.Client, given: argparse.Namespace) -> None:
    _create(http, optimization_threads=0)
    started = time.perf_counter()
    _load(str(http.base_url), given.batch_points, 0, given.points // given.batch_points, None)
    print(f"loaded {given.points} points at {given.points / (time.perf_counter() - started):.0f} points/s, no searches")
    _report("no loader, never optimised", *_searches(http, until=_after(3)))
    _report("full-speed load, never optimised", *_searched_under_load(http, given, _after(given.seconds)))

    _create(http, optimization_threads=None)
    _load(str(http.base_url), given.batch_points, 0, given.points // given.batch_points, None)
    begun = time.perf_counter()
    _report("no loader, being optimised", *_searches(http, until=lambda: _status(http) == "green"))
    print(f"optimised after {time.perf_counter() - begun:.0f} s")
    _report("no loader, optimised", *_searches(http, until=_after(3)))
    _report("full-speed load, optimised", *_searched_under_load(http, given, _after(given.seconds)))


def _searched_under_load(
    http: httpx.Client, given: argparse.Namespace, until: Callable[[], bool]
) -> tuple[list[float], int]:
    is_over = multiprocessing.Event()
    arguments = (str(http.base_url), given.batch_points, given.points, 10**6, is_over)
    loader = multiprocessing.Process(target=_load, args=arguments)
    loader.start()
    time.sleep(1)
    before, started = _points(http), time.perf_counter()
    found, _ = _searches(http, until=until)
    points_per_s = int((_points(http) - before) / (time.perf_counter() - started))
    is_over.set()
    loader.join()
    return found, points_per_s


def _searches(http: httpx.Client, *, until: Callable[[], bool]) -> tuple[list[float], int]:
    numbers, durations_ms, looked_at = np.random.default_rng(2), list[float](), time.perf_counter()
    while True:
        body = json.dumps({"query": numbers.standard_normal(DIMENSION).tolist(), "limit": 10})
        started = time.perf_counter()
        http.post(f"/collections/{_NAME}/points/query", content=body).raise_for_status()
        durations_ms.append((time.perf_counter() - started) * 1000)
        if time.perf_counter() - looked_at > 0.5:
            looked_at = time.perf_counter()
            if until():
                return durations_ms, 0


def _load(url: str, batch_points: int, first_id: int, batches: int, is_over: Event | None) -> None:
    vectors = [json.dumps(row) for row in np.random.default_rng(1).standard_normal((_DIFFERENT, DIMENSION)).tolist()]
    with httpx.Client(base_url=url, timeout=120) as http:
        for batch in range(batches):
            ids = range(first_id + batch * batch_points, first_id + (batch + 1) * batch_points)
            rows = [f'{{"id":{i},"vector":{vectors[i % _DIFFERENT]},"payload":{{"n":{i}}}}}' for i in ids]
            content = f'{{"points":[{",".join(rows)}]}}'
            http.put(f"/collections/{_NAME}/points", params={"wait": "true"}, content=content).raise_for_status()
            if is_over is not None and is_over.is_set():
                return


def _create(http: httpx.Client, *, optimization_threads: int | None) -> None:
    http.delete(f"/collections/{_NAME}")
    optimizers = {"max_optimization_threads": optimization_threads}
    body = {"vectors": {"size": DIMENSION, "distance": "Cosine"}, "optimizers_config": optimizers}
    http.put(f"/collections/{_NAME}", json=body).raise_for_status()


def _status(http: httpx.Client) -> str:
    return http.get(f"/collections/{_NAME}").json()["result"]["status"]


def _points(http: httpx.Client) -> int:
    return http.get(f"/collections/{_NAME}").json()["result"]["points_count"]


def _after(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _report(state: str, durations_ms: list[float], points_per_s: int) -> None:
    p50, p95 = np.percentile(durations_ms, [50, 95])
    load = f", load {points_per_s} points/s" if points_per_s else ""
    print(
        f"{state:34} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  max {max(durations_ms):6.1f} ms"
        f"  ({len(durations_ms)} searches{load})",
        flush=True,
    )


if __name__ == "__main__":
    main()
