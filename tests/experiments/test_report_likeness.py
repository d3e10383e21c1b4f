# SPDX-License-Identifier: Apache-2.0
"""Limits of likeness that give the shares of pairs asked for."""

import numpy as np
import pytest

from experiments.report_likeness import limits


def test_the_limits_give_the_shares():
    alike = np.random.default_rng(0).permutation(np.linspace(0.9, 1.0, 10_001))
    high, low = limits(alike, 0.02, 0.03)
    assert np.mean(alike > high) == pytest.approx(0.02, abs=1e-3)
    assert np.mean((alike > low) & (alike <= high)) == pytest.approx(0.03, abs=1e-3)


def test_equal_cosines_stay_together_and_no_negatives_is_an_error():
    alike = np.array([0.0] * 6 + [0.5] * 3 + [1.0])
    assert limits(alike, 0.1, 0.3) == (0.5, 0.0)
    with pytest.raises(ValueError, match=r"0.6 and 0.4 leave no pairs"):
        limits(alike, 0.6, 0.4)
