# SPDX-License-Identifier: Apache-2.0
"""When a text says that there is no finding: the one rule of labeler, sentences and cohort.

"No Finding" is 1 when a text makes a global normal statement or denies something, and affirms or
doubts nothing but support devices (and, in the union vocabulary, remarks without harm), findings
outside the 14 observations included. A text never makes it 0; where a text says nothing of
findings it is blank. It is decided on all sentences of a text together.
"""

from collections.abc import Mapping

NO_FINDING = "No Finding"
OTHER = ""  # an abnormality outside the observations; denied by a global normal statement
# What may be affirmed all the same: devices, and in the union vocabulary remnants of surgery and
# remarks on the study.
HARMLESS = frozenset(
    (
        *("support devices", "pacemaker", "sternotomy", "suture material", "heart valve", "metal"),
        *("osteosynthesis material", "mammary prosthesis", "mastectomy", "nipple shadow"),
        *("suboptimal study",),
    )
)
_HARMLESS = HARMLESS | {"Support Devices"}
_NAMES = frozenset((NO_FINDING, NO_FINDING.lower()))


def says_no_finding(codes: Mapping[str, int]) -> bool:
    """Whether a text with these codes says that there is no finding.

    Args:
      codes: name -> 1 affirmed, 0 denied, -1 doubted, of the whole text; "" is an abnormality of
        another name, which a global normal statement denies. "No Finding" itself does not count.

    >>> says_no_finding({"Pneumothorax": 0}), says_no_finding({"Pneumothorax": 0, "": 1})
    (True, False)
    >>> says_no_finding({"": 0, "Support Devices": 1}), says_no_finding({"Support Devices": 1})
    (True, False)
    """
    denies = False
    for name, code in codes.items():
        if name in _NAMES:
            continue
        if code == 0:
            denies = True
        elif name not in _HARMLESS:
            return False
    return denies
