# SPDX-License-Identifier: Apache-2.0
"""Progression pairs: balanced, of the stated changes, and alike in view as far as asked."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import PAIRED
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.cohort.truth import TECHNIQUE
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS as COLUMNS
from medst_jax.data_pipelines.simulated_cxr.findings.progression import (
    CLASSES,
    SEVERITIES,
    SMALL,
    STEP,
    TARGETS,
    VISIBLE,
    Pairs,
    change_code,
    pair,
)
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from tests.data_pipelines.simulated_cxr.cohorts import cohort

FINDINGS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumonia", "Pneumothorax")
SPLITS = ("progression", "small_changes")


def drawn(pairs: Pairs, patients: int) -> np.ndarray:
    """Rows of target, prior and current severity, and code of the change."""
    rows = []
    for number in range(patients):
        prior, current = pair(stream(0, "test", number, "pairs"), SITES["e1"].prevalence, pairs)
        for index, name in enumerate(TARGETS):
            if name in prior:
                before, after = prior[name], current[name]
                assert before.key == after.key and before.place == after.place
                code = change_code(before, after, pairs.step)
                rows.append((index, before.severity, after.severity, code))
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


@pytest.mark.parametrize("pairs", [VISIBLE, SMALL])
def test_changes_are_balanced_and_as_large_as_stated(pairs: Pairs) -> None:
    rows = drawn(pairs, 6_000)
    size, codes = abs(rows[:, 2] - rows[:, 1]), rows[:, 3]
    assert rows[:, 1:3].min() >= SEVERITIES[0] and rows[:, 1:3].max() <= SEVERITIES[1]
    assert {*codes} == {*CLASSES}
    assert min((codes == code).mean() for code in CLASSES) > 0.32
    assert size[codes == 0].max() <= pairs.margin + 1e-9
    low, high = size[codes != 0].min(), size[codes != 0].max()
    assert (low, high) == (
        pytest.approx(pairs.change[0], abs=1e-3),
        pytest.approx(pairs.change[1], abs=1e-3),
    )


@pytest.mark.parametrize("pairs", [VISIBLE, SMALL])
def test_one_severity_tells_what_its_shift_allows_and_no_more(pairs: Pairs) -> None:
    rows = drawn(pairs, 12_000)
    low, high = pairs.middle
    bound = 1 / 3 + np.mean(pairs.change) / (3 * (high - low))
    for feature in (rows[:, 1], rows[:, 2]):
        found = macro_accuracy(feature, rows[:, 3].astype(int) + 1)
        assert found == pytest.approx(bound, abs=0.02)


@pytest.mark.parametrize("name", ["simulated_cxr_e1", "simulated_cxr_e2"])
@pytest.mark.parametrize("split", SPLITS)
def test_stored_pairs_are_of_the_stated_kind(name: str, split: str) -> None:
    studies = [s for s in cohort(name) if s.split == split]
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
    seen = 0
    for before, after in itertools.pairwise(cohort("simulated_cxr_e1")):
        if before.patient_id != after.patient_id:
            continue
        step = PAIRED[after.split].step if after.split in PAIRED else STEP
        for name, code in after.progression.items():
            k = COLUMNS.index(name)
            change = after.truth["truth_severity"][k] - before.truth["truth_severity"][k]
            assert (code == 1) == (change > step) and (code == -1) == (change < -step)
            seen += 1
    assert seen > 200


def technique(register: float, patients: int) -> tuple[list[list[RawStudy]], np.ndarray]:
    """Studies of pairs, and what is known of their first image: [patients, 2, technique]."""
    site = replace(SITES["e1"], reports=False)
    pairs = replace(VISIBLE, register=register)
    made = [
        list(patient_studies(Case(site, 0, n, 32, "progression", pairs=pairs)))
        for n in range(patients)
    ]
    return made, np.array([[s.truth["truth_technique"][0] for s in both] for both in made])


def test_pairs_share_as_much_of_view_posture_and_exposure_as_asked() -> None:
    shared = {}
    for register in (0.0, 0.5, 1.0):
        studies, rows = technique(register, 60)
        alike = [[image.view for image in s.images] for both in studies for s in both]
        shared[register] = np.mean([a == b for a, b in zip(alike[::2], alike[1::2], strict=True)])
        exposure = rows[:, :, TECHNIQUE.index("exposure")].T
        assert np.corrcoef(exposure)[0, 1] == pytest.approx(register, abs=0.3)
        if register == 1:
            np.testing.assert_array_equal(rows[:, 0], rows[:, 1])
    assert shared[0.0] < shared[0.5] < shared[1.0] == 1
