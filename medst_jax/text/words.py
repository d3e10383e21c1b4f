# SPDX-License-Identifier: Apache-2.0
"""Report text as words for the rules, and which sections the rules read."""

import re

# Sections that ask or describe the study, and do not say what is seen.
SILENT_SECTIONS = frozenset(
    ["INDICATION", "HISTORY", "TECHNIQUE", "COMPARISON", "EXAMINATION", "STUDY", "NOTIFICATION"]
    + ["CLINICAL INFORMATION", "CLINICAL HISTORY", "REASON FOR EXAM", "RECOMMENDATION"]
)

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|[,;:?]")


def split_words(sentence: str) -> list[str]:
    """Lower-case words, numbers and the marks , ; : ? of a sentence; a slash reads "or".

    >>> split_words("Effusion/edema, 2.5 cm; well-defined")
    ['effusion', 'or', 'edema', ',', '2.5', 'cm', ';', 'well', 'defined']
    """
    return _WORD.findall(sentence.lower().replace("and/or", "and or").replace("/", " or "))
