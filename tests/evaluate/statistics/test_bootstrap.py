# SPDX-License-Identifier: Apache-2.0
"""The bootstrap against resampling by copying, and its coverage."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medst_jax.evaluate.statistics import bootstrap, metrics


def _mean_of(values: np.ndarray) -> bootstrap.Statistic:
    return lambda weights: weights @ values / weights.sum(1)


def test_patients_are_drawn_whole() -> None:
    patients = np.array([7, 7, 3, 9, 3, 7])
    weights = np.concatenate(list(bootstrap.patient_weights(patients, replicates=50, seed=1)))
    assert weights.shape == (50, 6)
    for patient in (3, 7, 9):
        same = weights[:, patients == patient]
        assert (same == same[:, :1]).all()
    people = weights[:, [0, 2, 3]].sum(1)
    assert (people == 3).all()


def test_agrees_with_resampling_by_copying() -> None:
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 60, 200)
    targets = rng.random(200) < 0.4
    scores = targets + rng.normal(0, 1.2, 200)
    found = bootstrap.clustered_interval(
        lambda weights: metrics.auroc(targets, scores, weights), patients, seed=3
    )
    samples = []
    people = np.unique(patients)
    members = {p: np.flatnonzero(patients == p) for p in people}
    for _ in range(800):
        rows = np.concatenate([members[p] for p in rng.choice(people, len(people))])
        samples.append(metrics.auroc(targets[rows], scores[rows], np.ones((1, len(rows))))[0])
    low, high = np.quantile(samples, [0.025, 0.975])
    assert found.value == pytest.approx(roc_auc_score(targets, scores))
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_covers_the_truth_where_images_of_a_patient_are_alike() -> None:
    rng = np.random.default_rng(5)
    clustered = independent = 0
    for trial in range(200):
        effect = rng.normal(0, 1, 40)
        patients = np.repeat(np.arange(40), 5)
        statistic = _mean_of(effect[patients] + rng.normal(0, 0.3, 200))
        _, low, high = bootstrap.clustered_interval(statistic, patients, replicates=300, seed=trial)
        clustered += low <= 0 <= high
        _, low, high = bootstrap.clustered_interval(
            statistic, np.arange(200), replicates=300, seed=trial
        )
        independent += low <= 0 <= high
    assert 0.89 <= clustered / 200 <= 0.98
    assert independent / 200 < 0.75  # what ignoring patients would claim


def test_seed_decides_and_blocks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    patients, values = np.arange(30) % 11, np.linspace(0, 1, 30)
    whole = bootstrap.clustered_interval(_mean_of(values), patients, replicates=100, seed=4)
    monkeypatch.setattr(bootstrap, "_BLOCK", 30 * 7)
    assert bootstrap.clustered_interval(_mean_of(values), patients, replicates=100, seed=4) == whole
    assert bootstrap.clustered_interval(_mean_of(values), patients, replicates=100, seed=5) != whole


def test_paired_difference_averages_seeds_within_a_draw() -> None:
    rng = np.random.default_rng(6)
    patients = np.repeat(np.arange(50), 2)
    noise = rng.normal(0, 1, 100)
    better = [_mean_of(noise + 0.1 + 0.01 * s) for s in range(3)]
    worse = [_mean_of(noise + 0.01 * s) for s in range(3)]
    value, low, high = bootstrap.paired_difference(better, worse, patients)
    # The shared noise cancels in every draw, so the interval has no width.
    assert (value, low, high) == pytest.approx((0.1, 0.1, 0.1))
    assert bootstrap.clustered_interval(better[0], patients).high > 0.2


def test_paired_difference_needs_both_sides() -> None:
    with pytest.raises(ValueError, match="got 0 and 1"):
        bootstrap.paired_difference([], [_mean_of(np.ones(2))], np.arange(2))
