# SPDX-License-Identifier: Apache-2.0
import threading

import numpy as np
import pytest

from medst_jax.data.randomness import generator, reused_generator, rotation, uniforms


def test_draws_are_keyed_by_seed_purpose_and_position():
    keys = [(0, "text", 5), (1, "text", 5), (0, "view", 5), (0, "text", 6), (2**32 - 1, "text", 5)]
    draws = [generator(*key).integers(2**62) for key in keys]
    assert len(set(draws)) == len(keys)
    assert draws == [generator(*key).integers(2**62) for key in keys]


def test_neighbouring_positions_look_independent():
    draws = np.array([generator(0, "text", i).random() for i in range(4000)])
    assert abs(draws.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05


def drawn(draws):
    """Draws of every kind that the input makes, odd numbers of 32-bit words included."""
    return [
        int(draws.integers(7)),
        draws.permutation(5).tolist(),
        draws.random(),
        int(draws.integers(2**40)),
        int(draws.integers(3)),
    ]


@pytest.mark.parametrize("purpose", ["text", "frontal", "lateral", "prior_frontal", "findings"])
@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_the_reused_generator_draws_the_same(seed, purpose):
    for position in (0, 1, 2, 999_983, 2**31, 2**63 + 5, 2**64 - 1):
        expected = drawn(generator(seed, purpose, position))
        assert drawn(reused_generator(seed, purpose, position)) == expected
        if position < 2**63:
            assert drawn(reused_generator(seed, purpose, np.int64(position))) == expected
        # Half a word may be left of an earlier draw; it is no part of the next.
        reused_generator(seed, "other", 3).integers(5)
        assert drawn(reused_generator(seed, purpose, position)) == expected


def test_threads_do_not_share_the_reused_generator():
    mine = reused_generator(0, "text", 1)
    others = []
    thread = threading.Thread(target=lambda: others.append(reused_generator(0, "text", 2)))
    thread.start()
    thread.join()
    assert others[0] is not mine
    assert drawn(mine) == drawn(generator(0, "text", 1))


@pytest.mark.parametrize("count", [2, 3, 50])
def test_rotation_permutes_and_moves_everything(count):
    moved = rotation(count, 0, "pairs")
    np.testing.assert_array_equal(np.sort(moved), np.arange(count))
    assert (moved != np.arange(count)).all()


def test_one_thing_cannot_be_permuted():
    with pytest.raises(ValueError, match="1 studies"):
        rotation(1, 0, "pairs")


def test_uniforms_depend_on_position_alone():
    whole = uniforms(3, "text", np.arange(3000))
    assert ((whole >= 0) & (whole < 1)).all() and len(np.unique(whole)) == 3000
    np.testing.assert_allclose(np.histogram(whole, 10, (0, 1))[0], 300, atol=70)
    some = np.array([2999, 5, 1024, 1023, 5])
    np.testing.assert_array_equal(uniforms(3, "text", some), whole[some])
    for other in (uniforms(4, "text", some), uniforms(3, "frontal", some)):
        assert (other != whole[some]).all()


def test_uniforms_are_those_of_every_version():
    """Runs go on from checkpoints of earlier versions of this package and of numpy."""
    found = uniforms(0, "text", np.array([0, 1, 10**9]))
    np.testing.assert_allclose(
        found, [0.7018922986403067, 0.42327289371886134, 0.9685123238107286], rtol=1e-12
    )
