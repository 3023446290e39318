"""A Dagster instance and the real definitions over real stores, with the default model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from rag_pipeline import composition
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.services.workbench import Model
from rag_pipeline.settings import Settings
from rag_pipeline_tests.workshop import Workshop


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    # Not an ephemeral one, which nobody can refer to.
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def project(
    workshop: Workshop, default_model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """A workshop that the environment describes, as `rag-pipeline up` does for its children."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(default_model.folder.parent)
    for name, value in {
        "RAG_DATABASE__URL": workshop.database_url,
        "RAG_QDRANT__URL": workshop.qdrant_url,
        "RAG_UPLOADS_DIR": str(workshop.bench.uploads_dir),
        "RAG_DATA_DIR": str(data_dir),
        "RAG_INGEST__SETTLE_S": "0",
        "RAG_INGEST__POINT_GRACE_S": "0",
        "RAG_EMBEDDING__THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    workshop.bench = replace(
        workshop.bench,
        model=Model(lambda: default_model, runtime="onnx", threads=1),
        chunking=type(workshop.bench.chunking)(**settings.chunking.model_dump()),
    )
    yield workshop
    forget_process()


def forget_process() -> None:
    """The workbench of this process is made anew by whoever asks next, as in another process."""
    composition.workbench_of_this_process().close()
    composition.workbench_of_this_process.cache_clear()


@pytest.fixture
def defs(project: Workshop) -> dg.Definitions:
    # Not at the top: conftest files are imported before the filter of warnings is set.
    from rag_pipeline.definitions import build_definitions

    del project
    return build_definitions(Settings())
