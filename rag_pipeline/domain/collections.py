"""Collection keys: what a folder's name becomes in the API, in Dagster and in Qdrant."""

import hashlib
import re
import unicodedata
from collections.abc import Container

from rag_pipeline.errors import InvalidCollectionKeyError

MAX_KEY_CHARS = 64
DEFAULT_COLLECTION = "default"
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""Without a hyphen in front: the embedded Qdrant takes no such name for a physical collection."""


def is_key(key: str) -> bool:
    """Whether a collection can have this key; what cannot be one may hold what no store takes (NUL, surrogates)."""
    return _KEY.fullmatch(key) is not None


def check_key(key: str) -> str:
    """`key`, when it is a collection key.

    Raises:
        InvalidCollectionKeyError: it is not `[a-z0-9][a-z0-9-]{0,63}`.
    """
    if not is_key(key):
        raise InvalidCollectionKeyError(
            f"{key[:80]!r} is not a collection key: use 1 to 64 of a-z, 0-9 and '-', with no '-' in front "
            "(folder names are slugged so)."
        )
    return key


def slug(folder: str) -> str:
    """The key a folder's name suggests: accents dropped, lower case, other characters become single hyphens.

    A name that is a key already stays as it is: whoever asks for that key means this folder.
    A name without any usable character (say, in Arabic) gives a short stable hash of the name.
    """
    if is_key(folder):
        return folder
    ascii_only = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    key = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[:MAX_KEY_CHARS].strip("-")
    return key or f"c-{_short_hash(folder)}"


def key_for_folder(folder: str, taken: Container[str]) -> str:
    """The key of a new folder: its slug, with a stable suffix of its name's hash when another folder has that slug."""
    key = slug(folder)
    if key not in taken:
        return key
    suffix = f"-{_short_hash(folder)}"
    return key[: MAX_KEY_CHARS - len(suffix)].rstrip("-") + suffix


def physical_name(collection: str, generation: int) -> str:
    """The Qdrant collection that holds a generation."""
    return f"{collection}__g{generation}"


def _short_hash(folder: str) -> str:
    return hashlib.sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:8]
