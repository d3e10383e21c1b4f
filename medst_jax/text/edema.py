# SPDX-License-Identifier: Apache-2.0
"""The severity of pulmonary edema that a report states.

Grades and keywords are those of Liao et al. (arXiv:1902.10785) and Chauhan et al. (MICCAI 2020,
arXiv:2008.09884). Whether a keyword is denied is decided by the cues and reaches of `polarity`,
which repairs two faults of the released rules: a denial after a keyword does not reach back over
another clause, and "opacities resolved" is a denial.
"""

from collections.abc import Mapping

from medst_jax.text import cues
from medst_jax.text.lexicon import Lexicon
from medst_jax.text.reach import reach
from medst_jax.text.reading import describing_sentences
from medst_jax.text.words import split_words

UNKNOWN, NONE, VASCULAR, INTERSTITIAL, ALVEOLAR = -1, 0, 1, 2, 3

KEYWORDS: Mapping[int, tuple[str, ...]] = {
    VASCULAR: (
        "cephalization*",
        "pulmonary vascular congestion",
        "hilar engorgement",
        "vascular plethora",
        "pulmonary vascular prominence",
        "pulmonary vascular engorgement",
    ),
    INTERSTITIAL: (
        "interstitial opacities",
        "kerley*",
        "interstitial edema",
        "interstitial thickening",
        "interstitial pulmonary edema",
        "interstitial marking*",
        "interstitial abnormalit*",
        "interstitial process*",
    ),
    ALVEOLAR: (
        "alveolar infiltrates",
        "severe pulmonary edema",
        "perihilar infiltrates",
        "hilar infiltrates",
        "parenchymal opacities",
        "alveolar opacities",
        "ill defined opacities",
        "patchy opacities",
    ),
}
# Denying one of these, and saying nothing worse, means that there is no edema.
ABSENT: tuple[str, ...] = (
    "pulmonary edema",
    "vascular congestion",
    "fluid overload",
    "acute cardiopulmonary process*",
)

_LEXICON = Lexicon(
    {
        "mention": {str(grade): phrases for grade, phrases in KEYWORDS.items()},
        "absent": {str(NONE): ABSENT},
        "cue": cues.CUES,
    }
)


def edema_severity(report: str) -> int:
    """The worst grade a report affirms: 1 vascular, 2 interstitial, 3 alveolar; 0 none, -1 unsaid.

    Sections that ask or describe the study are not read; the final report outweighs a wet read.

    >>> edema_severity("FINDINGS: Interstitial pulmonary edema has worsened. No effusion.")
    2
    >>> edema_severity("There is no pulmonary edema.")
    0
    """
    grades: dict[int, int] = {}
    for reading, sentence in describing_sentences(report):
        grades[reading] = max(grades.get(reading, UNKNOWN), _sentence_severity(sentence))
    stated = [grades[reading] for reading in sorted(grades) if grades[reading] != UNKNOWN]
    return stated[-1] if stated else UNKNOWN


def _sentence_severity(sentence: str) -> int:
    words = split_words(sentence)
    matches = _LEXICON.find(words)
    if not any(match.kind != "cue" for match in matches):
        return UNKNOWN
    denied = reach(words, matches).denied
    worst = UNKNOWN
    for match in matches:
        if match.kind == "mention" and not denied[match.end - 1]:
            worst = max(worst, int(match.value))
        elif match.kind == "absent" and denied[match.end - 1]:
            worst = max(worst, NONE)
    return worst
