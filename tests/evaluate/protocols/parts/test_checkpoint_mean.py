# SPDX-License-Identifier: Apache-2.0
"""Checkpoints asked together: CheXzero's numbers, which ones are taken, what cannot average."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from medst_jax.evaluate.protocols.parts.checkpoint_mean import best_checkpoints, odds_of_the_mean
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions, zero_shot
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import WORDS, FakeSystem, context, pointing, studies

NAMES = ("East", "North", "Up")
TASK = TaskOptions("fake", classes=NAMES, kind="multi")
HELD = TaskOptions("fake", split="val", classes=NAMES)


def test_the_numbers_of_the_official_ensemble(shared):
    o = dict(np.load(shared / "oracle" / "chexzero.npz"))
    differences = o["cosine_positive"] - o["cosine_negative"]
    odds = odds_of_the_mean(list(differences))
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), o["ensemble"], rtol=1e-12)
    assert odds.dtype == np.float64
    np.testing.assert_array_equal(odds_of_the_mean([differences[0]]), differences[0])
    single = odds_of_the_mean(list(differences.astype(np.float32)))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, odds, atol=2e-5)


def test_the_best_are_those_of_the_highest_mean_area():
    targets = np.array([[1, 0], [1, -1], [0, 1], [0, 1]], np.int8)
    perfect = np.array([[1, 0], [1, 9], [0, 1], [0, 1]], np.float32)
    half = perfect * [1, 0]
    scores = [-perfect, half, perfect, half]
    assert best_checkpoints(targets, scores, 1) == (2,)
    assert best_checkpoints(targets, scores, 2) == (1, 2)
    assert best_checkpoints(targets, scores, 3) == (1, 2, 3)
    with pytest.raises(NotApplicable, match="leave best_checkpoints out"):
        best_checkpoints(np.ones_like(targets), scores, 1)


class Tilted(FakeSystem):
    """The word "down" turned from "up": the further, the less its pairs tell."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        words = np.asarray(self.words[...]).copy()
        words[WORDS.index("down")] = [np.sin(angle), 0, np.cos(angle)]
        self.words = nnx.Param(words)


def bench(*systems):
    directions = np.random.default_rng(3).integers(1, 200, (40, 3))
    codes = (directions > 100).astype(np.int8)
    sets = [studies(pointing(directions), NAMES, codes, split=split) for split in ("test", "val")]
    first, *others = (context(*sets, system=system) for system in systems)
    return dataclasses.replace(first, further=tuple(others))


def predictions(options, *systems):
    return zero_shot(options, bench(*systems)).parts[0].predictions


def probability(options, *systems):
    return 1 / (1 + np.exp(-predictions(options, *systems).scores[0].astype(np.float64)))


def test_a_suite_averages_all_or_the_best_by_validation_images():
    pairs = ZeroShotOptions(TASK, mode="pairs", affirm="{}", deny="down {}")
    members = [Tilted(angle) for angle in (0.2, 3.0, 1.5)]
    alone = [probability(pairs, member) for member in members]
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    np.testing.assert_allclose(probability(pairs, *members), np.mean(alone, axis=0), atol=1e-6)
    # The images of both splits are the same, so the best by one are the best by the other.
    areas = [measure_one(predictions(pairs, m), "auroc", replicates=0).value for m in members]
    order = np.argsort(areas)[::-1]
    assert len(set(areas)) == 3
    for count in (1, 2):
        chosen = dataclasses.replace(pairs, validation=HELD, best_checkpoints=count)
        wanted = np.mean([alone[k] for k in order[:count]], axis=0)
        np.testing.assert_allclose(probability(chosen, *members), wanted, atol=1e-6)
    more = dataclasses.replace(pairs, validation=HELD, best_checkpoints=9)
    np.testing.assert_allclose(probability(more, *members), np.mean(alone, axis=0), atol=1e-6)


def test_what_has_no_probability_of_a_pair_is_not_averaged():
    several = bench(Tilted(0.2), Tilted(1.0))
    task = dict(dataset="fake", classes=NAMES)
    for mode in ("text", "prototypes"):
        asked = parse_protocol(dict(protocol="zero_shot", task=task, mode=mode), "suite")
        assert asked.run(bench(Tilted(0.2))).parts
        with pytest.raises(NotApplicable, match="zero_shot with mode='pairs' alone"):
            asked.run(several)
    with pytest.raises(ValueError, match="best_checkpoints is 3: .* give both"):
        ZeroShotOptions(TASK, mode="pairs", best_checkpoints=3)
    with pytest.raises(ValueError, match="give both"):
        ZeroShotOptions(TASK, mode="text", validation=HELD, best_checkpoints=3)
