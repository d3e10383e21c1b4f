# SPDX-License-Identifier: Apache-2.0
"""Grades of known images, against sklearn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medst_jax.evaluate.protocols.parts.severity_head import HEAD_LABELS, from_cumulative
from medst_jax.evaluate.protocols.severity import (
    PAIRS,
    GradedOptions,
    SeverityOptions,
    severity,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import FakeSystem, ImageOnlySystem, context, pointing, studies


class Grader(FakeSystem):
    """Answers the cumulative questions by the first pixel."""

    labels = HEAD_LABELS

    def class_logits(self, images):
        first = self.encode_image(images).features[:, :1]
        return 0.1 * (first - np.array([[50.0, 100.0, 150.0]], np.float32))


def _cohort(count=80, seed=0, split="test", first_patient=0):
    rng = np.random.default_rng(seed)
    grades = rng.integers(-1, 4, count)
    pixels = np.clip(40 + 50 * grades + rng.normal(0, 40, count), 0, 255)
    directions = np.stack([pixels, rng.integers(0, 255, count), rng.integers(1, 255, count)], 1)
    return studies(
        pointing(directions),
        (),
        np.zeros((count, 0)),
        patients=first_patient + np.arange(count) // 4,
        split=split,
        severity=grades,
    )


def test_probabilities_of_cumulative_logits():
    logits = np.log([[0.9 / 0.1, 0.5, 0.1 / 0.9]])
    expected = [[0.1, 0.9 - 1 / 3, 1 / 3 - 0.1, 0.1]]
    np.testing.assert_allclose(from_cumulative(logits), expected, atol=1e-12)
    crossed = from_cumulative(np.array([[0.0, 5.0, -5.0], [1e4, -1e4, 1e4]]))
    assert np.all(crossed >= 0) and np.allclose(crossed.sum(1), 1)


def test_the_head_gives_the_published_measures():
    cohort = _cohort(240)
    task = GradedOptions("fake")
    outcome = severity(SeverityOptions(task, by="head"), context(cohort, system=Grader()))
    grades = cohort.index.severity
    rows = np.flatnonzero(grades >= 0)
    truth = grades[rows]
    ordinal, pairwise = (part.predictions for part in outcome.parts)
    first = cohort.pictures[rows].reshape(len(rows), -1)[:, 0].astype(float)
    p = from_cumulative(0.1 * (first[:, None] - [50, 100, 150]))
    areas = [roc_auc_score(truth >= k, p[:, k:].sum(1)) for k in (1, 2, 3)]
    np.testing.assert_allclose(measure_one(ordinal, "auroc", replicates=0).value, np.mean(areas))
    for c, (low, high) in enumerate(PAIRS):
        two = (truth == low) | (truth == high)
        score = p[two, high] / (p[two, low] + p[two, high])
        expected = roc_auc_score(truth[two] == high, np.float32(score))
        value = measure_one(pairwise, f"auroc/{pairwise.classes[c]}", replicates=0).value
        np.testing.assert_allclose(value, expected, atol=1e-6)
    error, direction = outcome.derived
    ones = np.ones((1, len(rows)))
    expected_error = np.mean((p @ np.arange(4) - truth) ** 2)
    np.testing.assert_allclose(error.statistic(ones)[0], expected_error, rtol=1e-5)
    right, total = 0.0, 0
    for a, b in zip(range(len(rows) - 1), range(1, len(rows)), strict=True):
        if rows[a] // 4 == rows[b] // 4 and truth[a] != truth[b]:
            change = (p[b] - p[a]) @ np.arange(4)
            right += 0.5 + 0.5 * np.sign(change) * np.sign(truth[b] - truth[a])
            total += 1
    assert len(direction.patients) == total
    np.testing.assert_allclose(direction.statistic(np.ones((1, total)))[0], right / total)


def test_the_probe_learns_and_shares_no_patient():
    test, train = _cohort(120), _cohort(200, seed=1, split="train", first_patient=20)
    options = SeverityOptions(GradedOptions("fake"), train=GradedOptions("fake", split="train"))
    made = context(test, train)
    outcome = severity(options, made)
    assert measure_one(outcome.parts[0].predictions, "auroc", replicates=0).value > 0.85
    same = SeverityOptions(GradedOptions("fake"), train=GradedOptions("fake"))
    with pytest.raises(ValueError, match="fewer than two grades once the patients"):
        severity(same, made)


def test_only_the_wanted_kind_of_grade_counts():
    cohort = _cohort()
    options = SeverityOptions(GradedOptions("fake", sources=("consensus",)), by="head")
    outcome = severity(options, context(cohort, system=Grader()))
    assert np.all(outcome.parts[0].rows % 2 == 1)
    absent = SeverityOptions(GradedOptions("fake", sources=("mined",)), by="head")
    with pytest.raises(ValueError, match="no graded image of source mined"):
        severity(absent, context(cohort, system=Grader()))


def test_what_cannot_be_done_is_said():
    cohort = _cohort()
    with pytest.raises(NotApplicable, match="no severity head"):
        severity(SeverityOptions(GradedOptions("fake"), by="head"), context(cohort))
    with pytest.raises(NotApplicable, match="no severity head"):
        made = context(cohort, system=ImageOnlySystem())
        severity(SeverityOptions(GradedOptions("fake"), by="head"), made)
    with pytest.raises(ValueError, match="needs `train`"):
        severity(SeverityOptions(GradedOptions("fake")), context(cohort))
