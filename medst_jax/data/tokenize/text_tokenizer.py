# SPDX-License-Identifier: Apache-2.0
"""What every tokenizer does: pieces of a text between a first and a last token, padded."""

import abc
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from etils import epath

from medst_jax.files.reading import read_bytes, read_json, reading
from medst_jax.files.writing import write_atomic

PAD = 0

_AGAIN = "copy both files of one tokenizer, or train it again"


class TextTokenizer(abc.ABC):
    """Text to int32 ids: first token where there is one, pieces, last token, padding.

    Attributes:
      size: number of ids.
      first: id of [CLS] or its like, None where texts begin with their first piece.
      last: id of [SEP] or its like.
      hidden: id of [MASK], None where there is none.
      pad: id of the padding.
      fingerprint: SHA-256 over the model and its options, hexadecimal.
    """

    size: int
    first: int | None
    last: int
    hidden: int | None
    pad: int = PAD
    fingerprint: str

    def __init__(self) -> None:
        # Prompts and stock phrases recur: most look-ups of a run are hits.
        self.pieces = functools.lru_cache(maxsize=1 << 16)(self._pieces)

    @abc.abstractmethod
    def _pieces(self, text: str) -> tuple[int, ...]:
        """Ids of a text without first and last token."""

    @abc.abstractmethod
    def _saved(self) -> tuple[bytes, dict[str, Any]]:
        """The model and the options that `_restored` makes the same tokenizer of."""

    @classmethod
    @abc.abstractmethod
    def _restored(cls, model: bytes, options: Mapping[str, Any]) -> Self: ...

    def save(self, path: epath.PathLike) -> None:
        """Write `path` (a .model file) and, beside it, its options as .json."""
        target = epath.Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        model, options = self._saved()
        # A process that starts meanwhile sees whole files or none.
        write_atomic(target, model)
        options |= {"size": self.size, "fingerprint": self.fingerprint}
        write_atomic(target.with_suffix(".json"), json.dumps(options, indent=1))

    @classmethod
    def load(cls, path: epath.PathLike) -> Self:
        """Read what `save` wrote.

        Raises:
          FileNotFoundError: the model or its options are missing.
          ValueError: the two files do not belong together.
        """
        source = epath.Path(path)
        options = saved_options(source)
        model = read_bytes(source, _AGAIN)
        with reading(source, "a tokenizer", _AGAIN):
            tokenizer = cls._restored(model, options)
        if tokenizer.fingerprint != options["fingerprint"]:
            raise ValueError(
                f"{source} is not the model that {source.with_suffix('.json')} describes; "
                "copy both files of one tokenizer, or train it again"
            )
        return tokenizer

    def mask(self, tokens: np.ndarray) -> np.ndarray:
        """Which ids of `encode` are not padding, bool of the same shape."""
        return tokens != self.pad

    @property
    def begin(self) -> int:
        """Where the pieces of a text begin: behind the first token."""
        return 0 if self.first is None else 1

    @abc.abstractmethod
    def _starts_word(self, tokens: np.ndarray) -> np.ndarray:
        """Which of the ids [..., L] begin a word, bool of the same shape."""

    def word_index(self, tokens: np.ndarray) -> np.ndarray:
        """Which word each of the ids [..., L] is part of, int32: 0, 1, ...; -1 specials, padding."""
        inside = self.mask(tokens) & (tokens != self.last)
        if self.first is not None:
            inside &= tokens != self.first
        # The first piece of a cut text may lack the mark of a word's start.
        words = np.maximum(np.cumsum(self._starts_word(tokens) & inside, axis=-1) - 1, 0)
        return np.where(inside, words, -1).astype(np.int32)

    def encode(self, text: str, length: int) -> np.ndarray:
        """Ids int32 [length] of a text, cut to fit."""
        return self.encode_sentences([text], length)[0]

    def encode_sentences(self, texts: Sequence[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids int32 [length] of consecutive sentences, and which sentence each id belongs to.

        The second array is int32 [length], -1 at special tokens and padding. A text that does
        not fit is cut; the last token always follows the last id kept.
        """
        ids, owners = self.cut_pieces(texts, length)
        tokens = np.full(length, self.pad, np.int32)
        sentence_index = np.full(length, -1, np.int32)
        if self.first is not None:
            tokens[0] = self.first
        end = self.begin + len(ids)
        tokens[self.begin : end] = ids
        tokens[end] = self.last
        sentence_index[self.begin : end] = owners
        return tokens, sentence_index

    def cut_pieces(self, texts: Sequence[str], length: int) -> tuple[list[int], list[int]]:
        """Ids of consecutive sentences, without first and last token, cut to fit in `length`.

        Returns:
          At most `length` ids less first and last token, and which sentence each belongs to.
        """
        room = length - 1 - self.begin
        ids: list[int] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            pieces = self.pieces(text)
            ids.extend(pieces)
            owners.extend([number] * len(pieces))
            if len(ids) >= room:
                break  # the rest cannot fit, so it is not tokenised
        return ids[:room], owners[:room]

    def encode_batch(self, texts: Iterable[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids int32 [B, length] and the mask bool [B, length] of ids that are not padding."""
        rows = [self.encode(text, length) for text in texts]
        tokens = np.stack(rows) if rows else np.zeros((0, length), np.int32)
        return tokens, self.mask(tokens)


def saved_options(source: epath.Path) -> dict[str, Any]:
    """The options beside a saved model.

    Raises:
      FileNotFoundError: the model or its options are missing.
    """
    options_path = source.with_suffix(".json")
    for needed in (source, options_path):
        if not needed.exists():
            raise FileNotFoundError(f"tokenizer file {needed} is missing")
    options: dict[str, Any] = read_json(options_path, _AGAIN, fields={"fingerprint": str})
    return options
