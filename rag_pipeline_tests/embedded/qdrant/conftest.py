"""Servers and clients for this room: one embedded server for all its tests, one collection per test."""

import os
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import httpx
import pytest
from qdrant_client import QdrantClient, models

from rag_pipeline_tests.embedded.qdrant.server import running_qdrant

DIMENSION = 4
DENSE = "dense"
SPARSE = "sparse"
OTHER_SERVER = os.environ.get("RAG_TEST_QDRANT_URL")
"""A real Qdrant to hold the same contract against, when there is one."""


@pytest.fixture(scope="session")
def qdrant_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded Qdrant for tests that do not stop or break it."""
    with running_qdrant(tmp_path_factory.mktemp("qdrant") / "storage") as url:
        yield url


@pytest.fixture(params=["embedded", "memory", *(["server"] if OTHER_SERVER else [])])
def any_client(request: pytest.FixtureRequest) -> Iterator[QdrantClient]:
    """A client of each implementation of the contract."""
    match request.param:
        case "embedded":
            client = QdrantClient(url=request.getfixturevalue("qdrant_url"), check_compatibility=False)
        case "server":
            client = QdrantClient(url=OTHER_SERVER)
        case _:
            client = QdrantClient(":memory:")
    with closing(client):
        yield client


@pytest.fixture(scope="session")
def client(qdrant_url: str) -> Iterator[QdrantClient]:
    """A client of the embedded server alone: for what local mode does not have."""
    with closing(QdrantClient(url=qdrant_url, check_compatibility=False)) as client:
        yield client


@pytest.fixture(scope="session")
def http(qdrant_url: str) -> Iterator[httpx.Client]:
    """Bare HTTP, for what no client would send."""
    with httpx.Client(base_url=qdrant_url) as http:
        yield http


@pytest.fixture
def name() -> str:
    """A collection's name that no other test has."""
    return f"test-{uuid4().hex}"


@pytest.fixture
def collection(client: QdrantClient, name: str) -> Iterator[str]:
    """A fresh collection on the embedded server."""
    make_collection(client, name)
    yield name
    client.delete_collection(name)


def make_collection(client: QdrantClient, name: str, *, distance: models.Distance = models.Distance.DOT) -> None:
    """A collection with one dense and one sparse vector."""
    client.create_collection(
        name,
        vectors_config={DENSE: models.VectorParams(size=DIMENSION, distance=distance)},
        sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
