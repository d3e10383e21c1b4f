# SPDX-License-Identifier: Apache-2.0
"""WordPiece and byte-pair tokenizers of imported models, run by the `tokenizers` library."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import tokenizers

from medst_jax.data.tokenize.text_tokenizer import PAD, TextTokenizer

KIND = "tokenizers"
_FIRST, _LAST = ("[CLS]", "<|startoftext|>", "<s>"), ("[SEP]", "<|endoftext|>", "</s>")


class ForeignTokenizer(TextTokenizer):
    """A tokenizer.json of the `tokenizers` library behind the interface of our own.

    The file's own truncation, padding and special tokens are switched off: first and last
    token and the padding are added here, as for every tokenizer.
    """

    def __init__(self, definition: bytes):
        """`definition` is the content of a tokenizer.json.

        Raises:
          ValueError: it has no first and last token, or pads with another id than 0.
        """
        self._definition = definition
        self._tokenizer = tokenizers.Tokenizer.from_str(definition.decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.size = self._tokenizer.get_vocab_size()
        self.first, self.last = self._special(_FIRST), self._special(_LAST)
        self.hidden = self._tokenizer.token_to_id("[MASK]")
        padding = self._tokenizer.token_to_id("[PAD]")
        if padding not in (None, PAD):
            raise ValueError(f"the tokenizer pads with id {padding}; only 0 is understood")
        self._padded = padding is not None
        model = json.loads(definition)["model"]
        prefix = model.get("continuing_subword_prefix") or ""
        suffix = model.get("end_of_word_suffix") or ""
        # WordPiece marks what continues a word, CLIP's byte pairs what ends one.
        self._starts = ~self._marked(lambda piece: bool(prefix) and piece.startswith(prefix))
        self._ends = self._marked(lambda piece: piece.endswith(suffix)) if suffix else None
        self.fingerprint = hashlib.sha256(definition).hexdigest()
        super().__init__()

    def __reduce__(self) -> tuple[type["ForeignTokenizer"], tuple[bytes]]:
        return ForeignTokenizer, (self._definition,)

    @property
    def definition(self) -> bytes:
        """The tokenizer.json it was made of."""
        return self._definition

    def roles(self) -> dict[str, str]:
        """tokenizer_config.json, by which transformers knows first, last and padding token."""
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
        roles = {k: v for k, v in names.items() if self._tokenizer.token_to_id(v) is not None}
        ends = {"cls_token": self.first, "sep_token": self.last}
        roles |= {role: str(self._tokenizer.id_to_token(number)) for role, number in ends.items()}
        return {"tokenizer_class": "PreTrainedTokenizerFast", **roles}

    def _marked(self, test: Callable[[str], bool]) -> np.ndarray:
        marks = np.zeros(self.size, bool)
        for piece, number in self._tokenizer.get_vocab().items():
            marks[number] = test(piece)
        return marks

    def _special(self, names: tuple[str, ...]) -> int:
        for name in names:
            number = self._tokenizer.token_to_id(name)
            if number is not None:
                return int(number)
        raise ValueError(f"the tokenizer has none of the tokens {', '.join(names)}")

    def _pieces(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def mask(self, tokens: np.ndarray) -> np.ndarray:
        if self._padded:
            return tokens != PAD
        # Byte-pair vocabularies of CLIP have no padding token: 0 is a word there, and what
        # follows the first end token is padding, as is a row without a first token.
        ends = tokens == self.last
        return (np.cumsum(ends, axis=-1) - ends == 0) & (tokens[..., :1] == self.first)

    def _starts_word(self, tokens: np.ndarray) -> np.ndarray:
        if self._ends is None:
            return self._starts[tokens]
        before = np.roll(tokens, 1, axis=-1)
        before[..., 0] = self.first
        return self._ends[before] | (before == self.first)

    def _saved(self) -> tuple[bytes, dict[str, Any]]:
        return self._definition, {"kind": KIND}

    @classmethod
    def _restored(cls, model: bytes, options: Mapping[str, Any]) -> Self:
        return cls(model)
