# SPDX-License-Identifier: Apache-2.0
"""tokenizer.json definitions made of the vocabulary files that older checkpoints bring."""

import zlib
from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

# Contractions, words, single digits and runs of other marks, as CLIP splits a text.
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_CLIP_MERGES = 49152 - 256 - 2
_MOST_TEXT = 1 << 24  # of a list of merges; CLIP's has three megabytes


def word_piece(vocabulary: Sequence[str], *, lower: bool, strip_accents: bool | None) -> bytes:
    """The definition of BERT's tokenizer.

    Args:
      vocabulary: the lines of a vocab.txt, in order of their ids.
      lower: lower-case the text.
      strip_accents: None does as `lower` says.
    """
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=strip_accents, lowercase=lower
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer.add_special_tokens([piece for piece in specials if piece in ids])
    _put_ends(tokenizer, "[CLS]", "[SEP]")
    return tokenizer.to_str().encode()


def clip_bytes(ids: dict[str, int], merges: Sequence[tuple[str, str]]) -> bytes:
    """The definition of CLIP's lower-casing byte-pair tokenizer.

    Args:
      ids: a vocab.json.
      merges: the pairs of a merges.txt, best first.
    """
    tokenizer = Tokenizer(
        models.BPE(ids, list(merges), end_of_word_suffix="</w>", unk_token="<|endoftext|>")
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    _put_ends(tokenizer, "<|startoftext|>", "<|endoftext|>")
    return tokenizer.to_str().encode()


def clip_vocabulary(compressed: bytes) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Ids and merges of the gzip text file that OpenAI's CLIP reads its merges from.

    Raises:
      ValueError: more text than any such file has, or lines of other than two parts.
      zlib.error: no gzip data.
    """
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    text = unpacker.decompress(compressed, _MOST_TEXT)
    if not unpacker.eof:
        raise ValueError("the list of merges is cut short, or longer than any")
    lines = text.decode().split("\n")[1 : 1 + _CLIP_MERGES]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    symbols = [chr(code) for code in _byte_symbols()]
    pieces = [*symbols, *(symbol + "</w>" for symbol in symbols)]
    pieces += ["".join(pair) for pair in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return {piece: number for number, piece in enumerate(pieces)}, merges


def _put_ends(tokenizer: Tokenizer, first: str, last: str) -> None:
    """Other programs that run the definition put these around a text; here they are added later."""
    ends = [(name, tokenizer.token_to_id(name)) for name in (first, last)]
    if all(number is not None for _, number in ends):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:1 {last}:1",
            special_tokens=ends,
        )


def _byte_symbols() -> list[int]:
    """A printable character for each byte: itself where it is printable, else one above 255."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = 256 - len(printable)
    return [*printable, *(256 + number for number in range(others))]
