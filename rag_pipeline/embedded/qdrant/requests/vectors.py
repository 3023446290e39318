"""Point ids and vectors from JSON, checked: the engine takes NaN, unequal lengths and doubled indices silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from qdrant_edge import SparseVector

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.problems import FormatError, UnsupportedError, ValidationError, WrongInputError
from rag_pipeline.embedded.qdrant.reading import UNSIGNED_64, JsonObject, array, picked, required
from rag_pipeline.embedded.qdrant.requests.bm25 import document_vector, is_bm25

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId, Vector

_UNSIGNED_32 = 2**32
_INFERENCE_KEYS = frozenset({"text", "image", "object", "model"})


def point_id(value: object) -> PointId:
    """The id: a whole number below 2**64 or a UUID."""
    if type(value) is int and 0 <= value < UNSIGNED_64:
        return value
    if type(value) is str:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise FormatError(
        f"value {str(value)[:80]!r} is not a valid point ID, valid values are an unsigned integer or a UUID"
    )


def point_ids(value: object) -> list[PointId]:
    """The ids, each once, in their order."""
    return list(dict.fromkeys(point_id(item) for item in array(value, of="point ids")))


class VectorReader:
    """Vectors of many points on their way in; dense ones are checked together when `finish` is called.

    Checking a block of 256 rows in numpy costs 12 us a row at 384 dimensions, row by row twice that (2026-11-21).
    """

    def __init__(self, schema: CollectionSchema) -> None:
        self._schema = schema
        self._dense_rows: dict[str, list[object]] = {}

    def read(self, value: object) -> Vector:
        """The vector or vectors of one point, in the engine's form; dense ones are not checked yet."""
        if isinstance(value, list):
            return self._dense("", value)  # pyright: ignore[reportReturnType] - the unnamed vector is dense
        if not isinstance(value, Mapping):
            raise FormatError("a vector must be a list of numbers or an object of named vectors")
        if not value.keys() <= self._schema.names:
            raise self._unknown(value)
        return {name: self._named(name, vector) for name, vector in value.items()}

    def finish(self) -> None:
        """Nothing, when every dense vector read since the last call is of its dimension and finite in float32."""
        for name, rows in self._dense_rows.items():
            check_dense(rows, size=self._schema.dense[name], name=name)
        self._dense_rows.clear()

    def _named(self, name: str, vector: object) -> NamedVector:
        if name in self._schema.sparse:
            return sparse_vector(vector)
        return self._dense(name, vector)

    def _dense(self, name: str, vector: object) -> NamedVector:
        if name not in self._schema.dense:
            raise WrongInputError(f"Not existing vector name error: {name}")
        refuse_inference(vector)
        if not isinstance(vector, list):
            raise FormatError(f"vector `{name}` must be a list of numbers")
        rows = self._dense_rows.setdefault(name, [])
        if name not in self._schema.multi:
            rows.append(vector)
            return vector
        multi = multi_vector(vector)
        rows.extend(multi)
        return multi  # pyright: ignore[reportReturnType] - lists of numbers once `finish` has looked

    def _unknown(self, value: Mapping[str, object]) -> Exception:
        refuse_inference(value)
        return WrongInputError(f"Not existing vector name error: {min(value.keys() - self._schema.names)}")


def multi_vector(value: list[object]) -> list[object]:
    """The rows of a multivector, not checked but for emptiness: a single vector is one of one row.

    An empty row must not reach the engine: it panics, and again whenever it replays its log (measured 2026-11-25,
    qdrant-edge-py 0.9.0).
    """
    rows: list[object] = value if value and isinstance(value[0], list) else [value]
    if not all(isinstance(row, list) and row for row in rows):
        raise ValidationError("multivector: it must have at least one vector, and none may be empty")
    return rows


def check_dense(rows: Sequence[object], *, size: int, name: str) -> None:
    """Nothing, when each row is a list of `size` numbers that are finite in float32."""
    try:
        block = np.array(rows)
    except (ValueError, OverflowError):
        block = np.array([None])
    if block.ndim != 2 or block.shape[1] != size or block.dtype.kind not in "fiu":  # noqa: PLR2004 - rows, columns
        for row in rows:
            if isinstance(row, list) and len(row) != size and not (row and isinstance(row[0], list)):
                raise WrongInputError(f"Vector dimension error: expected dim: {size}, got {len(row)}")
        if any(isinstance(row, list) and row and isinstance(row[0], list) for row in rows):
            raise WrongInputError(f"vector `{name}` is one vector, but a multivector was given")
        raise FormatError(f"vector `{name}` must be a list of {size} numbers")
    with np.errstate(over="ignore"):
        if not np.isfinite(block.astype(np.float32)).all():
            raise WrongInputError(f"vector `{name}` has a number that float32 cannot hold")


def sparse_vector(value: object) -> SparseVector:
    """The sparse vector: unique indices below 2**32, as many finite values."""
    if is_bm25(value):
        return document_vector(value)
    refuse_inference(value)
    given = picked(value, of="a sparse vector", keys=("indices", "values"))
    indices, values = (array(required(given, key, of="a sparse vector"), of=key) for key in ("indices", "values"))
    if not all(type(index) is int and 0 <= index < _UNSIGNED_32 for index in indices):
        raise FormatError("indices of a sparse vector are whole numbers below 2**32")
    if len(indices) != len(values):
        raise ValidationError("values: must be the same length as indices")
    if len(set(indices)) != len(indices):
        raise ValidationError("indices: must be unique")
    if values:
        check_dense([values], size=len(values), name="values")
    return SparseVector(indices, values)  # pyright: ignore[reportArgumentType] - the items were just checked


def refuse_inference(value: object) -> None:
    """Nothing, unless `value` asks the server to embed a text or picture."""
    if isinstance(value, dict) and _INFERENCE_KEYS & value.keys() and "indices" not in value:
        raise UnsupportedError("inference on the server")


def is_sparse(value: object) -> bool:
    """Whether `value` has the form of a sparse vector."""
    return isinstance(value, dict) and "indices" in value


def as_object(vector: NamedVector) -> NamedVector | JsonObject:
    """A stored vector as JSON; dense ones in float32, so that they print as they were stored."""
    if isinstance(vector, SparseVector):
        return {
            "indices": vector.indices,
            "values": np.asarray(vector.values, dtype=np.float32),
        }
    return np.asarray(vector, dtype=np.float32)  # pyright: ignore[reportReturnType] - orjson writes numpy arrays
