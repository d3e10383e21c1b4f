# SPDX-License-Identifier: Apache-2.0
"""The sentencepiece tokenizer of reports and prompts, stored as a model file and its options."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import sentencepiece

from medst_jax.data.tokenize.text_tokenizer import PAD, TextTokenizer

UNKNOWN, CLS, SEP, MASK = range(1, 5)


class Tokenizer(TextTokenizer):
    """A sentencepiece model: [CLS] pieces [SEP], padded with 0.

    Attributes:
      lower: whether text is lower-cased first.
    """

    first, last, hidden = CLS, SEP, MASK

    def __init__(self, model: bytes, lower: bool = True):
        self._model = model
        self.lower = lower
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self._processor.get_piece_size())
        # The same model gives other ids to the same text when case is kept.
        self.fingerprint = hashlib.sha256(model + (b"lower" if lower else b"")).hexdigest()
        pieces = [self._processor.id_to_piece(k) for k in range(self.size)]
        self._word_starts = np.array([piece.startswith("\u2581") for piece in pieces])
        super().__init__()

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes, bool]]:
        return Tokenizer, (self._model, self.lower)

    def _pieces(self, text: str) -> tuple[int, ...]:
        return tuple(self._processor.encode(text.lower() if self.lower else text))

    def _starts_word(self, tokens: np.ndarray) -> np.ndarray:
        return self._word_starts[tokens]

    def _saved(self) -> tuple[bytes, dict[str, Any]]:
        return self._model, {"lower": self.lower}

    @classmethod
    def _restored(cls, model: bytes, options: Mapping[str, Any]) -> Self:
        return cls(model, lower=bool(options["lower"]))


def train_tokenizer(texts: Iterable[str], size: int, *, lower: bool = True) -> Tokenizer:
    """Train a unigram model on `texts`, the same for the same texts in the same order.

    Args:
      texts: sentences; those over 4,192 bytes are skipped by sentencepiece.
      size: ids wanted, special ones included. A small corpus may support fewer and then gets
        fewer: `Tokenizer.size` tells.
      lower: lower-case the text, in training and in use.

    Raises:
      ValueError: there is no text, or `size` does not even hold the corpus' characters.
    """
    lines = [text.lower() if lower else text for text in texts if text.strip()]
    if not lines:
        raise ValueError("no text to train a vocabulary on: the data sets have no train reports")
    required = len(set("".join(lines))) + 8
    if size < required:
        raise ValueError(
            f"vocabulary size {size} is too small: the text needs at least {required} ids "
            "for its characters and the special tokens"
        )
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        hard_vocab_limit=False,  # a small corpus supports fewer ids
        character_coverage=1.0,
        pad_id=PAD,
        unk_id=UNKNOWN,
        # sentencepiece knows no [CLS] and no [SEP]: begin and end of a sentence serve as such.
        bos_id=CLS,
        eos_id=SEP,
        pad_piece="[PAD]",
        unk_piece="[UNK]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        control_symbols=["[MASK]"],
        shuffle_input_sentence=False,
        num_threads=1,  # more threads sum in any order: not the same model twice
        minloglevel=2,
    )
    return Tokenizer(model.getvalue(), lower)
