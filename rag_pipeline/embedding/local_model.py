"""A prepared model: a folder with its tokenizer, its ONNX graph and a manifest that vouches for both.

Standard library only, so that finding a prepared model costs milliseconds.
How such a folder comes to be lives in `store` and `export`; running it lives in `runtime_onnx` and `reference`.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.errors import ModelError

EXPORT_FORMAT = 1
"""Raised when the exported graph changes its inputs, outputs or meaning: older folders are then prepared again."""

ONNX_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
MANIFEST_FILE = "manifest.json"
_STAMP_FILE = "checked.json"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that is ready to be loaded.

    Shapes:
        spec: what the manifest says the model is.
        folder: absolute; holds the tokenizer, the manifest and, unless prepared for the reference runtime, the graph.
    """

    spec: ModelSpec
    folder: Path

    @property
    def onnx_file(self) -> Path:
        """The graph: `input_ids`, `attention_mask` (int64, batch x tokens) -> `embedding` (float32, batch x dim)."""
        return self.folder / ONNX_FILE

    @property
    def tokenizer_file(self) -> Path:
        """The model's own tokenizer, for the `tokenizers` library."""
        return self.folder / TOKENIZER_FILE

    @property
    def source(self) -> str:
        """The folder with the model's original weights, as it was when the model was prepared."""
        return str(read_manifest(self.folder)["source"])

    @classmethod
    def load(cls, folder: Path) -> "LocalModel":
        """The model in `folder`, every file compared with the manifest's SHA-256.

        The first load hashes the files (0.1 s for 90 MB) and leaves a stamp of their sizes and times; later loads
        compare the stamp only.

        Raises:
            ModelError: there is no manifest, it cannot be read, or a file is missing or altered.
        """
        folder = folder.absolute()
        manifest = read_manifest(folder)
        hashes: dict[str, str] = manifest["files"]
        try:
            stamp = stamp_of(folder, sorted(hashes))
            if _read_stamp(folder) != stamp:
                _compare(folder, hashes)
                write_stamp(folder, stamp)
        except OSError as error:
            raise ModelError(f"Model folder {folder} is incomplete ({error}); prepare the model again.") from error
        return cls(spec=ModelSpec(**manifest["spec"]), folder=folder)


def write_manifest(folder: Path, *, spec: ModelSpec, source: Path, tools: dict[str, str]) -> None:
    """Write the manifest of the files now in `folder`, and the stamp that spares the first load its check."""
    names = sorted(path.name for path in folder.iterdir())
    manifest = {
        "format": EXPORT_FORMAT,
        "spec": asdict(spec),
        "source": str(source),
        "files": {name: sha256_of(folder / name) for name in names},
        "tools": tools,
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    write_stamp(folder, stamp_of(folder, names))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`.

    Raises:
        ModelError: there is none, or it is not one of ours.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no prepared model ({type(error).__name__}); prepare the model.") from error
    if not _is_manifest(manifest):
        raise ModelError(f"{folder / MANIFEST_FILE} is not a manifest of format {EXPORT_FORMAT}; prepare the model.")
    return manifest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(folder: Path, names: Sequence[str]) -> dict[str, list[int]]:
    """Size in bytes and modification time in nanoseconds of each named file: changes when a file is written.

    Raises:
        FileNotFoundError: one of them is missing.
    """
    stats = {name: (folder / name).stat() for name in names}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def write_stamp(folder: Path, stamp: dict[str, list[int]]) -> None:
    """Keep `stamp` beside the files; a folder that may not be written is simply checked in full each time."""
    with suppress(OSError):
        write_atomically(folder / _STAMP_FILE, json.dumps(stamp))


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at `path`, so that a reader sees the old text or the new one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _read_stamp(folder: Path) -> object:
    try:
        return json.loads((folder / _STAMP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _compare(folder: Path, hashes: dict[str, str]) -> None:
    for name, expected in hashes.items():
        found = sha256_of(folder / name)
        if found != expected:
            raise ModelError(
                f"{folder / name} was altered: its SHA-256 is {found[:12]}..., the manifest says {expected[:12]}...; "
                "delete the folder to prepare the model again."
            )


def _is_manifest(manifest: object) -> bool:
    """Whether `manifest` has the parts we read; file names must be plain, so that none leads out of the folder."""
    if not isinstance(manifest, dict) or manifest.get("format") != EXPORT_FORMAT or "source" not in manifest:
        return False
    spec, files = manifest.get("spec"), manifest.get("files")
    if not isinstance(spec, dict) or set(spec) != set(ModelSpec.__slots__) or not isinstance(files, dict):
        return False
    return TOKENIZER_FILE in files and all(Path(name).name == name for name in files)
