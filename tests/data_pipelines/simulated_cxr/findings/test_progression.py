# SPDX-License-Identifier: Apache-2.0
"""Progression pairs: balanced, and not to be told from one of the two severities."""

import itertools

import numpy as np
import pytest

from medst_jax.data_pipelines.simulated_cxr.findings.progression import CHANGE, TARGETS, pair
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import STEP
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from tests.data_pipelines.simulated_cxr.cohorts import cohort

FINDINGS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumonia", "Pneumothorax")


def drawn(patients: int) -> np.ndarray:
    """Rows of target, prior and current severity."""
    rows = []
    for number in range(patients):
        prior, current = pair(stream(0, "test", number, "pairs"), SITES["e1"].prevalence)
        for index, name in enumerate(TARGETS):
            if name in prior:
                assert name in current
                rows.append((index, prior[name].severity, current[name].severity))
    return np.array(rows)


def macro_accuracy(feature: np.ndarray, classes: np.ndarray, bins: int = 24) -> float:
    """Of the majority class per quantile bin, learnt on one half and judged on the other."""
    edges = np.quantile(feature, np.linspace(0, 1, bins + 1)[1:-1])
    cell, half = np.searchsorted(edges, feature), np.arange(len(feature)) % 2 == 0
    counts = np.zeros((bins, 3))
    np.add.at(counts, (cell[half], classes[half]), 1)
    guess = counts.argmax(1)[cell[~half]]
    truth = classes[~half]
    return float(np.mean([(guess[truth == k] == k).mean() for k in range(3)]))


def test_neither_severity_alone_tells_the_class() -> None:
    rows = drawn(12_000)
    change = rows[:, 2] - rows[:, 1]
    assert set(np.round(change, 6)) == {-CHANGE, 0.0, CHANGE}
    assert CHANGE > STEP
    classes = np.round(np.sign(np.where(abs(change) < STEP, 0, change))).astype(int) + 1
    assert np.bincount(classes).min() > 0.32 * len(classes)
    for feature in (rows[:, 1], rows[:, 2]):
        assert abs(macro_accuracy(feature, classes) - 1 / 3) < 0.03
        for target in range(len(TARGETS)):
            of = rows[:, 0] == target
            # Of a quarter of the rows, half of which are judged: two standard errors more.
            error = np.sqrt(2 / 9 / (of.sum() / 2))
            found = macro_accuracy(feature[of], classes[of], bins=6)
            assert abs(found - 1 / 3) < 0.03 + 2 * error
    both = np.stack([change < -STEP, abs(change) <= STEP, change > STEP])
    assert np.array_equal(both.argmax(0), classes)


@pytest.mark.parametrize("name", ["simulated_cxr_e1", "simulated_cxr_e2"])
def test_stored_pairs_are_of_the_stated_kind(name: str) -> None:
    studies = [s for s in cohort(name) if s.split == "progression"]
    assert [s.study_index for s in studies] == [0, 1] * (len(studies) // 2)
    current = studies[1::2]
    assert not any(s.progression for s in studies[::2])
    counts = np.zeros(3, int)
    for study in current:
        for finding in FINDINGS:
            if finding in study.progression:
                assert study.labels[finding] == 1
                counts[study.progression[finding] + 1] += 1
    # At 2,000 patients this is 400 of each class.
    assert counts.min() > 400 * 120 / 2000 * 0.8


def test_changes_are_those_of_the_severity() -> None:
    from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS as COLUMNS

    studies = cohort("simulated_cxr_e1")
    for before, after in itertools.pairwise(studies):
        if before.patient_id != after.patient_id:
            continue
        for name, code in after.progression.items():
            k = COLUMNS.index(name)
            change = after.truth["truth_severity"][k] - before.truth["truth_severity"][k]
            assert (code == 1) == (change > STEP) and (code == -1) == (change < -STEP)
