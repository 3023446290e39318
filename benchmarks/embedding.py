"""Embedding side by side: LlamaIndex's `HuggingFaceEmbedding` as it comes, and our ONNX runtime.

    python benchmarks/embedding.py [--passages 200] [--models-dir FOLDER]

Same model, same passages (20 to 250 tokens of generated English and Portuguese, seeded), same processors, one after
the other, after one warm-up each. Prints tokens per second, the ratio, and the least cosine between the two.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder
from rag_pipeline.embedding.store import LocalModel, ModelStore
from rag_pipeline.embedding.tokens import ModelTokenizer

_PROSE = (
    "the committee approved a budget for roads schools and hospitals after a long debate about inflation exports wages "
    "o relatório anual descreve a evolução das importações e dos preços segundo o banco central de cada país"
)
_WARM_UP = 10


def main() -> None:
    """Measure both and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument(
        "--models-dir", type=Path, default=Path(tempfile.gettempdir()) / "rag-pipeline-benchmark-models"
    )
    arguments = parser.parse_args()

    model = ModelStore(arguments.models_dir).prepare("all-MiniLM-L6-v2")
    tokenizer = ModelTokenizer(model.tokenizer_file)
    passages = _passages(tokenizer, count=arguments.passages)
    tokens = sum(tokenizer.count(passages))
    print(f"{len(passages)} passages, {tokens} tokens")

    theirs, their_s = _timed(_llama_index(model), passages)
    print(f"LlamaIndex HuggingFaceEmbedding  {tokens / their_s:8.0f} tokens/s")
    ours, our_s = _timed(OnnxEmbedder(model).embed_passages, passages)
    print(f"OnnxEmbedder                     {tokens / our_s:8.0f} tokens/s")
    cosine = (theirs * ours).sum(axis=1).min()
    print(f"ratio {their_s / our_s:.2f}, least cosine {cosine:.7f}")


def _passages(tokenizer: ModelTokenizer, *, count: int) -> list[str]:
    """`count` passages that the model reads whole, in random order of length."""
    rng = random.Random(11)
    words = _PROSE.split()
    passages: list[str] = []
    while len(passages) < count:
        passage = " ".join(rng.choices(words, k=rng.randint(15, 170)))
        if 20 <= tokenizer.count([passage])[0] <= 250:
            passages.append(passage)
    return passages


def _llama_index(model: LocalModel) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    embedding = HuggingFaceEmbedding(model_name=model.source, device="cpu")
    return lambda texts: np.asarray(embedding.get_text_embedding_batch(list(texts)), dtype=np.float32)


def _timed(
    embed: Callable[[Sequence[str]], NDArray[np.float32]], passages: list[str]
) -> tuple[NDArray[np.float32], float]:
    """The vectors, and the seconds they took."""
    embed(passages[:_WARM_UP])
    started = time.perf_counter()
    vectors = embed(passages)
    return vectors, time.perf_counter() - started


if __name__ == "__main__":
    main()
