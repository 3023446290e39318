"""The models that tests embed with: the default one, and a tiny one made here.

`prepared_default_model` is for every room that needs real vectors; it takes some ten seconds the first time.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import rag_pipeline
from rag_pipeline.embedding.sources import DEFAULT_MODEL, ModelRequest, local_files
from rag_pipeline.embedding.store import LocalModel, ModelStore

REPOSITORY = Path(rag_pipeline.__file__).parents[1]
TINY_MAX_TOKENS = 64
TINY_QUERY_PREFIX = "query: "
TINY_PASSAGE_PREFIX = "passage: "


def prepared_default_model(cache_dir: Path) -> LocalModel:
    """The default model, prepared in `cache_dir` by whoever asks first."""
    return ModelStore(cache_dir).prepare(DEFAULT_MODEL)


def wheel_files() -> Path:
    """The default model's original files."""
    folder = local_files(ModelRequest(DEFAULT_MODEL))
    assert folder is not None
    return folder


def write_tiny_model(folder: Path, *, pooling: str = "cls") -> Path:
    """A BERT of random weights with the default model's tokenizer: 64 tokens, 32 dimensions, not normalised."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copyfile(wheel_files() / name, folder / name)
    torch.manual_seed(7)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=TINY_MAX_TOKENS,
        # Ten times the usual spread: texts then lie far apart, and a wrong export shows.
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    modules = [("", "sentence_transformers.models.Transformer"), ("1_Pooling", "sentence_transformers.models.Pooling")]
    listed = [{"idx": n, "name": str(n), "path": path, "type": name} for n, (path, name) in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    own_pooling = {"embedding_dimension": 32, "pooling_mode": pooling}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(own_pooling))
    return folder


def start_python(code: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    """Another interpreter that runs `code`; what it prints is piped."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_python(code: str, *arguments: str | Path) -> str:
    """What `code` prints in another interpreter, which must end well."""
    child = start_python(code, *arguments)
    printed, _ = child.communicate(timeout=120)
    assert child.returncode == 0, printed
    return printed
