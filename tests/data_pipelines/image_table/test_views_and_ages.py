# SPDX-License-Identifier: Apache-2.0
"""Words for projections, and ages that nobody reaches."""

import math

import pytest

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.image_table.source import ImageTable
from tests.data_pipelines.tables import rows, write_table

VIEWS = {
    "PA": (
        "PA",
        "pa",
        "PA erect",
        "Posteroanterior",
        "postero-anterior",
        "Posterior-Anterior",
        "P.A.",
    ),
    "AP": (
        "AP",
        "AP Supine",
        "AP_horizontal",
        "CHEST AP",
        "Portable",
        "supine",
        "antero-posterior",
    ),
    "LATERAL": (
        "Lateral",
        "LATERAL",
        "lateral left",
        "Left lateral",
        "LAT",
        "L",
        "RL",
        "CXR lat",
        "right LAT",
    ),
    "LL": ("LL", "ll"),
    "other": (
        "swimmers",
        "PA and lateral",
        "AP/LAT",
        "lateral decubitus",
        "Chest 2 views",
        "oblique",
    ),
}


@pytest.mark.parametrize(("view", "word"), [(v, w) for v, words in VIEWS.items() for w in words])
def test_words_for_views(view, word):
    assert cells.view(word) == view


@pytest.mark.parametrize("word", ["Frontal", "FRONTAL", "frontal chest", "view1_frontal", "Front"])
def test_a_frontal_image_of_unknown_direction_counts_as_pa(word):
    assert cells.view(word) == cells.view("", word) == "PA"


@pytest.mark.parametrize(
    ("name", "kind", "view"),
    [
        ("", "", "PA"),
        ("", "Lateral", "LATERAL"),
        ("", "LAT", "LATERAL"),
        ("", "lateral view", "LATERAL"),
        ("AP", "Frontal", "AP"),
        ("PA and lateral", "frontal", "PA"),
        ("PA and lateral", "lateral", "LATERAL"),
        ("AP LATERAL DECUBITUS", "", "AP"),
        ("", "unknown", "other"),
        ("SWIMMERS", "frontal", "PA"),
    ],
)
def test_view_and_view_type(name, kind, view):
    assert cells.view(name, kind) == view


def test_rows_of_no_known_projection_are_said(tmp_path):
    table = [
        {**row, "view": view} for row, view in zip(rows(3), ["PA", "2 views", "x"], strict=True)
    ]
    notes = ImageTable(str(write_table(tmp_path, table)), "mine").notes()
    assert "view: 2 rows of no known projection count as 'other' (line 3)" in notes


@pytest.mark.parametrize(
    "cell", ["411", "414", "155", "121", "999Y", "148", "-5", "", "adult", "9000D0"]
)
def test_ages_nobody_has_are_unknown(cell):
    assert math.isnan(cells.age(cell)) or cell == "9000D0"


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        *(("58", 58), ("058Y", 58), ("58.0", 58), ("120", 120), ("0", 0), ("58 years", 58)),
        *(("013M", 13 / 12), ("6 months", 0.5), ("026W", 26 / 52.18), ("730D", 730 / 365.25)),
    ],
)
def test_ages(cell, years):
    assert cells.age(cell) == pytest.approx(years)


@pytest.mark.parametrize("word", ["en", "EN", "en-US", "en_GB", "English", "eng", ""])
def test_words_for_english(word):
    assert cells.language(word) == "en"


def test_other_languages_stay():
    assert [cells.language(word) for word in ("es", "DE", "ens")] == ["es", "de", "ens"]
