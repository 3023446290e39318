"""The child process that turns a model into ONNX, checks the result against the reference, and ends.

    python -m rag_pipeline.embedding.export PREPARED_FOLDER REFUSAL_FILE  < a ModelRequest as one line of JSON

Torch, transformers and LlamaIndex (500 MB, 6 s of imports) live and die here. The request's pipe stays open: when it
closes, the parent is gone and so is the reason to go on. Naming and publishing the folder lives in `store`.
"""

import json
import os
import sys
import threading
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag_pipeline.domain.spec import ModelSpec
from rag_pipeline.embedding.local_model import ONNX_FILE, TOKENIZER_FILE, LocalModel, write_manifest
from rag_pipeline.embedding.sources import ModelRequest, find_files, revision_of
from rag_pipeline.embedding.tokens import ModelTokenizer
from rag_pipeline.errors import ModelError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

OPSET = 17
"""Has every operator the graph needs. Source: torch 2.13's TorchScript exporter writes up to 20
(torch/onnx/_constants.py); ONNX Runtime reads all older ones."""

MIN_COSINE = 0.9999
"""Between the export and the reference, on every check text; fp32 against fp32 gives 1 - 1e-6."""

_MIN_TOKENS = 8
_UNLIMITED = 1_000_000
"""Above it, a tokenizer's length limit means "none" (transformers writes 1e30)."""

_TOOLS = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime", "tokenizers")

_REFERENCE_ADVICE = 'set the runtime to "reference", which runs every model that sentence-transformers loads'

_CHECK_TEXTS = (
    "a",
    "Invoice",
    "The quick brown fox jumps over the lazy dog.",
    "A inflação acumulada em doze meses recuou, segundo o relatório publicado ontem pelo banco central.",
    "Was kostet die Verlängerung der Bürgschaft? 12.345,67 EUR (brutto) \N{EM DASH} fällig am 31.12.",
    "naïve café \N{GRINNING FACE} \u673a\u5668\u5b66\u4e60 \u043f\u0440\u0438\u0432\u0435\u0442",
    "\t  \n",
)


def main() -> int:
    """Export as the request on standard input says; 0 when the folder is complete, 1 with the reason in a file."""
    prepared, refusal = Path(sys.argv[1]), Path(sys.argv[2])
    request = ModelRequest(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        export(request, prepared)
    except ModelError as error:
        refusal.write_text(str(error), encoding="utf-8")
        return 1
    return 0


def export(request: ModelRequest, prepared: Path) -> None:
    """Fill the empty folder `prepared` with tokenizer, graph and manifest.

    Raises:
        ModelError: the model is not found, not trusted, not understood, or the export disagrees with the reference.
    """
    source = find_files(request)
    model = _load(source)
    spec = ModelSpec(
        name=request.display_name,
        revision=revision_of(source),
        dimension=_dimension(model),
        max_tokens=_max_tokens(model, request.max_tokens),
        query_prefix=request.query_prefix,
        passage_prefix=request.passage_prefix,
    )
    _save_tokenizer(model, prepared / TOKENIZER_FILE)
    if request.with_graph:
        pooling = _understood_pooling(model, has_prefix=bool(request.query_prefix or request.passage_prefix))
        _save_graph(model, pooling, prepared / ONNX_FILE)
    write_manifest(prepared, spec=spec, source=source, tools={name: version(name) for name in _TOOLS})
    if request.with_graph:
        check_agreement(LocalModel.load(prepared))


def check_agreement(model: LocalModel) -> None:
    """Nothing, when graph and reference give the same vectors, alone and in a batch, up to the model's full length.

    Raises:
        ModelError: they do not, or the model does not run at that length.
    """
    from rag_pipeline.embedding.reference import ReferenceEmbedder
    from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder

    texts = [*_CHECK_TEXTS, _longest_passage(model)]
    try:
        expected = ReferenceEmbedder(model).embed_passages(texts)
        onnx = OnnxEmbedder(model)
        batched = onnx.embed_passages(texts)
        alone = np.vstack([onnx.embed_passages([text]) for text in texts])
    except (RuntimeError, IndexError) as error:
        raise ModelError(f"{model.spec.name} does not run at {model.spec.max_tokens} tokens ({error}).") from error
    cosine = float(min((expected * batched).sum(axis=1).min(), (expected * alone).sum(axis=1).min()))
    # Written so that a cosine that is not a number fails too.
    if not cosine >= MIN_COSINE:
        raise ModelError(
            f"The ONNX export of {model.spec.name} does not agree with the reference: cosine {cosine:.6f}, at least "
            f"{MIN_COSINE} expected; {_REFERENCE_ADVICE}."
        )


def _longest_passage(model: LocalModel) -> str:
    """A passage of as many tokens as the model reads, or just below."""
    tokenizer = ModelTokenizer(model.tokenizer_file)
    words = (" ".join(_CHECK_TEXTS) + " ").split() * model.spec.max_tokens
    few, many = 1, len(words)
    while few < many:
        middle = (few + many + 1) // 2
        fits = tokenizer.count([model.spec.passage_prefix + " ".join(words[:middle])])[0] <= model.spec.max_tokens
        few, many = (middle, many) if fits else (few, middle - 1)
    return " ".join(words[:few])


def _load(source: Path) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(source),
        device="cpu",
        trust_remote_code=False,
        # Eager attention is plain matrix products: the fused kernels do not trace.
        model_kwargs={"attn_implementation": "eager", "dtype": "float32"},
    ).eval()


def _dimension(model: "SentenceTransformer") -> int:
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise ModelError("The model does not say its vectors' dimension; name a sentence-embedding model.")
    return dimension


def _max_tokens(model: "SentenceTransformer", wanted: int | None) -> int:
    own = model.max_seq_length
    positions = getattr(getattr(model[0], "config", None), "max_position_embeddings", None)
    known = [limit for limit in (own, positions) if limit is not None and limit < _UNLIMITED]
    if wanted is None and not known:
        raise ModelError("The model does not say how many tokens it reads: give max_tokens.")
    tokens = min(known) if wanted is None else wanted
    if tokens < _MIN_TOKENS or (positions is not None and tokens > positions):
        raise ModelError(f"max_tokens is {tokens}: the model reads from {_MIN_TOKENS} to {positions} tokens.")
    return tokens


def _save_tokenizer(model: "SentenceTransformer", path: Path) -> None:
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelError("The model has no tokenizer of the `tokenizers` library (a 'fast' one); name another model.")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(path))


def _understood_pooling(model: "SentenceTransformer", *, has_prefix: bool) -> str:
    """How the model pools: "mean" or "cls".

    Raises:
        ModelError: the model is not a transformer, then pooling, then perhaps normalising, or pools in another way.
    """
    names = [type(module).__name__ for module in model]
    if names[:2] != ["Transformer", "Pooling"] or names[2:] not in ([], ["Normalize"]):
        raise ModelError(f"A model made of {' + '.join(names)} cannot be exported; {_REFERENCE_ADVICE}.")
    pooling = model[1]
    if pooling.pooling_mode not in {"mean", "cls"}:
        raise ModelError(f"Pooling {pooling.pooling_mode!r} cannot be exported; {_REFERENCE_ADVICE}.")
    if has_prefix and not pooling.include_prompt:
        raise ModelError("The model leaves its prompt out of the pooling, so prefixes cannot be used with it.")
    return str(pooling.pooling_mode)


def _save_graph(model: "SentenceTransformer", pooling: str, path: Path) -> None:
    import torch

    # Two rows of unlike length, so that nothing about batch, length or padding is taken for a constant.
    input_ids = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 1, 1]])
    attention_mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    batch_by_tokens = {0: "batch", 1: "tokens"}
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter warns of its own age and of constants it found; `check_agreement` decides whether they matter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _graph(model, pooling),
            (input_ids, attention_mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": batch_by_tokens, "attention_mask": batch_by_tokens, "embedding": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _graph(model: "SentenceTransformer", pooling: str) -> "torch.nn.Module":
    """Transformer, pooling and normalisation as one module: token ids and mask in, unit vectors out."""
    import torch

    transformer: Any = model[0].auto_model

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            tokens = transformer(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]
            if pooling == "cls":
                pooled = tokens[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
                pooled = (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=1)

    return Graph().eval()


def _end_with_parent() -> None:
    # os.read, not sys.stdin: a thread that waits inside sys.stdin would abort the interpreter's orderly end.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
