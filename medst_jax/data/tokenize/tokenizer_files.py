# SPDX-License-Identifier: Apache-2.0
"""Which tokenizer a file or folder holds."""

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.data.tokenize.foreign_tokenizer import KIND, ForeignTokenizer
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer, saved_options
from medst_jax.data.tokenize.tokenizer import Tokenizer
from medst_jax.data.tokenize.tokenizer_definition import clip_bytes, clip_vocabulary, word_piece

MODEL = "tokenizer.model"
_CLIP_FILE = "bpe_simple_vocab_16e6.txt.gz"


def load_tokenizer_file(path: epath.PathLike) -> TextTokenizer:
    """Read what a tokenizer's `save` wrote.

    Raises:
      FileNotFoundError: the model or its options are missing.
      ValueError: the two files do not belong together.
    """
    kind = saved_options(epath.Path(path)).get("kind")
    return (ForeignTokenizer if kind == KIND else Tokenizer).load(path)


def find_tokenizer(folder: epath.PathLike, settings: Mapping[str, Any]) -> TextTokenizer | None:
    """The tokenizer whose files lie in the folder of a checkpoint, None without any.

    Known are our own tokenizer.model, Hugging Face's tokenizer.json, vocab.txt (WordPiece),
    vocab.json with merges.txt, and OpenAI's gzip list of merges (both CLIP).

    Args:
      folder: of the weights.
      settings: of its config.json; `do_lower_case` of tokenizer_config.json goes before it.
    """
    place = epath.Path(folder)

    def has(*names: str) -> bool:
        return all((place / name).exists() for name in names)

    # Our own comes first: its options are called tokenizer.json too.
    if has(MODEL, "tokenizer.json"):
        return load_tokenizer_file(place / MODEL)
    if has("tokenizer.json"):
        return ForeignTokenizer((place / "tokenizer.json").read_bytes())
    if has("vocab.txt"):
        return ForeignTokenizer(_word_piece(place, settings))
    if has("vocab.json", "merges.txt"):
        ids = json.loads((place / "vocab.json").read_text())
        lines = (place / "merges.txt").read_text().splitlines()
        pairs = [line.split() for line in lines if line and not line.startswith("#version")]
        return ForeignTokenizer(clip_bytes(ids, [(a, b) for a, b in pairs]))
    if has(_CLIP_FILE):
        return ForeignTokenizer(clip_bytes(*clip_vocabulary((place / _CLIP_FILE).read_bytes())))
    return None


def _word_piece(place: epath.Path, settings: Mapping[str, Any]) -> bytes:
    config = place / "tokenizer_config.json"
    options = {**settings, **(json.loads(config.read_text()) if config.exists() else {})}
    vocabulary = (place / "vocab.txt").read_text().splitlines()
    return word_piece(
        vocabulary,
        # BertTokenizer's own default where neither file says.
        lower=bool(options.get("do_lower_case", True)),
        strip_accents=options.get("strip_accents"),
    )
