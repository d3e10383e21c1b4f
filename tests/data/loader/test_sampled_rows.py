# SPDX-License-Identifier: Apache-2.0
"""The places of a mixture, against grain's."""

import grain
import numpy as np
import pytest

from medst_jax.data.loader.sampled_rows import mix_positions


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 1.0), (0.5, 0.25, 0.25), (3.0, 0.7, 1.1, 9.0)])
def test_places_are_those_of_grain(weights):
    parts = [
        grain.MapDataset.range(10**6).map(lambda k, number=number: (number, k))
        for number in range(len(weights))
    ]
    expected = grain.MapDataset.mix(parts, weights=weights)
    positions = np.random.default_rng(0).integers(0, 10**5, 300)
    corpora, numbers = mix_positions(weights, positions)
    assert [(int(n), int(k)) for n, k in zip(corpora, numbers, strict=True)] == [
        expected[int(position)] for position in positions
    ]


def test_every_element_of_every_data_set_comes_once_and_shares_are_kept():
    weights = (2.0, 1.0, 0.3)
    corpora, numbers = mix_positions(weights, np.arange(3300))
    for number, weight in enumerate(weights):
        here = numbers[corpora == number]
        np.testing.assert_array_equal(here, np.arange(len(here)))
        assert abs(len(here) - 3300 * weight / 3.3) <= 1


def test_far_positions_are_exact():
    far = np.array([10**12, 10**12 + 1])
    corpora, numbers = mix_positions((1.0, 1.0), far)
    np.testing.assert_array_equal(np.sort(corpora), [0, 1])
    np.testing.assert_array_equal(numbers, [5 * 10**11] * 2)
