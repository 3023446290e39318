"""The Embedder protocol, and how to load one. The runtimes live in `runtime_onnx` and `reference`."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.errors import ModelError


class Embedder(Protocol):
    """A loaded model: text in, unit vectors out. Safe to use from several threads."""

    @property
    def spec(self) -> ModelSpec:
        """The model whose vectors these are."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector per text, in their order; the model's passage prefix is added here.

        Shapes:
            returns: float32, (texts, dimension), rows of length 1; (0, dimension) for no texts.

        Raises:
            ModelError: a text has more tokens than the model reads. Nothing is cut silently.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a query; the model's query prefix is added here.

        A query longer than the model reads is cut at its end: a person who pastes a page still gets an answer.

        Shapes:
            returns: float32, (dimension,), of length 1.
        """
        ...


def load_embedder(model: LocalModel, *, runtime: Literal["onnx", "reference"], threads: int | None = None) -> Embedder:
    """The model, loaded: 0.3 s with "onnx", 6 s and 350 MB more with "reference" (measured 2026-11-20).

    Args:
        model: as `ModelStore.prepare` gave it.
        runtime: "onnx" for speed, "reference" for models that cannot be exported.
        threads: of the ONNX runtime; `None` for one per processor this process may use.

    Raises:
        ModelError: the files are not there or do not load.
    """
    if runtime == "onnx":
        from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder

        return OnnxEmbedder(model, threads=threads)
    from rag_pipeline.embedding.reference import ReferenceEmbedder

    return ReferenceEmbedder(model)


def refuse_over_long(lengths: Sequence[int], *, spec: ModelSpec) -> None:
    """Nothing, when every passage fits the model.

    Raises:
        ModelError: one does not.
    """
    over = [(tokens, position) for position, tokens in enumerate(lengths) if tokens > spec.max_tokens]
    if over:
        tokens, position = max(over)
        raise ModelError(
            f"{len(over)} of {len(lengths)} passages exceed the {spec.max_tokens} tokens that {spec.name} reads (the "
            f"longest is number {position}, {tokens} tokens): chunk with this model's tokenizer and prefix."
        )
