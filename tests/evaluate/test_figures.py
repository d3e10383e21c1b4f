# SPDX-License-Identifier: Apache-2.0
"""Figures show names as they are written, in colours that can be told apart."""

import html

import cv2
import numpy as np
import pytest

from medst_jax.evaluate.report import figures
from medst_jax.evaluate.report.colours import palette
from medst_jax.evaluate.statistics.predictions import Predictions

HOSTILE = (
    "a$\\frac$b",
    "$$",
    "_hidden",
    "<script>alert(1)</script>",
    "תפליט פלאורלי",
    "胸水",
    "very long name " * 20,
    "turned\u202e round",
    "nul\0 and half \ud800",
    "a --> b]]>",
)


def _predictions(names: tuple[str, ...]) -> Predictions:
    count = 20 * len(names)
    scores = np.random.default_rng(0).normal(size=(1, count, len(names)))
    return Predictions("single", np.arange(count), np.arange(count) % len(names), scores, names)


@pytest.mark.parametrize(
    "draw", [figures.roc_figure, figures.precision_recall_figure, figures.confusion_figure]
)
def test_names_of_classes_stand_as_they_are_written(draw) -> None:
    text = draw(_predictions(HOSTILE))
    text.encode()
    for name in (
        "a$\\frac$b",
        "$$",
        "_hidden",
        "<script>alert(1)</script>",
        "胸水",
        "תפליט פלאורלי",
    ):
        assert html.escape(name, quote=False) in text, name
    assert "<script" not in text and "very long name very long name…" not in text
    assert "very long name very" in text and "\u202e" not in text and "\0" not in text
    assert text.count("<svg") == text.count("</svg>") == 1


def test_names_of_systems_stand_as_they_are_written() -> None:
    points = [(1.0, 0.4, 0.3, 0.5), (16.0, 0.6, 0.5, 0.7)]
    drawn = (
        figures.shots_figure(dict.fromkeys(HOSTILE, points)),
        figures.mixture_figure(
            {n: {"$M$": (0.5, 0.4, 0.6), "_C": (0.6, 0.5, 0.7)} for n in HOSTILE}
        ),
        figures.mentions_figure({n: [(0.0, 0.5), (0.01, 0.75)] for n in HOSTILE}),
    )
    for text in drawn:
        assert "a$\\frac$b" in text and "_hidden" in text and "&lt;script&gt;" in text
    assert "$M$" in drawn[1] and "_C" in drawn[1]
    assert "mathdefault" not in drawn[2] and "10%" in drawn[2]


@pytest.mark.parametrize("count", [1, 2, 5, 8, 14, 20])
def test_colours_are_told_apart(count) -> None:
    colours = palette(count)
    rgb = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in colours], np.float32)
    lab = cv2.cvtColor(rgb[None] / 255, cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1000 * np.eye(count)
    assert len(set(colours)) == count and apart.min() > 12
    assert ((lab[:, 0] > 35) & (lab[:, 0] < 75)).all(), "seen on white and on black"


def test_ink_is_the_page_s() -> None:
    text = figures.roc_figure(_predictions(("a", "b")))
    assert "#28303a" not in text and "#d9dee5" not in text
    assert "currentColor" in text and "var(--line)" in text
