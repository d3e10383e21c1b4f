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
_FIRST = ("[CLS]", "<|startoftext|>", "<s>", "<bos>")
_LAST = ("[SEP]", "<|endoftext|>", "</s>", "<eos>")
_PADS = ("[PAD]", "<pad>")


class ForeignTokenizer(TextTokenizer):
    """A tokenizer.json of the `tokenizers` library behind the interface of our own.

    The file's own truncation, padding and special tokens are switched off: first and last
    token and the padding are added here, as for every tokenizer.
    """

    def __init__(
        self, definition: bytes, *, pad: int = PAD, lower: bool = False, opens: bool = True
    ):
        """Of a definition.

        Args:
          definition: the content of a tokenizer.json.
          pad: id of the padding.
          lower: put texts in lower case first, where the definition does not.
          opens: whether texts begin with a first token.

        Raises:
          ValueError: it has no first and last token, or pads with another id than `pad`.
        """
        self._definition = definition
        given = {"pad": pad, "lower": lower, "opens": opens}
        usual = {"pad": PAD, "lower": False, "opens": True}
        self._options = {k: v for k, v in given.items() if v != usual[k]}
        self._lower = lower
        self._tokenizer = tokenizers.Tokenizer.from_str(definition.decode())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.size = self._tokenizer.get_vocab_size()
        self.first = self._special(_FIRST) if opens else None
        self.last, self.pad = self._special(_LAST), pad
        self.hidden = self._tokenizer.token_to_id("[MASK]")
        padding = self._tokenizer.token_to_id(_PADS[0])
        if padding not in (None, pad):
            raise ValueError(f"the tokenizer pads with id {padding}; it was to be {pad}")
        # Where no token is the padding alone, what follows the end is padding.
        self._padded = pad in [self._tokenizer.token_to_id(name) for name in _PADS]
        model = json.loads(definition)["model"]
        prefix = model.get("continuing_subword_prefix") or ""
        suffix = model.get("end_of_word_suffix") or ""
        # WordPiece marks what continues a word, CLIP's byte pairs what ends one.
        self._starts = ~self._marked(lambda piece: bool(prefix) and piece.startswith(prefix))
        if not opens and not prefix:  # pieces of SentencePiece, marked where a word begins
            self._starts = self._marked(lambda piece: piece.startswith("\u2581"))
        self._ends = self._marked(lambda piece: piece.endswith(suffix)) if suffix else None
        options = json.dumps(self._options, sort_keys=True) if self._options else ""
        self.fingerprint = hashlib.sha256(definition + options.encode()).hexdigest()
        super().__init__()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._restored, (self._definition, self._options)

    @property
    def definition(self) -> bytes:
        """The tokenizer.json it was made of."""
        return self._definition

    def roles(self) -> dict[str, str]:
        """tokenizer_config.json, by which transformers knows first, last and padding token."""
        names = {"pad_token": _PADS[0], "unk_token": "[UNK]", "mask_token": "[MASK]"}
        roles = {k: v for k, v in names.items() if self._tokenizer.token_to_id(v) is not None}
        ends = {"cls_token": self.first, "sep_token": self.last}
        named = {role: number for role, number in ends.items() if number is not None}
        roles |= {role: str(self._tokenizer.id_to_token(number)) for role, number in named.items()}
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
        text = text.lower() if self._lower else text
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def mask(self, tokens: np.ndarray) -> np.ndarray:
        if self._padded:
            return tokens != self.pad
        # Byte-pair vocabularies of CLIP have no padding token: 0 is a word there, and what
        # follows the first end token is padding, as is a row without a first token.
        ends = tokens == self.last
        inside = np.cumsum(ends, axis=-1) - ends == 0
        return inside if self.first is None else inside & (tokens[..., :1] == self.first)

    def _starts_word(self, tokens: np.ndarray) -> np.ndarray:
        if self._ends is None:
            return self._starts[tokens]
        before = np.roll(tokens, 1, axis=-1)
        edge = self.last if self.first is None else self.first
        before[..., 0] = edge
        return self._ends[before] | (before == edge)

    def _saved(self) -> tuple[bytes, dict[str, Any]]:
        return self._definition, {"kind": KIND, **self._options}

    @classmethod
    def _restored(cls, model: bytes, options: Mapping[str, Any]) -> Self:
        known = ("pad", "lower", "opens")
        return cls(model, **{key: options[key] for key in known if key in options})
