# SPDX-License-Identifier: Apache-2.0
"""Severity of pulmonary edema as a study states it, and who says so.

Sources, as in the work on edema severity in MIMIC-CXR (Chauhan et al., MICCAI 2020): "mined" from
a small share of the reports by patterns; "expert", one reader, who is at times a grade off;
"consensus" of readers, here the truth. Experts and consensus are at sites for evaluation only.
An expert who sees edema may take it for a neighbouring grade of it; nobody grades what is not there.
"""

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import State, edema_grade
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import Report
from medst_jax.data_pipelines.simulated_cxr.sites import Site
from medst_jax.text.edema import edema_severity

MINED = 0.03  # share of reports that are read; some of them state no grade
EXPERT = 0.5  # share of evaluation studies; the others have the consensus
WRONG = 0.05  # of the expert's grades are one off
UNKNOWN = (-1, "")


def grade(
    rng: np.random.Generator,
    site: Site,
    state: State,
    visible: frozenset[str],
    report: Report | None,
) -> tuple[int, str]:
    """Returns the grade, 0 to 3 or -1 for unknown, and its source, "" for unknown."""
    seen = edema_grade(state) if "Edema" in visible else 0
    draw, slip, up = rng.random(3)
    if not site.evaluation_only:
        if report is None or draw >= MINED:
            return UNKNOWN
        mined = edema_severity("\n".join(f"{name}: {text}" for name, text in report.sections))
        return (mined, "mined") if mined >= 0 else UNKNOWN
    if draw >= EXPERT:
        return seen, "consensus"
    if seen and slip < WRONG:
        seen += 1 if seen == 1 or (up < 0.5 and seen < 3) else -1
    return seen, "expert"
