# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, F1 and speed of `label_findings` and of other labelers on tagged reports."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.labeler.mention_labelers import keyword, medspacy, negex, present
from experiments.labeler.open_i import TaggedReport
from medst_jax.text.labeler import label_findings
from medst_jax.text.mentions import FINDINGS

REPLICATES = 2000


def incidence(findings: Sequence[frozenset[str]]) -> np.ndarray:
    """Which report has which of the 14 findings: bool [N, C]."""
    return np.array([[name in names for name in FINDINGS] for names in findings])


def scores(predicted: np.ndarray, tagged: np.ndarray) -> dict[str, dict[str, float]]:
    """Per finding precision, recall and F1 of bool [N, C]."""
    both, given, true = (predicted & tagged).sum(0), predicted.sum(0), tagged.sum(0)
    table = {}
    for k, name in enumerate(FINDINGS):
        values = {
            "precision": both[k] / max(given[k], 1),
            "recall": both[k] / max(true[k], 1),
            "f1": 2 * both[k] / max(given[k] + true[k], 1),
        }
        table[name] = {key: round(float(value), 3) for key, value in values.items()}
        table[name]["tagged"] = int(true[k])
    return table


def macro_f1(predicted: np.ndarray, tagged: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 over findings [D] of reports counted with weights [D, N]."""
    both, given, true = (weights @ x for x in (predicted & tagged, predicted, tagged))
    return (2 * both / np.maximum(given + true, 1)).mean(1)


def difference(first: np.ndarray, other: np.ndarray, tagged: np.ndarray) -> dict[str, float]:
    """Macro F1 of `first` less that of `other`, with a paired 95% interval."""
    replicates = np.random.default_rng(0).multinomial(
        len(tagged), np.full(len(tagged), 1 / len(tagged)), REPLICATES
    )
    every = np.ones((1, len(tagged)), int)
    value = (macro_f1(first, tagged, every) - macro_f1(other, tagged, every))[0]
    drawn = macro_f1(first, tagged, replicates) - macro_f1(other, tagged, replicates)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {k: round(float(v), 3) for k, v in dict(value=value, low=low, high=high).items()}


def timed(
    texts: Sequence[str], label: Callable[[str], Mapping[str, int]]
) -> tuple[list[Mapping[str, int]], float]:
    """Labels of the texts, and texts per second of processor time."""
    began = time.process_time()
    labels = [label(text) for text in texts]
    return labels, len(texts) / (time.process_time() - began)


def measure(
    reports: Sequence[TaggedReport],
    medspacy_python: str,
    earlier: Mapping[str, Mapping[str, int]] | None = None,
) -> dict[str, Any]:
    """Scores, differences and speeds of all labelers on some reports.

    Args:
      reports: those judged.
      medspacy_python: an interpreter that has it, "" for none.
      earlier: labels of another version of the labeler by the number of the report.
    """
    texts = [report.text for report in reports]
    runs = {
        "label_findings": timed(texts, label_findings),
        "negex": timed(texts, negex),
        "keyword": timed(texts, keyword),
    }
    if earlier is not None:
        runs["earlier"] = [earlier[str(report.number)] for report in reports], math.nan
    versions = {}
    if medspacy_python:
        labels, answer = medspacy(texts, medspacy_python)
        runs["medspacy"] = labels, len(texts) / answer["seconds"]
        versions["medspacy"] = answer["version"]
    tagged = incidence([report.findings for report in reports])
    predicted = {name: incidence([present(x) for x in run[0]]) for name, run in runs.items()}
    tables = {name: scores(one_labeler, tagged) for name, one_labeler in predicted.items()}
    every = np.ones((1, len(texts)), int)
    return {
        "reports": len(texts),
        "versions": versions,
        "macro_f1": {
            n: round(float(macro_f1(x, tagged, every)[0]), 3) for n, x in predicted.items()
        },
        "label_findings_less": {
            name: difference(predicted["label_findings"], one_labeler, tagged)
            for name, one_labeler in predicted.items()
            if name != "label_findings"
        },
        "reports_per_second_core": {
            name: round(run[1]) for name, run in runs.items() if not math.isnan(run[1])
        },
        "findings": tables,
    }
