"""What end-to-end tests share, as a start takes some eight seconds: an instance, and the first life of another."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline_tests.e2e.corpora import CORPORA, FORMATS
from rag_pipeline_tests.e2e.instance import Instance, running
from rag_pipeline_tests.e2e.lives import FirstLife, live_once
from rag_pipeline_tests.e2e.texts import paragraph, text
from rag_pipeline_tests.embedded.postgres_server import temporary_data_dir

_SAMPLES = Path(__file__).parents[2] / "rag_pipeline" / "samples"
STORY = ("edited.txt", "kept.md", "deleted.txt", "old-name/one.txt", "old-name/deep/two.txt")
VANISHING = tuple(f"{number:02}.txt" for number in range(25))


@pytest.fixture(scope="session")
def models(default_model: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `models` folder with the default model in it: an export takes ten seconds, a copy none."""
    del default_model
    return tmp_path_factory.getbasetemp() / "models"


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder for an instance of its own."""
    with temporary_data_dir() as folder:
        yield folder


@pytest.fixture(scope="session")
def instance(models: Path) -> Iterator[Instance]:
    """A running instance; it deletes old points after 2 s."""
    with temporary_data_dir() as folder, running(folder, models=models, RAG_INGEST__POINT_GRACE_S="2") as instance:
        yield instance


@pytest.fixture(scope="session")
def dropped(instance: Instance) -> Instance:
    """The instance, with files dropped into four collections at once: waiting for a run each time takes too long.

    `leaflets`: the project's samples. `story`: long texts. `vanishing`: 25 short ones. `papers`: the shared corpora.
    """
    shutil.copytree(_SAMPLES, instance.uploads_dir / "leaflets", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for path in STORY:
        instance.put(f"story/{path}", text(path, paragraphs=8))
    for path in VANISHING:
        instance.put(f"vanishing/{path}", paragraph(path))
    if CORPORA.is_dir():
        for name in FORMATS:
            shutil.copytree(CORPORA / "docs" / name, instance.uploads_dir / "papers" / name)
    return instance


@pytest.fixture(scope="session")
def first_life(models: Path) -> Iterator[FirstLife]:
    """What `ingest` without an instance made, and how an instance on it was and ended."""
    with temporary_data_dir() as folder:
        yield live_once(folder, models)
