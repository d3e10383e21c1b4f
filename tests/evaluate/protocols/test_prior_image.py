# SPDX-License-Identifier: Apache-2.0
"""A prior image helps where the answer is in the change, and only the patient's own prior does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.evaluate.protocols.prior_image import PriorImageOptions, prior_image
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.evaluate.suite import parse_suite, run_suite
from medst_jax.systems.system import Embedding
from tests.evaluate.fakes import FakeSystem, TextOnlyScores, context, pointing, studies

CHANGE = PriorImageOptions(
    TaskOptions("fake", classes=("Brighter",), kind="multi"), test_fraction=0.5
)


class Reader(FakeSystem):
    """Reads an image and its prior at once: features are their difference."""

    required_keys = ("frontal", "prior_frontal")

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        values = super().encode_image(images)
        if "prior_frontal" not in views:
            return values._replace(features=jnp.zeros_like(values.features))
        prior = super().encode_image(views["prior_frontal"])
        return values._replace(features=values.features - prior.features)


def pairs(count: int = 160, system: FakeSystem | None = None) -> EvaluationContext:
    """Two studies a patient; the second is positive when it is brighter than the first."""
    rng = np.random.default_rng(0)
    first = rng.integers(60, 160, count)
    second = first + np.where(rng.random(count) < 0.5, 8, -8)
    directions = np.zeros((2 * count, 3), int)
    directions[0::2, 0], directions[1::2, 0] = first, second
    codes = np.zeros((2 * count, 1), int)
    codes[1::2, 0] = second > first
    patients = np.repeat(np.arange(count), 2)
    made = studies(pointing(directions), ("Brighter",), codes, patients=patients)
    return context(made, system=system or TextOnlyScores())


@pytest.mark.parametrize("system", [TextOnlyScores, Reader])
def test_the_change_needs_the_patients_own_prior(system: type[FakeSystem]) -> None:
    outcome = prior_image(CHANGE, pairs(system=system()))
    found = {p.name: measure_one(p.predictions, "auroc", replicates=0).value for p in outcome.parts}
    assert found["multi"] > 0.95
    assert found["single"] < 0.8 and found["other_prior"] < 0.8
    (gain,) = outcome.derived
    ones = np.ones((1, len(gain.patients)))
    np.testing.assert_allclose(gain.statistic(ones), found["multi"] - found["single"])
    # First studies have no prior and are in no part.
    assert all((part.rows % 2 == 1).all() for part in outcome.parts)


def test_it_runs_in_a_suite() -> None:
    options = dataclasses.asdict(CHANGE)
    suite, tasks = parse_suite(
        {"draws": 50, "tasks": {"t": {"protocol": "prior_image", **options}}}
    )
    rows = run_suite(suite, tasks, pairs(), SystemUnderTest("fake")).rows
    (gain,) = [row for row in rows if row.task == "t/gain"]
    assert gain.low is not None and gain.low > 0


def test_without_earlier_images_nothing_is_asked() -> None:
    alone = studies(pointing(np.eye(3)[np.arange(30) % 3]), ("Brighter",), np.eye(30, 1, dtype=int))
    alone.index.labels[::2] = 1
    with pytest.raises(NotApplicable, match="no image of fake/test has an earlier frontal one"):
        prior_image(CHANGE, context(alone))
