# SPDX-License-Identifier: Apache-2.0
"""How often a reporter does what: misses, hedges, invents, compares, names a place.

No rate is copied from a data set; each is chosen. Where Open-i's reports can be measured, the data
cards hold their figure beside the cohort's (shares of denials, of doubt, of sides and of zones).
"""

from collections.abc import Mapping

MISSED = 0.05  # of clearly visible findings; `MISSED_HIDDEN` more as visibility falls to 0
MISSED_HIDDEN = 0.3
HEDGED = 0.04  # likewise
HEDGED_HIDDEN = 0.7
INVENTED = 0.012  # of absent or invisible findings, each; half of them hedged
CITING = 0.65  # of follow-up reports
CITING_ELSEWHERE = 0.15  # of first reports: the study they cite is not in the data
COMPARED = 0.8  # of findings seen in both studies, where the report cites the prior
COMPARED_ELSEWHERE = 0.4  # the same, where the prior is not in the data
NEW = 0.6  # of new findings, where the prior is cited, that they are new
GONE = 0.6  # of findings that have gone, where the prior is cited, that they have
TOLD = 0.7  # of an impression's topics: how they changed, that they are new or have gone
WRONG_CHANGE = 0.03  # of comparisons; their direction is drawn blindly
# Deviation of the change that a reader perceives, where a finding is clearly visible and where it
# just is; beyond `findings.progression.STEP` it is named: a probit of the change.
BLUR_CLEAR, BLUR_HIDDEN = 0.05, 0.15
COPIED = 0.15  # of follow-up reports: a sentence of the report before, true or not
GRADED = 0.9  # of descriptions, how severe
PLACED = (
    0.85  # of descriptions of what has a side and a zone, both; Open-i: 0.71 to 0.91, 0.72 to 0.78
)
MENTIONED: Mapping[str, float] = {  # that the absence of a finding is stated
    "Enlarged Cardiomediastinum": 0.3,
    "Cardiomegaly": 0.6,
    "Lung Lesion": 0.12,
    "Lung Opacity": 0.1,
    "Edema": 0.4,
    "Consolidation": 0.6,
    "Pneumonia": 0.25,
    "Atelectasis": 0.06,
    "Pneumothorax": 0.75,
    "Pleural Effusion": 0.75,
    "Pleural Other": 0.03,
    "Fracture": 0.25,
}
INVENTIBLE = tuple(name for name in MENTIONED if name not in ("Lung Opacity", "Pneumonia"))
_SCALED = ("COMPARED", "COMPARED_ELSEWHERE", "NEW", "GONE", "TOLD")


def rates(comparing: float = 1.0) -> dict[str, str]:
    """The rates of a cohort, as its data cards state them; `comparing` scales what is compared."""
    stated = {}
    for name, value in globals().items():
        if name.isupper() and isinstance(value, float):
            scale = comparing if name in _SCALED else 1.0
            stated[name.lower()] = f"{round(value * scale, 4)} (chosen)"
    return stated
