# SPDX-License-Identifier: Apache-2.0
"""Both gates: what a taught net shows, and the difference that is seen four times of five."""

import numpy as np
import pytest

from experiments.gating import gate, smallest_difference
from medst_jax.evaluate.statistics.predictions import Predictions


def runs(shift: float, seeds: int, draw: int = 7, count: int = 400) -> list[Predictions]:
    rng = np.random.default_rng(draw)
    made = []
    for _ in range(seeds):
        hits = (rng.random((count, 1)) < 0.5 + shift).astype(np.float32)
        made.append(Predictions.measured(np.arange(count), hits, ("accuracy",)))
    return made


@pytest.mark.parametrize(("error", "spread", "seeds"), [(0.01, 0.0, 3), (0.01, 0.04, 3)])
def test_the_smallest_difference_is_seen_four_times_of_five(error, spread, seeds):
    rng = np.random.default_rng(0)
    true = smallest_difference(error, spread, seeds)
    deviation = (error**2 + spread**2 / seeds) ** 0.5
    seen = true + deviation * rng.normal(size=200_000) - 1.959964 * error > 0
    assert seen.mean() == pytest.approx(0.8, abs=0.005)


def test_a_net_that_reads_passes_and_one_that_guesses_does_not():
    good, none = runs(0.3, 2), runs(0.0, 2)
    found = gate(good, none, "accuracy", least=0.03, seeds=3)
    assert found.signal and found.seeds == 2 and found.effect == pytest.approx(0.3, abs=0.05)
    same = gate(none, runs(0.0, 2, draw=8), "accuracy", least=0.03, seeds=3)
    assert not same.signal and same.effect == pytest.approx(0.0, abs=0.05)
    assert not same.precision  # of 400 patients a difference of 0.03 is not seen


def test_more_patients_see_smaller_differences():
    good, none = runs(0.1, 1), runs(0.0, 1)
    few = gate(good, none, "accuracy", least=0.03, seeds=1)
    many = gate(good, none, "accuracy", least=0.03, seeds=1, share=0.04)
    assert many.smallest == pytest.approx(few.smallest / 5)
    assert many.precision and not few.precision
