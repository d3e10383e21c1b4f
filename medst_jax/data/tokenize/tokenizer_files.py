# SPDX-License-Identifier: Apache-2.0
"""Which tokenizer a file or folder holds."""

import json
from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax import hub
from medst_jax.data.tokenize import foreign_tokenizer, siglip_tokenizer
from medst_jax.data.tokenize.foreign_tokenizer import ForeignTokenizer
from medst_jax.data.tokenize.siglip_tokenizer import SiglipTokenizer
from medst_jax.data.tokenize.text_tokenizer import PAD, TextTokenizer, saved_options
from medst_jax.data.tokenize.tokenizer import Tokenizer
from medst_jax.data.tokenize.tokenizer_definition import clip_bytes, clip_vocabulary, word_piece
from medst_jax.files.reading import read_json, read_text, reading

MODEL = "tokenizer.model"
_CLIP_FILE, _SIGLIP_FILE = "bpe_simple_vocab_16e6.txt.gz", "spiece.model"
_KINDS: dict[str, type[TextTokenizer]] = {
    foreign_tokenizer.KIND: ForeignTokenizer,
    siglip_tokenizer.KIND: SiglipTokenizer,
}
_FETCH = "fetch its folder again"
_SIGLIP = ("siglip", "siglip2")  # model types of config.json


def load_tokenizer_file(path: epath.PathLike) -> TextTokenizer:
    """Read what a tokenizer's `save` wrote.

    Raises:
      FileNotFoundError: the model or its options are missing.
      ValueError: the two files do not belong together.
    """
    kind = saved_options(epath.Path(path)).get("kind")
    return _KINDS.get(str(kind), Tokenizer).load(path)


def find_tokenizer(folder: epath.PathLike, settings: Mapping[str, Any]) -> TextTokenizer | None:
    """The tokenizer whose files lie in the folder of a checkpoint, None without any.

    Known are our own tokenizer.model, SigLIP's spiece.model, Hugging Face's tokenizer.json,
    vocab.txt (WordPiece), vocab.json with merges.txt, and OpenAI's gzip list of merges (both CLIP).
    A tokenizer.json beside a config.json of SigLIP 2 has texts put in lower case and no first token,
    which the file itself does not say.

    Args:
      folder: of the weights, or `hf-hub:owner/name`.
      settings: of its config.json; `do_lower_case` of tokenizer_config.json goes before it.
    """
    place = hub.local(folder)
    with reading(place, "the files of a tokenizer", _FETCH):
        return _found(place, settings)


def _found(place: epath.Path, settings: Mapping[str, Any]) -> TextTokenizer | None:
    roles = _json(place / "tokenizer_config.json")

    def has(*names: str) -> bool:
        return all((place / name).exists() for name in names)

    # Our own comes first: its options are called tokenizer.json too.
    if has(MODEL, "tokenizer.json"):
        return load_tokenizer_file(place / MODEL)
    if has(_SIGLIP_FILE):
        return SiglipTokenizer(
            (place / _SIGLIP_FILE).read_bytes(), lower=bool(roles.get("do_lower_case", True))
        )
    if has("tokenizer.json"):
        definition = (place / "tokenizer.json").read_bytes()
        if _json(place / "config.json").get("model_type") in _SIGLIP:
            return ForeignTokenizer(definition, lower=True, opens=False)
        return ForeignTokenizer(definition, pad=_clip_padding(definition, roles))
    if has("vocab.txt"):
        return ForeignTokenizer(_word_piece(place, {**settings, **roles}))
    if has("vocab.json", "merges.txt"):
        ids = read_json(place / "vocab.json", _FETCH, {int})
        lines = read_text(place / "merges.txt", _FETCH).splitlines()
        pairs = [line.split() for line in lines if line and not line.startswith("#version")]
        definition = clip_bytes(ids, [(a, b) for a, b in pairs])
        return ForeignTokenizer(definition, pad=_clip_padding(definition, roles))
    if has(_CLIP_FILE):
        return ForeignTokenizer(clip_bytes(*clip_vocabulary((place / _CLIP_FILE).read_bytes())))
    return None


def _json(file: epath.Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(file, _FETCH) if file.exists() else {}
    return content


def _clip_padding(definition: bytes, roles: Mapping[str, Any]) -> int:
    """Hugging Face's CLIP pads with its end token, OpenAI with 0; WordPiece has a token for it."""
    named = roles.get("pad_token")
    name = named.get("content") if isinstance(named, Mapping) else named
    if roles.get("tokenizer_class") not in ("CLIPTokenizer", "CLIPTokenizerFast") or not name:
        return PAD
    content = json.loads(definition)
    ids = {token["content"]: token["id"] for token in content["added_tokens"]}
    return int({**content["model"]["vocab"], **ids}.get(name, PAD))


def _word_piece(place: epath.Path, options: Mapping[str, Any]) -> bytes:
    vocabulary = read_text(place / "vocab.txt", _FETCH).splitlines()
    return word_piece(
        vocabulary,
        # BertTokenizer's own default where neither file says.
        lower=bool(options.get("do_lower_case", True)),
        strip_accents=options.get("strip_accents"),
    )
