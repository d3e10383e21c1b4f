# SPDX-License-Identifier: Apache-2.0
"""The search for the largest batch that fits: right, and with few compiles."""

import types

import pytest

from medst_jax.plan.fit import largest_fit

CAPACITY = 15_750


def search(peak_of, start=32, step=1):
    """(the batch found, batches tried) where memory is what `peak_of` says."""
    tried = []

    def plan_of(batch):
        tried.append(batch)
        peak = peak_of(batch)
        memory = types.SimpleNamespace(fits=peak <= CAPACITY, peak=peak, capacity=CAPACITY)
        return types.SimpleNamespace(memory=memory, per_chip_batch=batch)

    return largest_fit(plan_of, start, step).per_chip_batch, tried


@pytest.mark.parametrize("start", [1, 32, 100_000])
@pytest.mark.parametrize(
    "peak_of",
    [
        lambda n: 100 + n,
        lambda n: 14_000 + n,
        lambda n: 60 * n,
        lambda n: 3 * n + n * n // 500,  # pairs of a dense loss
        lambda n: 2_000 + 40 * (-(-n // 8) * 8),  # padded
    ],
)
def test_it_finds_the_limit_to_an_eighth(peak_of, start):
    found, tried = search(peak_of, start)
    limit = max(n for n in range(1, 20_000) if peak_of(n) <= CAPACITY)
    assert limit * 7 // 8 - 1 <= found <= limit
    assert len(tried) == len(set(tried)) <= 20


def test_a_small_model_takes_few_compiles():
    found, tried = search(lambda n: 90 + 2 * n)
    assert found > 6_800 and len(tried) <= 6


def test_multiples_of_a_step():
    found, tried = search(lambda n: 1_000 + 120 * n, step=8)
    assert found == 120 and all(batch % 8 == 0 for batch in tried)


def test_where_nothing_fits_the_smallest_says_so():
    found, tried = search(lambda n: 20_000 + n, start=64, step=4)
    assert found == 4 and tried[-1] == 4
