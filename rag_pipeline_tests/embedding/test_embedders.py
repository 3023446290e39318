"""The runtimes: equal vectors, whatever the batch; nothing cut silently."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_pipeline.embedding.embedder import Embedder, load_embedder
from rag_pipeline.embedding.export import check_agreement, export
from rag_pipeline.embedding.local_model import LocalModel
from rag_pipeline.embedding.reference import ReferenceEmbedder
from rag_pipeline.embedding.runtime_onnx import OnnxEmbedder, length_sorted_batches
from rag_pipeline.embedding.sources import ModelRequest
from rag_pipeline.embedding.tokens import ModelTokenizer
from rag_pipeline.errors import ModelError
from rag_pipeline_tests.embedding.conftest import PreparedTiny
from rag_pipeline_tests.embedding.models import write_tiny_model

_SENTENCES = [
    "Invoice",
    "a",
    "",
    "The board approved the budget for the second quarter.",
    "O relatório anual descreve a evolução das importações e das exportações do país.",
    "Não há registo de pagamento após a data de vencimento; contacte a tesouraria.",
    "\N{GRINNING FACE}\N{ROCKET} launch day \N{PARTY POPPER}",
    "\u6a5f\u68b0\u5b66\u7fd2\u306f\u697d\u3057\u3044",
    "x" * 5_000,
]
_LONG = ["word " * 254, "Os juros subiram outra vez. " * 22, "The committee met on Tuesday. " * 36]
_CORPUS = [*_SENTENCES, *_LONG]


def test_onnx_agrees_with_the_reference(onnx: OnnxEmbedder, reference: ReferenceEmbedder) -> None:
    cosines = (onnx.embed_passages(_CORPUS) * reference.embed_passages(_CORPUS)).sum(axis=1)

    assert cosines.min() >= 0.9999
    for text in ("Onde está a fatura?", "word " * 400):
        assert onnx.embed_query(text) @ reference.embed_query(text) >= 0.9999


def test_a_model_from_a_folder_agrees_with_the_reference(tiny: PreparedTiny) -> None:
    reference, onnx = ReferenceEmbedder(tiny.model), OnnxEmbedder(tiny.model, threads=1)

    np.testing.assert_allclose(onnx.embed_passages(_SENTENCES), reference.embed_passages(_SENTENCES), rtol=0, atol=1e-5)
    np.testing.assert_allclose(onnx.embed_query("budget"), reference.embed_query("budget"), rtol=0, atol=1e-5)
    # The two prefixes differ, so must the vectors.
    assert onnx.embed_query("budget") @ onnx.embed_passages(["budget"])[0] < 0.999


def test_vectors_are_unit_float32_in_the_order_of_the_texts(onnx: OnnxEmbedder) -> None:
    vectors = onnx.embed_passages(_CORPUS)

    assert (vectors.dtype, vectors.shape) == (np.float32, (len(_CORPUS), 384))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(onnx.embed_passages(_CORPUS[::-1])[::-1], vectors, rtol=0, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(neighbours=st.lists(st.sampled_from(_CORPUS) | st.text(max_size=100), max_size=6))
def test_a_vector_does_not_depend_on_its_neighbours(onnx: OnnxEmbedder, neighbours: list[str]) -> None:
    alone = onnx.embed_passages([_CORPUS[3]])[0]

    np.testing.assert_allclose(onnx.embed_passages([*neighbours, _CORPUS[3]])[-1], alone, rtol=0, atol=1e-6)


def test_no_texts_give_no_vectors(onnx: OnnxEmbedder, reference: ReferenceEmbedder) -> None:
    assert onnx.embed_passages([]).shape == (0, 384)
    assert reference.embed_passages([]).shape == (0, 384)


@pytest.mark.parametrize("runtime", ["onnx", "reference"])
def test_an_over_long_passage_is_refused(runtime: str, request: pytest.FixtureRequest) -> None:
    embedder: Embedder = request.getfixturevalue(runtime)

    assert embedder.embed_passages(["word " * 254]).shape == (1, 384)
    with pytest.raises(ModelError, match=r"1 of 2 passages exceed the 256 tokens .* number 1, 257 tokens"):
        embedder.embed_passages(["fits", "word " * 255])


def test_the_prefix_counts_as_part_of_the_passage(tiny: PreparedTiny) -> None:
    onnx = OnnxEmbedder(tiny.model, threads=1)

    # 64 tokens: two special ones, two of "passage: ", 60 words.
    assert onnx.embed_passages(["word " * 60]).shape == (1, 32)
    with pytest.raises(ModelError, match="65 tokens"):
        onnx.embed_passages(["word " * 61])


def test_a_long_query_is_cut_at_its_end(onnx: OnnxEmbedder) -> None:
    words = ["start", *["middle"] * 253]

    np.testing.assert_allclose(
        onnx.embed_query(" ".join([*words, "end"])), onnx.embed_passages([" ".join(words)])[0], rtol=0, atol=1e-6
    )


def test_lone_surrogates_are_read_as_replacement_characters(onnx: OnnxEmbedder) -> None:
    np.testing.assert_allclose(onnx.embed_query("a \ud800 b"), onnx.embed_query("a \ufffd b"), rtol=0, atol=1e-6)


def test_memory_stays_flat_over_many_shapes(tiny: PreparedTiny) -> None:
    onnx = OnnxEmbedder(tiny.model, threads=1)
    texts = [" ".join(["word"] * words) for words in range(1, 60)]
    for _ in range(3):
        onnx.embed_passages(texts)
    before_bytes = psutil.Process().memory_info().rss
    for batch in range(1, 60):
        for text in texts[:20]:
            onnx.embed_passages([text] * batch)

    assert psutil.Process().memory_info().rss - before_bytes < 20_000_000


@given(
    lengths=st.lists(st.integers(min_value=2, max_value=300), max_size=60),
    batch_tokens=st.integers(min_value=1, max_value=2_000),
)
def test_batches_hold_each_text_once_and_stay_under_their_limit(lengths: list[int], batch_tokens: int) -> None:
    batches = list(length_sorted_batches(lengths, batch_tokens=batch_tokens))

    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[position] for position in batch) <= batch_tokens


def test_an_export_that_disagrees_with_the_reference_is_refused(
    tiny: PreparedTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_tiny_model(tmp_path / "other", pooling="mean")
    monkeypatch.setattr("rag_pipeline.embedding.reference.revision_of", lambda _: tiny.model.spec.revision)
    monkeypatch.setattr(LocalModel, "source", property(lambda _: str(other)))

    with pytest.raises(ModelError, match=r"does not agree with the reference: cosine .*set the runtime to"):
        check_agreement(tiny.model)


def test_a_model_that_cannot_be_exported_runs_in_the_reference_runtime(tmp_path: Path) -> None:
    source = str(write_tiny_model(tmp_path / "source", pooling="max"))
    prepared = tmp_path / "prepared"
    prepared.mkdir()

    with pytest.raises(ModelError, match=r"Pooling 'max' cannot be exported; set the runtime to \"reference\""):
        export(ModelRequest(source), prepared)
    export(ModelRequest(source, with_graph=False), prepared)
    model = LocalModel.load(prepared)
    assert load_embedder(model, runtime="reference").embed_passages(["budget"]).shape == (1, 32)
    with pytest.raises(ModelError, match="does not load"):
        load_embedder(model, runtime="onnx")


@pytest.mark.parametrize("max_tokens", [0, 7, 65])
def test_more_tokens_than_the_model_has_positions_for_are_refused(
    tiny: PreparedTiny, tmp_path: Path, max_tokens: int
) -> None:
    with pytest.raises(ModelError, match="reads from 8 to 64 tokens"):
        export(ModelRequest(str(tiny.source), max_tokens=max_tokens), tmp_path)


def test_the_reference_refuses_weights_that_changed_since(tiny: PreparedTiny, tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "changed", pooling="max")
    model = tiny.model
    changed = LocalModel(spec=model.spec, folder=tmp_path / "prepared")
    changed.folder.mkdir()
    for path in model.folder.iterdir():
        (changed.folder / path.name).write_bytes(path.read_bytes())
    manifest = changed.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(tiny.source), str(source)))

    with pytest.raises(ModelError, match="were changed"):
        ReferenceEmbedder(changed)


def test_a_broken_tokenizer_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelError, match="no tokenizer"):
        ModelTokenizer(tmp_path / "tokenizer.json")
