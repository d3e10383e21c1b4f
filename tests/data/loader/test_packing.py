# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.loader.packing import cut_windows, full_windows, pack_epoch, sequence_rows


def generator(seed=0):
    return np.random.default_rng(seed)


def test_windows_cover_each_patient_in_order_and_are_balanced():
    counts = np.array([1, 4, 5, 9, 2])
    starts, sizes = cut_windows(counts, 4, generator())
    np.testing.assert_array_equal(starts, np.cumsum(sizes) - sizes)
    assert sizes.max() <= 4
    ends = np.cumsum(counts)
    for first, last in zip(ends - counts, ends, strict=True):
        own = sizes[(starts >= first) & (starts < last)]
        assert own.sum() == last - first and np.ptp(own) <= 1


@pytest.mark.parametrize(("length", "rows"), [(2, 8), (4, 8), (6, 16)])
def test_packs_are_full_and_hold_no_study_twice(length, rows):
    counts = generator().integers(1, 7, 500)
    patient = np.repeat(np.arange(500), counts)
    packs = pack_epoch(counts, length, rows, generator(1))
    assert counts.sum() - packs.order.size < rows
    assert len(np.unique(packs.order)) == packs.order.size
    for order, window in zip(packs.order, packs.window, strict=True):
        for number in range(window[-1] + 1):
            members = order[window == number]
            assert 1 <= len(members) <= length
            assert (np.diff(members) == 1).all() and len(set(patient[members])) == 1


def test_little_is_wasted_at_one_to_six_studies():
    counts = generator().integers(1, 7, 5000)
    packs = pack_epoch(counts, 4, 8, generator(1))
    _, sizes = cut_windows(counts, 4, generator(1))
    left_over = counts.sum() - packs.order.size
    # A cut window costs at most its own rows.
    assert (left_over + 4 * packs.cut) / counts.sum() <= 0.05
    assert packs.cut <= 0.001 * len(sizes)


def test_where_nothing_stands_alone_windows_are_cut():
    packs = pack_epoch(np.full(60, 3), 3, 4, generator())
    assert packs.cut > 0 and len(np.unique(packs.order)) == 180


def test_epochs_differ_by_their_generator_only():
    counts = generator().integers(1, 7, 100)
    first, again, other = (pack_epoch(counts, 4, 8, generator(s)).order for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_sequence_rows_skip_single_studies():
    rows = sequence_rows(np.array([0, 0, 1, 2, 2, 2]), 4)
    np.testing.assert_array_equal(rows, [[0, 1, -1, -1], [3, 4, 5, -1], [-1] * 4])
    assert (sequence_rows(np.arange(6), 2) == -1).all()


def test_full_windows_hold_a_whole_sequence_and_the_rest_stands_alone():
    starts, sizes = full_windows(np.array([1, 4, 7, 8, 3]), 4)
    np.testing.assert_array_equal(sizes, [1, 4, 4, 1, 1, 1, 4, 4, 1, 1, 1])
    np.testing.assert_array_equal(starts, np.cumsum(sizes) - sizes)
    counts = np.random.default_rng(0).integers(1, 12, 60)
    packs = pack_epoch(counts, 4, 8, np.random.default_rng(1), full=True)
    lengths = [np.bincount(row) for row in packs.window]
    # Where an epoch ends, nothing else is left to fill a pack with.
    assert packs.cut <= 2 and {n for each in lengths[:-3] for n in each.tolist()} == {1, 4}
    assert len(np.unique(packs.order)) == packs.order.size >= counts.sum() - 8
