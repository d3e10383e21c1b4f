# SPDX-License-Identifier: Apache-2.0
"""Nested intervals, paired tests and Holm's correction, against direct loops."""

import dataclasses
import math

import numpy as np
import pytest
from etils import epath
from sklearn.metrics import balanced_accuracy_score

from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.predictions import Predictions, write_predictions
from medst_jax.reality_check.replicate_cache import FOLDER, cached_replicates
from medst_jax.reality_check.statistics import (
    Replicates,
    bootstrap_replicates,
    difference,
    estimate,
    gather,
    holm,
)

PATIENTS = np.arange(120) // 2
TARGETS = np.arange(120) % 3


def made(shift: float, seed: int, repeats: int = 1) -> Predictions:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(repeats, 120, 3)).astype(np.float32)
    scores[:, np.arange(120), TARGETS] += shift
    return Predictions("single", PATIENTS, TARGETS, scores, ("a", "b", "c"))


def sampled(runs: list[Predictions], metric: str, **options: int) -> Replicates:
    return gather([bootstrap_replicates(run, metric, **options) for run in runs])


def test_the_value_is_the_mean_over_seeds_and_repeats() -> None:
    runs = [made(0.8, seed, repeats=4) for seed in range(3)]
    expected = np.mean(
        [balanced_accuracy_score(TARGETS, run.predicted(k)) for run in runs for k in range(4)]
    )
    found = estimate(sampled(runs, "balanced_accuracy", replicates=50))
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_the_interval_over_patients_is_that_of_a_loop() -> None:
    runs = [made(0.8, seed) for seed in range(2)]
    (weights,) = bootstrap.patient_weights(PATIENTS, replicates=60, seed=5)
    samples = [
        np.mean([balanced_accuracy_score(TARGETS, r.predicted(), sample_weight=w) for r in runs])
        for w in weights
    ]
    found = estimate(sampled(runs, "balanced_accuracy", replicates=60, seed=5))
    assert found.test == pytest.approx(np.quantile(samples, [0.025, 0.975]), abs=1e-9)


def test_seeds_that_differ_widen_only_the_second_interval() -> None:
    alike = estimate(sampled([made(1.0, 0)] * 3, "auroc", replicates=400))
    assert alike.both is not None
    assert alike.both == pytest.approx(alike.test, abs=1e-12)
    apart = estimate(sampled([made(s, 0) for s in (0.2, 1.0, 1.8)], "auroc", replicates=400))
    assert apart.both is not None

    def width(bounds: tuple[float, float]) -> float:
        return bounds[1] - bounds[0]

    assert width(apart.both) > 1.5 * width(apart.test)
    assert estimate(sampled([made(1.0, 0)], "auroc", replicates=20)).both is None


def test_repeats_widen_the_second_interval() -> None:
    runs = [made(0.8, seed, repeats=5) for seed in range(3)]
    # Repeats of great difference: one of them guesses.
    runs = [
        dataclasses.replace(run, scores=np.concatenate([run.scores[:4], run.scores[4:] * 0]))
        for run in runs
    ]
    found = estimate(sampled(runs, "balanced_accuracy", replicates=400))
    assert found.both is not None and found.both[0] < found.test[0]


def test_a_paired_difference_and_its_p_value() -> None:
    good, poor = [made(1.5, s) for s in range(3)], [made(0.0, s + 9) for s in range(3)]
    found = difference(
        sampled(good, "balanced_accuracy", replicates=999),
        sampled(poor, "balanced_accuracy", replicates=999),
    )
    assert found.low > 0 and found.p < 1e-4  # 999 replicates alone could not say less than 0.002
    back = difference(
        sampled(poor, "balanced_accuracy", replicates=999),
        sampled(good, "balanced_accuracy", replicates=999),
    )
    assert (back.value, back.p) == (pytest.approx(-found.value), found.p)
    none = difference(
        sampled(good, "balanced_accuracy", replicates=99),
        sampled(good, "balanced_accuracy", replicates=99),
    )
    assert (none.value, none.p) == (0.0, 1.0)
    other = dataclasses.replace(good[0], patients=PATIENTS + 1)
    with pytest.raises(ValueError, match="different images"):
        difference(
            sampled(good, "balanced_accuracy", replicates=9),
            bootstrap_replicates(other, "balanced_accuracy", replicates=9),
        )
    with pytest.raises(ValueError, match="different replicates"):
        gather(
            [
                bootstrap_replicates(good[0], "auroc", replicates=9),
                bootstrap_replicates(good[0], "auroc", replicates=9, seed=1),
            ]
        )


@pytest.mark.parametrize("shift", [0.5, 1.5, 2.5, 3.2, 4.5])
def test_the_p_value_of_normal_replicates_is_that_of_their_distribution(shift: float) -> None:
    noise = np.random.default_rng(1).normal(size=(1, 1, 1999))
    patients = np.arange(5)
    moved = Replicates(patients, np.full((1, 1), shift), shift + noise, 0)
    still = Replicates(patients, np.zeros((1, 1)), np.zeros_like(noise), 0)
    expected = math.erfc(shift / math.sqrt(2))
    assert difference(moved, still).p == pytest.approx(expected, rel=0.35, abs=1e-3)
    if shift > 4:
        assert difference(moved, still).p < 2e-5


def test_a_difference_without_any_spread_claims_no_more_than_its_replicates() -> None:
    patients, ones = np.arange(5), np.ones((1, 1, 99))
    found = difference(
        Replicates(patients, ones[..., 0], ones, 0),
        Replicates(patients, 0 * ones[..., 0], 0 * ones, 0),
    )
    assert found.p == pytest.approx(2 / 100)


def test_holm_against_a_worked_example() -> None:
    # Sorted .005 .01 .03 .04: times 4, 3, 2, 1, never falling.
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_replicates_are_cached_until_the_predictions_change(tmp_path) -> None:
    path, run = epath.Path(tmp_path) / "predictions.npz", made(0.8, 0, repeats=2)
    write_predictions(path, {"names": run})
    options = dict(replicates=30, seed=3)
    first = cached_replicates(path, "names", run, "auroc", **options)
    expected = bootstrap_replicates(run, "auroc", **options)
    np.testing.assert_array_equal(first.values, expected.values)
    (file,) = (tmp_path / FOLDER).iterdir()
    # What is read back is the file: another content shows.
    np.savez(file, whole=first.whole + 1, values=first.values)
    np.testing.assert_array_equal(
        cached_replicates(path, "names", run, "auroc", **options).whole, first.whole + 1
    )
    assert cached_replicates(path, "names", run, "f1", **options).whole.shape == (1, 2)
    changed = made(0.1, 1)
    write_predictions(path, {"names": changed, "more": changed})
    after = cached_replicates(path, "names", changed, "auroc", **options)
    np.testing.assert_array_equal(
        after.values, bootstrap_replicates(changed, "auroc", **options).values
    )
