"""Our model inside LlamaIndex gives our vectors."""

import asyncio

import numpy as np

from rag_pipeline.embedding.llama import as_llama_embedding
from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder
from rag_pipeline_tests.embedding.conftest import PreparedTiny


def test_llama_index_gets_the_vectors_of_the_embedder(tiny: PreparedTiny) -> None:
    embedder = OnnxEmbedder(tiny.model, threads=1)
    llama = as_llama_embedding(embedder)
    texts = [f"passage number {number}" for number in range(30)]

    np.testing.assert_allclose(llama.get_text_embedding_batch(texts), embedder.embed_passages(texts), atol=1e-6)
    np.testing.assert_allclose(llama.get_query_embedding("budget"), embedder.embed_query("budget"), atol=1e-6)
    np.testing.assert_allclose(
        asyncio.run(llama.aget_query_embedding("budget")), embedder.embed_query("budget"), atol=1e-6
    )
    assert llama.model_name == "Tiny BERT"
