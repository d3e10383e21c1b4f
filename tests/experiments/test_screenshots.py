# SPDX-License-Identifier: Apache-2.0
"""Pictures of a report: their size, their colours, what is said below them."""

import json
import shutil

import cv2
import pytest

from experiments.screenshots import BROWSERS, caption, picture
from medst_jax import __version__
from medst_jax.evaluate.statistics.rows import Row, write_rows
from medst_jax.pages.blocks import Page, Paragraph
from medst_jax.pages.render import render


def test_the_caption_names_version_seed_and_cohort(tmp_path):
    report = tmp_path / "run" / "evaluation"
    report.mkdir(parents=True)
    write_rows(report / "metrics.json", [Row("clip", "e1", "t", "p", "auroc", 1, 0, 1, 2, seed=7)])
    assert caption(report) == f"medst_jax {__version__} · clip, training seed 7"
    config = {"data": {"data_dir": str(tmp_path / "data")}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    card = tmp_path / "data" / "e1" / "studies" / "2.0.0" / "data_card.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"generator_version": "9.9"}))
    assert caption(report).endswith("simulated cohort 9.9")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_picture_is_of_the_size_and_the_colours_asked_for(tmp_path, dark):
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    (tmp_path / "page.html").write_text(render(Page("A title", [Paragraph("text")])))
    picture(tmp_path / "page.html", tmp_path / "p.png", "said", width=400, height=300, dark=dark)
    pixels = cv2.imread(str(tmp_path / "p.png"))
    assert pixels.shape == (300, 400, 3)
    page, below = pixels[:250], pixels[270:]
    assert page.mean() < 60 if dark else page.mean() > 200
    assert page.std() > 5 and below.std() > 5, "the page and its caption are drawn"
