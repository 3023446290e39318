"""Token counts and token ids by the model's own tokenizer.

The raw `tokenizers` library, without transformers: 0.02 s to import instead of 4 s.
Cutting text into chunks does not live here but in `domain`; it takes `ModelTokenizer.count` as an argument.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag_pipeline.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SLICE_CHARS = 1_000_000
"""Characters tokenised at once: encodings are many times larger than their text."""


class ModelTokenizer:
    """The tokenizer of a prepared model. Safe to use from several threads."""

    def __init__(self, tokenizer_json: Path) -> None:
        """Load the tokenizer, with neither truncation nor padding: the file may ask for both, and counts would lie.

        Raises:
            ModelError: the file is missing or is not a tokenizer.
        """
        self._tokenizer = _load(tokenizer_json)
        self._special_tokens = self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens the model would read for each text, special tokens included."""
        return [len(encoding) for batch in _slices(texts) for encoding in self._tokenizer.encode_batch_fast(batch)]

    def ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The token ids of each text, special tokens included, nothing cut."""
        return [
            np.asarray(encoding.ids, dtype=np.int64)
            for batch in _slices(texts)
            for encoding in self._tokenizer.encode_batch_fast(batch)
        ]

    def ids_cut(self, text: str, *, max_tokens: int) -> NDArray[np.int64]:
        """The token ids of `text`, cut at its end so that there are at most `max_tokens`, special tokens kept."""
        encoding = self._tokenizer.encode(valid_text(text))
        if len(encoding) > max_tokens:
            bare = self._tokenizer.encode(valid_text(text), add_special_tokens=False)
            bare.truncate(max_tokens - self._special_tokens)
            encoding = self._tokenizer.post_process(bare)
        return np.asarray(encoding.ids, dtype=np.int64)


def valid_text(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD: the tokenizer takes valid Unicode only."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _slices(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in lists of bounded length in characters (or of one text)."""
    batch: list[str] = []
    chars = 0
    for text in texts:
        if batch and chars + len(text) > _SLICE_CHARS:
            yield batch
            batch, chars = [], 0
        batch.append(valid_text(text))
        chars += len(text)
    if batch:
        yield batch


def _load(tokenizer_json: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(tokenizer_json.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises a bare Exception for a file it does not understand
        raise ModelError(f"{tokenizer_json} is missing or no tokenizer ({error}); prepare the model again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
