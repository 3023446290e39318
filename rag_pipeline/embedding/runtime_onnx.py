"""The default runtime: ONNX Runtime on the CPU, pooling and normalisation inside the graph.

Without torch, transformers or LlamaIndex. The graph is made by `export`; what it must agree with lives in `reference`.
"""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.embedding.embedder import refuse_over_long
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.tokens import ModelTokenizer
from rag_pipeline.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH_TOKENS = 1024
"""Tokens of a batch, padding included. Source: measured 2026-11-20: 512 to 1,024 are fastest. Process memory
after 300 passages: 208 MB with 512, 229 with 1,024, 269 with 2,048."""

_PAD_ID = 0
"""Any id does: the attention mask hides it."""


class OnnxEmbedder:
    """An Embedder over ONNX Runtime. The same text gives the same vector, to 1e-6, whatever its batch neighbours."""

    def __init__(self, model: LocalModel, *, threads: int | None = None) -> None:
        """Load the graph and the tokenizer of `model`; `threads` defaults to one per processor this process may use.

        Raises:
            ModelError: there is no graph, or ONNX Runtime does not load it.
        """
        self.spec: ModelSpec = model.spec
        self._tokenizer = ModelTokenizer(model.tokenizer_file)
        self._session = _open_session(model, threads or _usable_processors())

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed_passages`."""
        ids = self._tokenizer.ids([self.spec.passage_prefix + text for text in texts])
        refuse_over_long([len(one) for one in ids], spec=self.spec)
        vectors = np.empty((len(ids), self.spec.dimension), dtype=np.float32)
        for rows in length_sorted_batches([len(one) for one in ids], batch_tokens=BATCH_TOKENS):
            vectors[rows] = self._run([ids[row] for row in rows])
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        ids = self._tokenizer.ids_cut(self.spec.query_prefix + text, max_tokens=self.spec.max_tokens)
        return self._run([ids])[0]

    def _run(self, batch: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        longest = max(len(ids) for ids in batch)
        input_ids = np.full((len(batch), longest), _PAD_ID, dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        outputs: Any = self._session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})
        return outputs[0]


def length_sorted_batches(lengths: Sequence[int], *, batch_tokens: int) -> Iterator[list[int]]:
    """Positions of `lengths`, each once, in batches of like length: at most `batch_tokens` once padded, or one text."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Sorted, so the newest is the longest: all others are padded to it.
        if batch and (len(batch) + 1) * lengths[position] > batch_tokens:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _open_session(model: LocalModel, threads: int) -> "InferenceSession":
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports] - compiled
        Fail,
        InvalidGraph,
        InvalidProtobuf,
        NoSuchFile,
    )

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Our input shapes hardly ever repeat, so a memory pattern for each is waste. Measured 2026-11 over 400 shapes: flat
    # at 218 MB of process memory without patterns, at 239 with them. The arena stays: the largest batch bounds it.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(model.onnx_file, options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
        raise ModelError(
            f"{model.onnx_file} does not load ({type(error).__name__}); prepare the model again, or use the reference "
            "runtime if it was prepared for that."
        ) from error


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
