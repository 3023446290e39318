"""The reference runtime: LlamaIndex's `HuggingFaceEmbedding`, for any model that sentence-transformers loads.

Two to three times slower than `runtime_onnx`, which must agree with it: the export is checked against it, and so are
the tests. It needs the model's original weights beside the prepared folder.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.embedding.embedder import refuse_over_long
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.sources import revision_of
from rag_pipeline.embedding.tokens import ModelTokenizer, valid_text
from rag_pipeline.errors import ModelError

if TYPE_CHECKING:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding


class ReferenceEmbedder:
    """An Embedder over LlamaIndex and torch."""

    def __init__(self, model: LocalModel) -> None:
        """Load the model's original weights.

        Raises:
            ModelError: they are no longer where they were, or are no longer those that were prepared.
        """
        self.spec: ModelSpec = model.spec
        self._tokenizer = ModelTokenizer(model.tokenizer_file)
        self._embedding = _open(Path(model.source), self.spec)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed_passages`."""
        prefixed = [self.spec.passage_prefix + valid_text(text) for text in texts]
        refuse_over_long(self._tokenizer.count(prefixed), spec=self.spec)
        return self._vectors(prefixed)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`; sentence-transformers itself cuts what is over-long at its end."""
        return self._vectors([self.spec.query_prefix + valid_text(text)])[0]

    def _vectors(self, prefixed: list[str]) -> NDArray[np.float32]:
        # The text path for queries too: its prompt is empty, so that prefixes are put in one place only, ours.
        vectors = self._embedding.get_text_embedding_batch(prefixed)
        return np.asarray(vectors, dtype=np.float32).reshape(len(prefixed), self.spec.dimension)


def _open(source: Path, spec: ModelSpec) -> "HuggingFaceEmbedding":
    if not source.is_dir() or revision_of(source) != spec.revision:
        raise ModelError(
            f"The original weights of {spec.name} are no longer in {source}, or were changed: prepare it again."
        )
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    return HuggingFaceEmbedding(
        model_name=str(source),
        max_length=spec.max_tokens,
        normalize=True,
        device="cpu",
        # Not used for a folder; without it LlamaIndex makes a cache folder in the user's home.
        cache_folder=str(source),
        trust_remote_code=False,
    )
