"""How a search goes about it: `params` from JSON."""

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.problems import FormatError, ValidationError
from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    boolean,
    integer,
    known,
    number,
    required,
)
from rag_pipeline.embedded.qdrant.requests.filters import read_filter


def search_params(value: object, *, points_count: int) -> edge.SearchParams:
    """The engine's parameters; a beam wider than `points_count` is cut, since the engine sets memory aside for it."""
    given = known(value, of="params")
    ef = given.get("hnsw_ef")
    return edge.SearchParams(
        hnsw_ef=None if ef is None else min(integer(ef, of="hnsw_ef"), max(1, points_count)),
        exact=boolean(given.get("exact", False), of="exact"),
        quantization=_quantization(given["quantization"]) if "quantization" in given else None,
        indexed_only=boolean(given.get("indexed_only", False), of="indexed_only"),
        acorn=_acorn(given["acorn"]) if "acorn" in given else None,
        idf=_idf(given["idf"]) if "idf" in given else None,
    )


def _quantization(value: object) -> edge.QuantizationSearchParams:
    given = known(value, of="quantization")
    return edge.QuantizationSearchParams(
        ignore=boolean(given.get("ignore", False), of="ignore"),
        rescore=boolean(given["rescore"], of="rescore") if "rescore" in given else None,
        oversampling=_within(given, "oversampling", least=1.0, most=float("inf")),
    )


def _acorn(value: object) -> edge.AcornSearchParams:
    given = known(value, of="acorn")
    return edge.AcornSearchParams(
        enable=boolean(given.get("enable", False), of="enable"),
        max_selectivity=_within(given, "max_selectivity", least=0.0, most=1.0),
    )


def _idf(value: object) -> edge.IdfParams:
    if isinstance(value, str):
        if value != "global":
            raise FormatError('idf is "global" or an object with `corpus`')
        return edge.IdfParams()
    return edge.IdfParams(read_filter(required(known(value, of="idf"), "corpus", of="idf")))


def _within(given: JsonObject, key: str, *, least: float, most: float) -> float | None:
    if key not in given:
        return None
    value = number(given[key], of=key)
    if not least <= value <= most:
        raise ValidationError(f"{key}: value {value} invalid, must be from {least} to {most}")
    return value
