# SPDX-License-Identifier: Apache-2.0
"""What a reporter has made out of a study, before it is put in words."""

from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import OPACITIES
from medst_jax.data_pipelines.simulated_cxr.findings.progression import STEP
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, State
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import SEEN
from medst_jax.data_pipelines.simulated_cxr.reporter.rates import BLUR_CLEAR, BLUR_HIDDEN
from medst_jax.data_pipelines.simulated_cxr.reporter.report import Labels


@dataclass(frozen=True)
class Topic:
    """A finding of the study.

    code: 1 affirmed, -1 hedged. old: the same finding in the study before, where it was seen.
    step: 1 worse, 0 unchanged, -1 better; None where it is not compared. new: not there before.
    """

    finding: Finding
    code: int
    old: Finding | None = None
    step: int | None = None
    new: bool = False

    @property
    def weight(self) -> float:
        """What changed comes first, then what is severe."""
        return self.finding.severity + 0.5 * (self.new or bool(self.step))


def perceived_step(rng: np.random.Generator, before: Finding, after: Finding, seen: float) -> int:
    """The direction that a reader sees: a probit of the change, sharper with visibility `seen`."""
    hidden = min(max((1 - seen) / (1 - SEEN), 0.0), 1.0)
    blur = BLUR_CLEAR + (BLUR_HIDDEN - BLUR_CLEAR) * hidden
    change = after.severity - before.severity + blur * rng.normal()
    return 1 if change > STEP else -1 if change < -STEP else 0


def same_finding(name: str, state: State, prior: State | None) -> Finding | None:
    """The finding of the study before that is this one; one at another place is another one."""
    old = prior.get(name) if prior is not None else None
    if old is None or name == "Support Devices":
        return old
    return old if old.key == state[name].key else None


def labels_of(finding: Finding, code: int, text: str) -> Labels:
    """What the words for a finding say about it, its parent and pneumonia.

    Pneumonia is a consolidation, but not every wording calls it one; an opacity of a doubtful
    kind is an opacity all the same.
    """
    labels = {}
    if finding.pneumonia:
        labels["Pneumonia"] = code
    if not finding.pneumonia or "consolidation" in text:
        labels[finding.name] = code
    if "atelectasis versus" in text:
        labels["Atelectasis"] = code
    if finding.name in OPACITIES and code != 0:
        labels["Lung Opacity"] = 1 if "opacit" in text else code
    return labels


Mentioned = dict[str, Topic]
