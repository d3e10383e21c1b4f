# SPDX-License-Identifier: Apache-2.0
"""Sentences as words alone, for losses in which every word counts.

GLoRIA, MGCA and Med-ST (arXiv:2210.06044, arXiv:2405.19654) train on reports in lower case without
list numbers, stops and other marks: a local loss would ask which region "2" or "." looks at.

Other than their releases: a decimal goes as a whole (there "3.5 cm" becomes "5 cm"), so do whole
numbers and the blanks of removed names, a letter with an accent stays a letter, and a sentence of one
word stays ("Cardiomegaly.").
"""

import re
import unicodedata

_NUMBER = re.compile(r"(?<![^\W_])\d+(?:[.,]\d+)*\.?(?![^\W_])")
_WORD = re.compile(r"[a-z0-9]+")


def only_words(sentence: str) -> str:
    """The words of a sentence in lower case, single spaces between them.

    >>> only_words("2. Stable 3.5-cm right  PICC, T4 level; no pneumothorax.")
    'stable cm right picc t4 level no pneumothorax'
    """
    plain = unicodedata.normalize("NFKD", sentence.lower())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = _WORD.findall(_NUMBER.sub(" ", letters))
    return " ".join(word for word in words if not word.isdigit())
