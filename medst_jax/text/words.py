# SPDX-License-Identifier: Apache-2.0
"""Report text as words for the rules."""

import re

from medst_jax.text.shorthand import SHORTENED, lengthened, write_out

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|[,;:?]")


def split_words(sentence: str) -> list[str]:
    """Lower-case words, numbers and the marks , ; : ? of a sentence; a slash reads "or".

    Shorthand is written out.

    >>> split_words("Effusion/edema, 2.5 cm; well-defined")
    ['effusion', 'or', 'edema', ',', '2.5', 'cm', ';', 'well', 'defined']
    """
    text = write_out(sentence.lower())
    words = _WORD.findall(text.replace("/", " or ") if "/" in text else text)
    return words if SHORTENED.keys().isdisjoint(words) else lengthened(words)
