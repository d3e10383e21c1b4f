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


def test_probe_is_scikit_learns_and_the_bootstrap_has_its_peer_beside():
    measured = growth.probe(0.002)
    assert measured["images"] == 200 and measured["same"]
    measured = growth.bootstrap(0.01)
    assert 0.7 < measured["mean_auroc"] < 0.8  # one standard deviation apart: 0.76
    assert measured["sklearn_cpu_ms_a_replicate"] >= 0


def test_label_tables_are_read_whole():
    assert growth.label_tables(0.01)["units"] == 3  # 2,263 studies by the thousand
