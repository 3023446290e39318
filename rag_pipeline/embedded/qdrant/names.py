"""Which names collections, aliases and vectors may have: each becomes part of a path."""

import re

from rag_pipeline.embedded.qdrant.problems import ValidationError, WrongInputError

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
"""Source: Qdrant refuses these in a collection's name (docs, Collections), and DEL."""

_MAX_NAME_BYTES = 255
"""Qdrant allows 255 characters; a name is a folder here, and Linux allows it 255 bytes."""

_MAX_VECTOR_NAME_BYTES = 128


def is_collection_name(name: str) -> bool:
    """Whether a collection or alias can be called so."""
    return _reason_against(name) is None


def checked_collection_name(name: str) -> str:
    """The name, when a collection or alias can have it."""
    if reason := _reason_against(name):
        raise ValidationError(f"name: value {name[:80]!r} invalid, {reason}", where="path parameters")
    return name


def checked_vector_name(name: str) -> str:
    """The name, when a vector can have it: the engine makes a folder of it without looking (measured 2026-11-21)."""
    if not name or name.startswith(".") or _UNSAFE.search(name) or len(name.encode()) > _MAX_VECTOR_NAME_BYTES:
        raise WrongInputError(
            f"a vector name has 1 to {_MAX_VECTOR_NAME_BYTES} bytes, no path characters and no leading `.`"
        )
    return name


def _reason_against(name: str) -> str | None:
    if not name or name in {".", ".."}:
        return "it must name something"
    if found := _UNSAFE.search(name):
        return f"it cannot contain {found.group()!r}"
    if len(name.encode(errors="replace")) > _MAX_NAME_BYTES or not name.isprintable():
        return f"it must be printable and from 1 to {_MAX_NAME_BYTES} bytes"
    return None
