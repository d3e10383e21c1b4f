# SPDX-License-Identifier: Apache-2.0
"""Thresholds come from the validation images; values are scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from medst_jax.evaluate.protocols.parts.validation_thresholds import best_threshold
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions, zero_shot
from medst_jax.evaluate.statistics.metrics import binary_scores
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import context, pointing, studies

NAMES = ("East", "North")


def test_scores_of_decisions_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, answers = rng.random(40) < 0.3, rng.random(40) < 0.5
    weights = rng.integers(0, 3, (3, 40))
    found = binary_scores(truth, answers, weights)
    for row, times in enumerate(weights):
        t, a = np.repeat(truth, times), np.repeat(answers, times)
        assert found["mcc"][row] == pytest.approx(matthews_corrcoef(t, a))
        assert found["f1"][row] == pytest.approx(f1_score(t, a))
    none = binary_scores(truth, np.zeros(40, bool), np.ones((1, 40)))
    assert none["mcc"] == 0 and none["f1"] == 0


def cohort(split: str, seed: int):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (60, 2))
    directions = rng.integers(20, 160, (60, 3))
    directions[:, :2] += codes * 70
    return studies(
        pointing(directions), NAMES, codes, patients=np.arange(60) + 100 * seed, split=split
    )


def test_the_test_images_are_decided_by_the_validation_images_threshold() -> None:
    made = context(cohort("test", 0), cohort("val", 1))
    task = TaskOptions("fake", classes=NAMES, kind="multi")
    validation = TaskOptions("fake", split="val")
    options = ZeroShotOptions(task, mode="text", prompts="names", validation=validation)
    outcome = zero_shot(options, made)
    found = {d.metric: d.statistic(np.ones((1, 60)))[0] for d in outcome.derived}
    assert {d.part for d in outcome.derived} == {"thresholds"}
    scores = {
        split: made.embed("fake", split, np.arange(60)).global_[:, :2] for split in ("test", "val")
    }
    values = {"mcc": [], "f1": []}
    for c, name in enumerate(NAMES):
        known, truth = (
            made.data.studies("fake", split).index.labels[:, c] for split in ("val", "test")
        )
        cuts = np.sort(scores["val"][:, c])
        chosen = max(cuts, key=lambda cut: matthews_corrcoef(known, scores["val"][:, c] >= cut))
        assert best_threshold(known == 1, scores["val"][:, c]) == pytest.approx(chosen)
        answers = scores["test"][:, c] >= chosen
        values["mcc"].append(matthews_corrcoef(truth, answers))
        values["f1"].append(f1_score(truth, answers))
        for metric in values:
            assert found[f"{metric}/{name}"] == pytest.approx(values[metric][-1])
    for metric, each in values.items():
        assert found[metric] == pytest.approx(np.mean(each))
    made.data.studies("fake", "val").index.labels[:, 1] = 0
    again = context(*(made.data.studies("fake", split) for split in ("test", "val")))
    with pytest.raises(NotApplicable, match="no threshold of North"):
        zero_shot(options, again)
    with pytest.raises(ValueError, match="kind is 'single'"):
        ZeroShotOptions(TaskOptions("fake"), validation=validation)
