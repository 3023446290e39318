"""Which names collections, aliases and vectors may have: each becomes part of a path."""

import re

from rag_pipeline.embedded.qdrant.problems import WrongInputError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_MAX_VECTOR_NAME_BYTES = 128


def is_collection_name(name: str) -> bool:
    """Whether a collection or alias can be called so."""
    return _NAME.fullmatch(name) is not None


def checked_collection_name(name: str) -> str:
    """The name, when a collection or alias can have it."""
    if not is_collection_name(name):
        raise WrongInputError(
            "a collection name has 1 to 200 ASCII letters, digits, `_`, `.` or `-` and does not begin with `.` or `-`"
        )
    return name


def checked_vector_name(name: str) -> str:
    """The name, when a vector can have it: the engine makes a folder of it without looking (measured 2026-11-21)."""
    if not name or name.startswith(".") or _UNSAFE.search(name) or len(name.encode()) > _MAX_VECTOR_NAME_BYTES:
        raise WrongInputError(
            f"a vector name has 1 to {_MAX_VECTOR_NAME_BYTES} bytes, no path characters and no leading `.`"
        )
    return name
