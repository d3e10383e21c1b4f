# SPDX-License-Identifier: Apache-2.0
"""SigLIP's tokenizer: a SentencePiece model over texts in lower case without punctuation."""

import hashlib
import string
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import sentencepiece

from medst_jax.data.tokenize.text_tokenizer import TextTokenizer

KIND = "siglip"
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


class SiglipTokenizer(TextTokenizer):
    """A spiece.model: pieces, then the end token, which is the padding too; no first token.

    Source: Zhai et al. 2023 (arXiv:2303.15343), as released: canonical texts of big_vision.
    """

    def __init__(self, model: bytes, *, lower: bool = True, pad: int | None = None):
        """`model` is the content of a spiece.model; `pad` an id, None for the end token's."""
        self._model, self._lower = model, lower
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self._processor.get_piece_size())
        self.first, self.last = None, int(self._processor.eos_id())
        if self.last < 0:
            raise ValueError("spiece.model has no end token; SigLIP's ends a text with </s>")
        self.pad = self.last if pad is None else pad
        options = f"{KIND} {lower} {self.pad}".encode()
        self.fingerprint = hashlib.sha256(model + options).hexdigest()
        pieces = [self._processor.id_to_piece(k) for k in range(self.size)]
        self._word_starts = np.array([piece.startswith("\u2581") for piece in pieces])
        super().__init__()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._restored, (self._model, self._options())

    def _pieces(self, text: str) -> tuple[int, ...]:
        text = text.lower() if self._lower else text
        return tuple(self._processor.encode(" ".join(text.translate(_WITHOUT_PUNCTUATION).split())))

    def mask(self, tokens: np.ndarray) -> np.ndarray:
        if self.pad != self.last:
            return tokens != self.pad
        ends = tokens == self.last
        return np.cumsum(ends, axis=-1) - ends == 0

    def _starts_word(self, tokens: np.ndarray) -> np.ndarray:
        return self._word_starts[tokens]

    def _options(self) -> dict[str, Any]:
        return {"kind": KIND, "lower": self._lower, "pad": self.pad}

    def _saved(self) -> tuple[bytes, dict[str, Any]]:
        return self._model, self._options()

    @classmethod
    def _restored(cls, model: bytes, options: Mapping[str, Any]) -> Self:
        return cls(model, lower=bool(options["lower"]), pad=int(options["pad"]))
