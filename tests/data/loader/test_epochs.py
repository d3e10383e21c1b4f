# SPDX-License-Identifier: Apache-2.0
"""The order in which a data set's studies are drawn."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from medst_jax.data.loader.epoch_cache import EpochCache
from medst_jax.data.loader.epochs import ShuffledEpochs


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_every_epoch_draws_each_study_once(size):
    epochs = ShuffledEpochs("site", size, seed=5)(np.arange(3 * size)).reshape(3, size)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(size), (3, 1)))
    if size == 1000:
        assert (epochs[0] != epochs[1]).any() and (epochs[1] != epochs[2]).any()


def test_orders_depend_on_seed_and_entry_and_nothing_else():
    def order(*args, **options):
        return ShuffledEpochs(*args, **options)(np.arange(50)).tolist()

    own = order("site", 50, seed=1)
    assert order("site", 50, seed=1) == own
    assert order("site", 50, seed=2) != own
    assert order("other", 50, seed=1) != own


def test_the_order_is_that_of_every_version():
    """Runs go on from checkpoints of earlier versions of this package and of numpy."""
    epochs = ShuffledEpochs("simulated_cxr_m", 10, seed=0)
    assert "".join(map(str, epochs(np.arange(20)))) == "58607413927156328409"


def test_any_thread_and_any_copy_finds_the_same_studies():
    """Of three studies, a batch of 64 meets 22 epochs, in no order."""
    epochs = ShuffledEpochs("site", 3, seed=0)
    expected = epochs(np.arange(64))
    copy = pickle.loads(pickle.dumps(epochs))
    places = np.random.default_rng(0).permutation(64).repeat(8).reshape(64, 8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(copy, places))
    np.testing.assert_array_equal(found, expected[places])


def test_values_of_the_latest_two_epochs_are_cached():
    computed = []
    cache = EpochCache(lambda number: computed.append(number) or number * 10)
    assert [cache(n) for n in (0, 1, 1, 0, 2, 2, 0, 1)] == [0, 10, 10, 0, 20, 20, 0, 10]
    assert computed == [0, 1, 2, 0]
