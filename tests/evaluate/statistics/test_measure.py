# SPDX-License-Identifier: Apache-2.0
"""Which numbers get an interval, and what predictions survive on disk."""

import pathlib

import numpy as np
import pytest

from medst_jax.evaluate.statistics.measure import measure, measure_one, statistic
from medst_jax.evaluate.statistics.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)


def _single(counts: tuple[int, ...], repeats: int = 1) -> Predictions:
    targets = np.repeat(np.arange(len(counts)), counts)
    scores = np.random.default_rng(0).normal(size=(repeats, len(targets), len(counts)))
    scores[:, np.arange(len(targets)), targets] += 1
    names = tuple("abcdef"[: len(counts)])
    return Predictions("single", np.arange(len(targets)), targets, scores, names)


def test_fewer_than_twenty_positives_give_no_interval() -> None:
    found = {m.metric: m for m in measure(_single((30, 25, 19)), replicates=50)}
    assert found["balanced_accuracy"].small and found["balanced_accuracy"].low is None
    assert found["auroc/c"].small and found["auroc/c"].high is None
    assert not found["auroc/a"].small and found["auroc/a"].low < found["auroc/a"].value
    assert not found["auroc"].small


def test_repeats_are_averaged() -> None:
    p = _single((30, 30), repeats=3)
    each = [
        measure_one(
            Predictions(p.kind, p.patients, p.targets, p.scores[s : s + 1], p.classes),
            "balanced_accuracy",
            replicates=0,
        ).value
        for s in range(3)
    ]
    assert measure_one(p, "balanced_accuracy", replicates=0).value == pytest.approx(np.mean(each))


def test_multi_label_auroc_leaves_unknown_images_out() -> None:
    targets = np.array([[1, 0], [0, -1], [1, 1], [0, -1]], np.int8)
    scores = np.array([[[2.0, 1], [1, 9], [3, 2], [0, 9]]])
    p = Predictions("multi", np.arange(4), targets, scores, ("a", "b"))
    found = {m.metric: m for m in measure(p, replicates=0)}
    assert found["auroc/b"].value == 1.0 and found["auroc/b"].n == 2
    assert found["auroc"].value == 1.0 and found["auroc"].small


def test_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match="no metric 'recall@1'"):
        statistic(_single((3, 3)), "recall@1")


def test_predictions_round_trip(tmp_path: pathlib.Path) -> None:
    ranks = Predictions(
        "ranks", np.arange(2), np.zeros(2, np.int8), np.ones((1, 2, 1), np.float32), ()
    )
    named = {"probe/1 shots": _single((3, 4)), "retrieval/image to text": ranks}
    write_predictions(tmp_path / "p.npz", named)
    back = read_predictions(tmp_path / "p.npz")
    assert list(back) == list(named)
    for name, p in named.items():
        assert back[name].classes == p.classes and back[name].kind == p.kind
        np.testing.assert_array_equal(back[name].scores, p.scores)
        np.testing.assert_array_equal(back[name].targets, p.targets)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="predictions of 3 images"):
        Predictions("single", np.arange(3), np.zeros(3, int), np.zeros((1, 2, 2)), ("a", "b"))


def test_groups_survive_on_disk_and_follow_a_choice(tmp_path: pathlib.Path) -> None:
    p = _single((30, 25))
    views = np.where(np.arange(55) % 2 == 0, "PA", "AP")
    grouped = Predictions(p.kind, p.patients, p.targets, p.scores, p.classes, {"view": views})
    write_predictions(tmp_path / "p.npz", {"a": grouped, "a/b": p})
    read = read_predictions(tmp_path / "p.npz")
    assert list(read["a"].groups["view"]) == list(views) and not read["a/b"].groups
    chosen = read["a"].only(views == "AP")
    assert len(chosen.patients) == 27 and set(chosen.groups["view"]) == {"AP"}
    np.testing.assert_array_equal(chosen.scores, p.scores[:, views == "AP"])
    with pytest.raises(ValueError, match=r"groups\['view'\] has shape \(3,\)"):
        Predictions(p.kind, p.patients, p.targets, p.scores, p.classes, {"view": views[:3]})


def test_a_score_that_is_no_number_is_refused() -> None:
    p = _single((3, 3))
    scores = p.scores.copy()
    scores[0, 4, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 6 images have a score that is NaN"):
        Predictions(p.kind, p.patients, p.targets, scores, p.classes)


def test_harmonic_mean_of_the_first_and_the_other_classes() -> None:
    p = _single((30, 25, 20, 22))
    recalls = [(p.predicted()[p.targets == c] == c).mean() for c in range(4)]
    base, new = np.mean(recalls[:1]), np.mean(recalls[1:])
    value = measure_one(p, "harmonic_mean/1", replicates=0).value
    assert value == pytest.approx(2 * base * new / (base + new))
    for wrong in ("harmonic_mean/0", "harmonic_mean/4", "harmonic_mean/x"):
        with pytest.raises(ValueError, match="no metric"):
            statistic(p, wrong)
