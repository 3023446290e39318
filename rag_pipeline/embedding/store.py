"""The model store: prepares a model once, finds it in milliseconds afterwards.

    models_dir/
      all-minilm-l6-v2-0123456789ab/   a prepared model (see `local_model`)
      index/<request key>.json         which folder answers a request, and what its source looked like
      .lock                            held by whoever prepares
      .unfinished-*/                   work of a preparation; whoever holds the lock sweeps away what a dead one left

Standard library only: torch and its kin live in the child process (`export`), never in the caller's.
"""

import fcntl
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from rag_pipeline.embedding.local_model import LocalModel, write_atomically
from rag_pipeline.embedding.sources import (
    ModelRequest,
    canonical_model,
    check_trust,
    local_files,
    revision_of,
    source_stamp,
)
from rag_pipeline.errors import ModelError

__all__ = ["LocalModel", "ModelStore"]

_LOG = logging.getLogger(__name__)
_PACKAGE_ROOT = Path(__file__).parents[2]
_UNFINISHED = ".unfinished-"
_PREPARED = "model"
_REFUSAL_FILE = "refusal.txt"
_LOG_FILE = "log.txt"


class ModelStore:
    """Prepared models under one folder; safe to use from several processes at once."""

    def __init__(self, models_dir: Path, *, timeout_s: float = 1800.0) -> None:
        """Keep models in `models_dir` (made when first needed); a preparation that lasts `timeout_s` is stopped."""
        self._models_dir = models_dir.absolute()
        self._timeout_s = timeout_s

    def prepare(
        self,
        model: str,
        *,
        revision: str | None = None,
        query_prefix: str = "",
        passage_prefix: str = "",
        max_tokens: int | None = None,
        runtime: Literal["onnx", "reference"] = "onnx",
    ) -> LocalModel:
        """The model, ready to load; exported to ONNX and checked the first time, found in milliseconds afterwards.

        Args:
            model: a hub name (the default model needs no hub), or the path of a folder with safetensors weights.
            revision: of the hub: branch, tag or commit. A model prepared from a branch stays what it was.
            query_prefix: put before a query, part of what is embedded.
            passage_prefix: put before a passage, part of what is embedded.
            max_tokens: read at most so many, special tokens included; `None` for what the model says.
            runtime: "reference" skips the export, for models that only sentence-transformers understands.

        Raises:
            ModelError: the model cannot be found, trusted, exported or does not agree with the reference; the message
                says what to do.
        """
        request = ModelRequest(
            model=canonical_model(model),
            revision=revision,
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            max_tokens=max_tokens,
            with_graph=runtime == "onnx",
        )
        try:
            ready = self._find(request)
            if ready is not None:
                return ready
            with self._locked() as lock_fd:
                # Another process may have prepared it while this one waited.
                return self._find(request) or self._prepare(request, lock_fd)
        except OSError as error:
            raise ModelError(f"Preparing {request.model!r} in {self._models_dir} failed: {error}.") from error

    def _find(self, request: ModelRequest) -> LocalModel | None:
        """The prepared model, or `None` when there is none, its source changed or its files were altered."""
        try:
            entry = json.loads(self._index_file(request).read_text(encoding="utf-8"))
            folder = self._models_dir / Path(entry["folder"]).name
        except (OSError, ValueError, KeyError, TypeError):
            return None
        source = request.local_folder
        # A source folder that is gone does not matter: the prepared model needs nothing from it.
        if source is not None and source.is_dir() and source_stamp(source) != entry.get("source_stamp"):
            return None
        return _load(folder)

    def _prepare(self, request: ModelRequest, lock_fd: int) -> LocalModel:
        """Prepare while holding the lock; the index names the folder only once it is complete."""
        for leftover in self._models_dir.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        source = local_files(request)
        if source is not None:
            check_trust(request, source)
        stamp = None if source is None or request.local_folder is None else source_stamp(source)
        model = self._already_exported(request, source) or self._export(request, lock_fd)
        entry: dict[str, Any] = {"folder": model.folder.name, "source_stamp": stamp, "request": asdict(request)}
        self._index_file(request).parent.mkdir(exist_ok=True)
        write_atomically(self._index_file(request), json.dumps(entry))
        return model

    def _already_exported(self, request: ModelRequest, source: Path | None) -> LocalModel | None:
        """The folder of an equal model, when only the source's times changed or the index was lost."""
        if source is None:
            return None
        folder = self._models_dir / _folder_name(request, revision_of(source))
        return _load(folder) if folder.exists() else None

    def _export(self, request: ModelRequest, lock_fd: int) -> LocalModel:
        work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._models_dir))
        try:
            (work / _PREPARED).mkdir()
            _LOG.info("preparing embedding model %s: takes some seconds, once", request.model)
            _run_child(request, work, lock_fd=lock_fd, timeout_s=self._timeout_s)
            prepared = LocalModel.load(work / _PREPARED)
            folder = self._models_dir / _folder_name(request, prepared.spec.revision)
            if folder.exists():  # altered, or of an older format
                folder.rename(work / "replaced")
            _sync(prepared.folder)
            prepared.folder.rename(folder)
            _LOG.info("prepared embedding model %s as %s", request.model, folder.name)
            return LocalModel.load(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _index_file(self, request: ModelRequest) -> Path:
        return self._models_dir / "index" / f"{request.key}.json"

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The descriptor of the lock, held; the system lets it go when the last process that has it ends."""
        self._models_dir.mkdir(parents=True, exist_ok=True)
        lock_fd = os.open(self._models_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX)
            yield lock_fd
        finally:
            os.close(lock_fd)


def _load(folder: Path) -> LocalModel | None:
    """The model in `folder`, or `None`, with a warning, when it may not be used."""
    try:
        return LocalModel.load(folder)
    except ModelError as error:
        _LOG.warning("a prepared model is not usable and is prepared again: %s", error)
        return None


def _folder_name(request: ModelRequest, revision: str) -> str:
    """`<slug>-<revision>`, and a variant's hash where prefixes, limit or runtime are not the model's own."""
    slug = re.sub(r"[^a-z0-9]+", "-", Path(request.model).name.lower()).strip("-")[:64] or "model"
    plain = ModelRequest(request.model, request.revision)
    variant = "" if request == plain else f"-{request.key[:8]}"
    return f"{slug}-{revision[:12]}{variant}"


def _run_child(request: ModelRequest, work: Path, *, lock_fd: int, timeout_s: float) -> None:
    """Run the export in a child that ends when this process does, and that holds the lock as long as it lives.

    Raises:
        ModelError: the child refused the model, failed or took too long.
    """
    command = [sys.executable, "-m", "rag_pipeline.embedding.export", str(work / _PREPARED), str(work / _REFUSAL_FILE)]
    with (work / _LOG_FILE).open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, bufsize=0, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=_PACKAGE_ROOT, pass_fds=(lock_fd,)
        )
    try:
        assert child.stdin is not None  # noqa: S101 - Popen was given PIPE
        with suppress(BrokenPipeError):  # it is dead already; its log says why
            child.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
        exit_code = child.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"Preparing {request.model!r} took longer than {timeout_s:.0f} s and was stopped.") from error
    finally:
        child.kill()
        child.wait()
        if child.stdin is not None:
            child.stdin.close()
    if exit_code != 0:
        raise ModelError(_why(request, work, exit_code))


def _why(request: ModelRequest, work: Path, exit_code: int) -> str:
    refusal = work / _REFUSAL_FILE
    if refusal.exists():
        return refusal.read_text(encoding="utf-8")
    lines = (work / _LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = lines[-1][:500] if lines else "it said nothing"
    killed = " (killed, perhaps for want of memory)" if exit_code < 0 else ""
    return f"Preparing {request.model!r} failed with exit code {exit_code}{killed}: {said}"


def _sync(folder: Path) -> None:
    """Put every file of `folder` on the disk, so that its new name never stands for half-written files."""
    for path in (*folder.iterdir(), folder):
        file_fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file_fd)
        finally:
            os.close(file_fd)
