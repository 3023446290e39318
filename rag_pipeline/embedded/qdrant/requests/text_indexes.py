"""How a text index takes texts apart: tokenizer, stopwords, stemmer and scoring, from JSON and back."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from rag_pipeline.embedded.qdrant.reading import (
    JsonObject,
    boolean,
    choice,
    integer,
    known,
    required,
    strings,
)

if TYPE_CHECKING:  # names that only the binding's stub has
    from qdrant_edge import StemmingAlgorithm, Stopwords


def _members(kind: type) -> MappingProxyType[str, Any]:
    """The members of one of the binding's enums, which cannot be iterated, by their REST names."""
    return MappingProxyType({name.lower(): member for name, member in vars(kind).items() if isinstance(member, kind)})


_NUMBERS = ("min_token_len", "max_token_len")
_TOKENIZERS = _members(edge.TokenizerType)
_LANGUAGES = _members(edge.Language)
_STEMMED_LANGUAGES = _members(edge.SnowballLanguage)
_MAX_TOKEN_LEN = 2**31


def read_text_params(given: JsonObject) -> dict[str, Any]:
    """Arguments of the engine's `TextIndexParams`."""
    read: dict[str, Any] = {key: integer(given[key], of=key, most=_MAX_TOKEN_LEN) for key in _NUMBERS if key in given}
    if "tokenizer" in given:
        read["tokenizer"] = _TOKENIZERS[choice(given["tokenizer"], of="tokenizer", among=_TOKENIZERS)]
    if "stopwords" in given:
        read["stopwords"] = _stopwords(given["stopwords"])
    if "stemmer" in given:
        read["stemmer"] = _stemmer(given["stemmer"])
    if "scoring" in given:
        read["scoring"] = _scoring(given["scoring"])
    return read


def text_params_as_object(params: edge.TextIndexParams) -> JsonObject:
    """The same back; what was not given is None."""
    return {
        "tokenizer": _name(params.tokenizer),
        "stopwords": _stopwords_as_object(params.stopwords),
        "stemmer": _stemmer_as_object(params.stemmer),
        "scoring": {"type": "bm25"} if isinstance(params.scoring, edge.TextScoringParams) else params.scoring,
        **{key: getattr(params, key) for key in _NUMBERS},
    }


def _stopwords(value: object) -> Stopwords:
    if isinstance(value, str):
        return _language(value)
    given = known(value, of="stopwords")
    return edge.StopwordsSet(
        {_language(name) for name in strings(given.get("languages", []), of="languages")},
        set(strings(given.get("custom", []), of="custom")),
    )


def _language(value: object) -> edge.Language:
    return _LANGUAGES[choice(value, of="a language of stopwords", among=_LANGUAGES)]


def _stemmer(value: object) -> StemmingAlgorithm:
    given = known(value, of="stemmer")
    kind = choice(required(given, "type", of="stemmer"), of="the type of stemmer", among=("snowball", "none"))
    if kind == "none":
        return edge.DisabledStemmer()
    language = choice(required(given, "language", of="stemmer"), of="language", among=_STEMMED_LANGUAGES)
    return edge.SnowballParams(_STEMMED_LANGUAGES[language])


def _scoring(value: object) -> bool | edge.TextScoringParams:
    if isinstance(value, dict):
        choice(required(known(value, of="scoring"), "type", of="scoring"), of="the type of scoring", among=("bm25",))
        return edge.TextScoringParams()
    return boolean(value, of="scoring")


def _name(member: object) -> str | None:
    """`word` for `TokenizerType.Word`."""
    return None if member is None else str(member).rpartition(".")[2].lower()


def _stopwords_as_object(stopwords: Stopwords | None) -> object:
    if not isinstance(stopwords, edge.StopwordsSet):
        return _name(stopwords)
    return {
        "languages": sorted(filter(None, map(_name, stopwords.languages or ()))),
        "custom": sorted(stopwords.custom or ()),
    }


def _stemmer_as_object(stemmer: StemmingAlgorithm | None) -> JsonObject | None:
    if stemmer is None:
        return None
    if isinstance(stemmer, edge.SnowballParams):
        return {"type": "snowball", "language": _name(stemmer.language)}
    return {"type": "none"}
