# SPDX-License-Identifier: Apache-2.0
"""The measurements of what grows, at a small share of their size."""

import pytest

from medst_jax.benchmarks import growth


def test_made_films_are_as_far_apart_as_real_ones_and_planted_ones_are_found():
    measured = growth.look_alikes(0.002)
    assert measured["films"] == [754, 224]
    assert measured["found"] == 100
    assert measured["nearest_bits"][0] > 15
    assert measured["cpu_s"] >= 0


def test_ranks_of_a_small_gallery():
    measured = growth.retrieval(0.005)
    assert measured["gallery"] == 150
    assert measured["median_rank"] == pytest.approx(1.0)
