"""Fixtures of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL can reach whatever other sessions of pytest do."""
    with temporary_data_dir() as made:
        yield made
