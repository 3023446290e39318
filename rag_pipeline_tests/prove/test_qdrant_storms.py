"""The embedded Qdrant, killed fifty times under writes of every kind, and once with 100,000 points."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.server import ServerProcess
from rag_pipeline_tests.embedded.qdrant.storms import storm

_POINTS = 100_000
_DIMENSION = 384
_BATCH = 256
_STARTED_WITHIN_S = 5.0


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_kills_lose_nothing_acknowledged(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    seen = storm(tmp_path / "storage", kills=50, seed=seed)
    with capsys.disabled():
        print(f"\n{seen}")  # noqa: T201
    assert seen.kills >= 50
    assert seen.snapshots > 0
    assert seen.indexed > 0, "no round was optimised"
    assert min(seen.stops, seen.restored, seen.changed_vectors) > 0


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_killed_server_starts_again_with_100000_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, folder = np.random.default_rng(1), tmp_path / "storage"
    with ServerProcess(folder) as server, closing(QdrantClient(url=server.url, check_compatibility=False)) as client:
        params = models.VectorParams(size=_DIMENSION, distance=models.Distance.COSINE)
        client.create_collection("c", vectors_config=params)
        for start in range(0, _POINTS, _BATCH):
            ids = list(range(start, min(start + _BATCH, _POINTS)))
            vectors = rng.standard_normal((len(ids), _DIMENSION), dtype=np.float32).tolist()
            client.upsert("c", models.Batch(ids=list(ids), vectors=vectors, payloads=[{"n": one} for one in ids]))
        server.kill()
    began = time.perf_counter()
    with ServerProcess(folder) as server, closing(QdrantClient(url=server.url, check_compatibility=False)) as client:
        took_s = time.perf_counter() - began
        assert client.count("c").count == _POINTS
    with capsys.disabled():
        print(f"\n{_POINTS} points: ready {took_s:.2f} s after a kill at the end of the load")  # noqa: T201
    assert took_s < _STARTED_WITHIN_S
