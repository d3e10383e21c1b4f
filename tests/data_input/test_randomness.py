# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.randomness import generator, rotation


def test_draws_are_keyed_by_seed_purpose_and_position():
    keys = [(0, "text", 5), (1, "text", 5), (0, "view", 5), (0, "text", 6), (2**32 - 1, "text", 5)]
    draws = [generator(*key).integers(2**62) for key in keys]
    assert len(set(draws)) == len(keys)
    assert draws == [generator(*key).integers(2**62) for key in keys]


def test_neighbouring_positions_look_independent():
    draws = np.array([generator(0, "text", i).random() for i in range(4000)])
    assert abs(draws.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05


@pytest.mark.parametrize("count", [2, 3, 50])
def test_rotation_permutes_and_moves_everything(count):
    moved = rotation(count, 0, "pairs")
    np.testing.assert_array_equal(np.sort(moved), np.arange(count))
    assert (moved != np.arange(count)).all()


def test_one_thing_cannot_be_permuted():
    with pytest.raises(ValueError, match="1 studies"):
        rotation(1, 0, "pairs")
