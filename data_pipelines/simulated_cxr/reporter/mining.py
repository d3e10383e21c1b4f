# SPDX-License-Identifier: Apache-2.0
"""Labels of a study mined from its report, as real data sets get theirs."""

from collections.abc import Iterable

from medst_jax.data_pipelines.simulated_cxr.findings.findings import OPACITIES
from medst_jax.text.labeler import label_findings

PARENT = "Lung Opacity"


def mine_labels(sections: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Finding -> 1, 0, -1; absent when not mentioned.

    An affirmed or doubted opacity of a kind affirms or doubts "Lung Opacity", its parent among
    the observations, for which reports seldom use a word of its own.
    """
    labels = label_findings("\n".join(f"{name}: {text}" for name, text in sections))
    children = {labels.get(name, 0) for name in (*OPACITIES, "Pneumonia")}
    if 1 in children:
        labels[PARENT] = 1
    elif -1 in children and labels.get(PARENT) != 1:
        labels[PARENT] = -1
    return labels
