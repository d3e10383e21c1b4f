# SPDX-License-Identifier: Apache-2.0
"""The sentencepiece tokenizer of reports and prompts, stored as a model file and its options."""

import functools
import hashlib
import io
import json
from collections.abc import Iterable, Sequence

import numpy as np
import sentencepiece
from etils import epath

PAD, UNKNOWN, CLS, SEP, MASK = range(5)


class Tokenizer:
    """Text to int32 ids: [CLS] pieces [SEP], padded with 0.

    Attributes:
      size: number of ids.
      lower: whether text is lower-cased first.
      fingerprint: SHA-256 over the model and its options, hexadecimal.
    """

    def __init__(self, model: bytes, lower: bool = True):
        self._model = model
        self.lower = lower
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self._processor.get_piece_size())
        self.fingerprint = hashlib.sha256(model + (b"lower" if lower else b"")).hexdigest()
        pieces = [self._processor.id_to_piece(k) for k in range(self.size)]
        self._starts_word = np.array([piece.startswith("\u2581") for piece in pieces])
        # Prompts and stock phrases recur: most look-ups of a run are hits.
        self.pieces = functools.lru_cache(maxsize=1 << 16)(self._pieces)

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes, bool]]:
        return Tokenizer, (self._model, self.lower)

    def _pieces(self, text: str) -> tuple[int, ...]:
        return tuple(self._processor.encode(text.lower() if self.lower else text))

    def word_index(self, tokens: np.ndarray) -> np.ndarray:
        """Which word each of the ids [L] is part of, int32 [L]: 0, 1, ...; -1 specials, padding."""
        inside = (tokens != PAD) & (tokens != CLS) & (tokens != SEP)
        # The first piece of a cut text may lack the mark of a word's start.
        words = np.maximum(np.cumsum(self._starts_word[tokens] & inside) - 1, 0)
        return np.where(inside, words, -1).astype(np.int32)

    def encode(self, text: str, length: int) -> np.ndarray:
        """Ids int32 [length] of a text, cut to fit."""
        return self.encode_sentences([text], length)[0]

    def encode_sentences(self, texts: Sequence[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids int32 [length] of consecutive sentences, and which sentence each id belongs to.

        The second array is int32 [length], -1 at special tokens and padding. A text that does
        not fit is cut; [SEP] always follows the last id kept.
        """
        ids: list[int] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            pieces = self.pieces(text)
            ids.extend(pieces)
            owners.extend([number] * len(pieces))
            if len(ids) >= length - 2:
                break
        kept = min(len(ids), length - 2)
        tokens = np.full(length, PAD, np.int32)
        sentence_index = np.full(length, -1, np.int32)
        tokens[0] = CLS
        tokens[1 : kept + 1] = ids[:kept]
        tokens[kept + 1] = SEP
        sentence_index[1 : kept + 1] = owners[:kept]
        return tokens, sentence_index

    def encode_batch(self, texts: Iterable[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids int32 [B, length] and the mask bool [B, length] of ids that are not padding."""
        rows = [self.encode(text, length) for text in texts]
        tokens = np.stack(rows) if rows else np.zeros((0, length), np.int32)
        return tokens, tokens != PAD

    def save(self, path: epath.PathLike) -> None:
        """Write `path` (a .model file) and, beside it, its options as .json."""
        target = epath.Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, self._model)
        options = {"lower": self.lower, "size": self.size, "fingerprint": self.fingerprint}
        _write(target.with_suffix(".json"), json.dumps(options, indent=1).encode())

    @classmethod
    def load(cls, path: epath.PathLike) -> "Tokenizer":
        """Read what `save` wrote.

        Raises:
          FileNotFoundError: the model or its options are missing.
          ValueError: the two files do not belong together.
        """
        source = epath.Path(path)
        options_path = source.with_suffix(".json")
        for needed in (source, options_path):
            if not needed.exists():
                raise FileNotFoundError(f"tokenizer file {needed} is missing")
        options = json.loads(options_path.read_text())
        tokenizer = cls(source.read_bytes(), lower=bool(options["lower"]))
        if tokenizer.fingerprint != options["fingerprint"]:
            raise ValueError(
                f"{source} is not the model that {options_path} describes; "
                "copy both files of one tokenizer, or train it again"
            )
        return tokenizer


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
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=PAD,
        unk_id=UNKNOWN,
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


def _write(path: epath.Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
