"""Every setting as documents must describe it: name, default, meaning; told by `Settings` itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from rag_pipeline.settings import Settings

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DescribedSetting:
    """One setting. `default` is as one would write it into `.env`: empty for nothing, `1`, not `1.0`."""

    name: str
    default: str
    meaning: str

    @property
    def env_lines(self) -> str:
        """Its lines in `.env.example`."""
        return f"# {self.meaning}{self._in_mebibytes}\n#{self.name}={self.default}"

    @property
    def table_row(self) -> str:
        """Its row in the README."""
        default = f"`{self.default}`" if self.default else "empty"
        return f"| `{self.name}` | {default}{self._in_mebibytes} | {self.meaning} |"

    @property
    def _in_mebibytes(self) -> str:
        return f" ({int(self.default) // _MIB} MiB)" if self.name.endswith("_BYTES") else ""


def every_setting(model: type[BaseModel] = Settings, prefix: str = "RAG_") -> Iterator[DescribedSetting]:
    """All settings in the order of their definition; a group's stand where the group does."""
    for name, field in model.model_fields.items():
        group = _group(field.annotation)
        if group is not None:
            yield from every_setting(group, f"{prefix}{name.upper()}__")
        else:
            yield DescribedSetting(f"{prefix}{name.upper()}", _written(field.default), field.description or "")


def _group(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - an annotation may be anything
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _written(default: object) -> str:
    if default is None:
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)
