"""Models prepared once per session."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from rag_pipeline.embedding.reference import ReferenceEmbedder
from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder
from rag_pipeline.embedding.store import LocalModel, ModelStore
from rag_pipeline_tests.embedding.models import (
    TINY_PASSAGE_PREFIX,
    TINY_QUERY_PREFIX,
    prepared_default_model,
    start_python,
    write_tiny_model,
)

_PREPARE_TINY = """
import logging, sys
from pathlib import Path
from rag_pipeline.embedding.store import ModelStore
logging.basicConfig(level="INFO")
ModelStore(Path(sys.argv[1])).prepare(sys.argv[2], query_prefix="query: ", passage_prefix="passage: ")
"""


@pytest.fixture(scope="session")
def session_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the whole session: pytest-xdist's workers share it, so a model is prepared once for all."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def local_model(session_dir: Path) -> LocalModel:
    """The default model, prepared."""
    return prepared_default_model(session_dir / "models")


@pytest.fixture(scope="session")
def onnx(local_model: LocalModel) -> OnnxEmbedder:
    """The default model in the default runtime."""
    return OnnxEmbedder(local_model, threads=1)


@pytest.fixture(scope="session")
def reference(local_model: LocalModel) -> ReferenceEmbedder:
    """The default model in the reference runtime."""
    return ReferenceEmbedder(local_model)


@dataclass(frozen=True, slots=True)
class PreparedTiny:
    """The tiny model, prepared by two processes at once; `logs` is what each said."""

    models_dir: Path
    source: Path
    model: LocalModel
    logs: tuple[str, ...]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PreparedTiny:
    """The tiny model under prefixes."""
    folder = tmp_path_factory.mktemp("tiny")
    source = write_tiny_model(folder / "Tiny BERT")
    models_dir = folder / "models"
    children = [start_python(_PREPARE_TINY, models_dir, source) for _ in range(2)]
    logs = tuple(child.communicate(timeout=120)[0] for child in children)
    assert [child.returncode for child in children] == [0, 0], logs
    model = ModelStore(models_dir).prepare(
        str(source), query_prefix=TINY_QUERY_PREFIX, passage_prefix=TINY_PASSAGE_PREFIX
    )
    return PreparedTiny(models_dir=models_dir, source=source, model=model, logs=logs)
