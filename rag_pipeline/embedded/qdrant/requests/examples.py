"""Vectors that a query is made of: given in the request, or those of points, here or in another collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from qdrant_edge import SparseVector

from rag_pipeline.embedded.qdrant.config.schema import CollectionSchema
from rag_pipeline.embedded.qdrant.problems import WrongInputError
from rag_pipeline.embedded.qdrant.reading import JsonObject, known, required, string
from rag_pipeline.embedded.qdrant.requests.bm25 import is_bm25, query_vector
from rag_pipeline.embedded.qdrant.requests.vectors import check_dense, point_id, refuse_inference, sparse_vector

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import NamedVector, PointId


class VectorSource(Protocol):
    """A collection, as far as queries look into it."""

    @property
    def schema(self) -> CollectionSchema:
        """Its vectors."""
        ...

    def vector_of(self, identity: PointId, name: str) -> NamedVector:
        """The vector `name` of a point; NotFoundError when the point is not there."""
        ...

    def retrieve(self, body: object) -> list[JsonObject]:
        """The points that the body of a retrieve request asks for."""
        ...


Others = Callable[[str], VectorSource]
"""The collection of this name; NotFoundError when there is none."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Reads the vectors of one query.

    Shapes:
        home: the collection that is searched, by its vector `using`.
        source, source_name: where points that are named by their ids have their vectors.
        mentioned: ids of points of `home` that were named so far; a query does not find them.
    """

    home: VectorSource
    using: str
    source: VectorSource
    source_name: str
    mentioned: set[PointId] = field(default_factory=set)

    @classmethod
    def of(cls, given: JsonObject, *, home: VectorSource, others: Others) -> Examples:
        """For a stage of a query with its `using` and `lookup_from`."""
        using = string(given.get("using", ""), of="using")
        if "lookup_from" not in given:
            return cls(home, using, home, using)
        lookup = known(given["lookup_from"], of="lookup_from")
        source = others(string(required(lookup, "collection", of="lookup_from"), of="collection"))
        return cls(home, using, source, string(lookup.get("vector", ""), of="vector"))

    def read(self, value: object) -> NamedVector:
        """The vector that `value` is, or that the point of this id has."""
        if isinstance(value, (int, str)):
            identity = point_id(value)
            vector = self.source.vector_of(identity, self.source_name)
            if self.source is self.home:
                self.mentioned.add(identity)
                return vector
            return self._checked(vector)
        if is_bm25(value):
            return self._checked(query_vector(value))
        refuse_inference(value)
        return self._checked(sparse_vector(value) if isinstance(value, dict) else value)

    def _checked(self, vector: object) -> NamedVector:
        schema = self.home.schema
        if self.using not in schema.names:
            raise WrongInputError(f"Not existing vector name error: {self.using}")
        is_sparse = isinstance(vector, SparseVector)
        if is_sparse != (self.using in schema.sparse):
            raise WrongInputError(f"vector `{self.using}` is not {'sparse' if is_sparse else 'dense'}")
        if not isinstance(vector, SparseVector):
            check_dense(_rows(vector), size=schema.dense[self.using], name=self.using)
        return vector  # pyright: ignore[reportReturnType] - checked above


def _rows(vector: object) -> Sequence[object]:
    """The vectors of a multivector, or the one vector; the engine refuses a multivector where there are none."""
    is_multi = isinstance(vector, list) and vector and isinstance(vector[0], list)
    return vector if is_multi else [vector]  # pyright: ignore[reportReturnType] - a list, as just seen


def average(positives: Sequence[NamedVector], negatives: Sequence[NamedVector]) -> NamedVector:
    """What the strategy `average_vector` searches: the mean of the positives, moved away from that of the negatives.

    Source: Qdrant's documentation, "Average vector": avg_positive + avg_positive - avg_negative. Multivectors are
    strung together instead, the negative ones with their sign turned.
    """
    first = positives[0]
    if any(_form(vector) is not _form(first) for vector in (*positives, *negatives)):
        raise WrongInputError("vectors of one query must be of one kind")
    if isinstance(first, SparseVector):
        return _sparse_average(positives, negatives)  # pyright: ignore[reportArgumentType] - of one kind
    if _form(first) is list:
        kept = [np.asarray(vector) for vector in positives]
        return np.concatenate([*kept, *(-np.asarray(vector) for vector in negatives)]).tolist()
    mean = np.mean(np.asarray(positives), axis=0)
    return (2 * mean - np.mean(np.asarray(negatives), axis=0) if negatives else mean).tolist()


def _form(vector: NamedVector) -> type:
    if isinstance(vector, SparseVector):
        return SparseVector
    return type(vector[0]) if isinstance(vector[0], list) else float


def _sparse_average(positives: Sequence[SparseVector], negatives: Sequence[SparseVector]) -> SparseVector:
    weights: dict[int, float] = {}
    scale = 2 if negatives else 1
    for vectors, factor in ((positives, scale / len(positives)), (negatives, -1 / max(1, len(negatives)))):
        for vector in vectors:
            for index, value in zip(vector.indices, vector.values, strict=True):
                weights[index] = weights.get(index, 0.0) + factor * value
    return SparseVector(list(weights), list(weights.values()))
