"""Our model inside LlamaIndex: a `BaseEmbedding` over an Embedder.

LlamaIndex is imported inside the function (1.1 s), so the class is made there too. The other direction, LlamaIndex's
own embedding class as our reference, lives in `reference`.
"""

from functools import cache
from typing import TYPE_CHECKING

from rag_pipeline.embedding.embedder import Embedder

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding


def as_llama_embedding(embedder: Embedder) -> "BaseEmbedding":
    """`embedder` as LlamaIndex takes it: `VectorStoreIndex(..., embed_model=as_llama_embedding(embedder))`."""
    return _embedding_class()(embedder)  # pyright: ignore[reportCallIssue] - the class is made at run time


@cache
def _embedding_class() -> "type[BaseEmbedding]":
    import asyncio

    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr

    class RagPipelineEmbedding(BaseEmbedding):
        """The model that a rag_pipeline collection is built with."""

        _embedder: Embedder = PrivateAttr()

        def __init__(self, embedder: Embedder) -> None:
            super().__init__(model_name=embedder.spec.name)
            self._embedder = embedder

        @classmethod
        def class_name(cls) -> str:
            return "RagPipelineEmbedding"

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._embedder.embed_passages([text])[0].tolist()

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return self._embedder.embed_passages(texts).tolist()

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._embedder.embed_query(query).tolist()

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return await asyncio.to_thread(self._get_query_embedding, query)

    return RagPipelineEmbedding
