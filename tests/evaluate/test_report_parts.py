# SPDX-License-Identifier: Apache-2.0
"""What a report says of a number: chance, verdict, cautions, how it was asked."""

import dataclasses
import math

import numpy as np
import pytest

from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.report.asked import how_asked
from medst_jax.evaluate.report.chance import chance_level, duplicates
from medst_jax.evaluate.report.tables import metric_tables
from medst_jax.evaluate.report.training_facts import training_section
from medst_jax.evaluate.report.verdict import verdict
from medst_jax.evaluate.statistics.outcome import Outcome, Part, RetrievedTexts
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.statistics.rows import Row
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.pages.blocks import Page
from medst_jax.pages.render import render


def outcome_of(predictions: Predictions, equal: np.ndarray | None = None) -> Outcome:
    retrieved = None if equal is None else RetrievedTexts(np.zeros(0, int), (), (), equal)
    part = Part("", predictions, np.arange(len(predictions.patients)))
    return Outcome("data", "test", (part,), retrieved=retrieved)


def ranks(count: int) -> Predictions:
    zeros = np.zeros(count, np.int8)
    return Predictions("ranks", np.arange(count), zeros, np.ones((1, count, 1)), ())


def row(metric: str, value: float, low: float | None = None, high: float | None = None) -> Row:
    return Row("s", "data", "task", "zero_shot", metric, value, low, high, 60, 0)


def test_chance_of_classes() -> None:
    targets = np.array([0] * 6 + [1] * 3 + [2])
    scores = np.zeros((1, 10, 3))
    three = Predictions("single", np.arange(10), targets, scores, ("a", "b", "c"))
    outcome = outcome_of(three)
    assert chance_level("balanced_accuracy", three, outcome) == pytest.approx(1 / 3)
    assert chance_level("accuracy", three, outcome) == 0.6
    assert chance_level("auroc/a", three, outcome) == chance_level("auroc", three, outcome) == 0.5
    assert chance_level("f1", three, outcome) is None


@pytest.mark.parametrize("drawn", [1, 5, 10])
def test_chance_of_recall_counts_equal_texts(drawn) -> None:
    groups = np.repeat([0, 1, 2], [6, 1, 3])
    equal = np.array([(groups == g).sum() for g in groups])
    outcome = outcome_of(ranks(10), equal)
    rng = np.random.default_rng(0)
    hits = [
        np.mean([group in groups[rng.permutation(10)[:drawn]] for group in groups])
        for _ in range(3000)
    ]
    level = chance_level(f"recall@{drawn}", ranks(10), outcome)
    assert level == pytest.approx(np.mean(hits), abs=0.02)
    assert duplicates(outcome) == 0.9 and duplicates(outcome_of(ranks(10))) == 0
    assert chance_level("recall@5", ranks(10), outcome_of(ranks(10))) == pytest.approx(0.5)
    assert chance_level("median_rank", ranks(10), outcome) is None


def test_the_verdict_comes_with_chance_and_an_untrained_encoder() -> None:
    rows = [row("accuracy", 0.9), row("balanced_accuracy", 0.7, 0.6, 0.8)]
    untrained = [row("balanced_accuracy", 0.71)]
    level = {"balanced_accuracy": 0.2}.get
    sentence, tiles = verdict(rows, ("balanced_accuracy",), lambda r: level(r.metric), untrained)
    assert sentence.text.startswith("Above chance with the whole 95% interval: 1 of 1 tasks.")
    assert "at least as good on 1 of 1" in sentence.text
    (tile,) = tiles.tiles
    assert tile.value == "0.700"
    assert tile.notes == [
        "95% interval 0.600 to 0.800",
        "chance 0.200",
        "untrained encoder 0.710",
    ]
    assert verdict([row("f1", 0.5)], ("auroc",), lambda r: None) == []


def test_ranks_have_no_bar_and_findings_no_weighted_kappa() -> None:
    rows = [
        row("median_rank", 0.9, 0.5, 1.0),
        row("quadratic_kappa", 0.4, 0.3, 0.5),
        row("auroc/A_b", 0.8, 0.7, 0.9),
        row("auroc", math.nan),
    ]
    made = metric_tables(rows, (), lambda r: 0.5, ordered=False)
    text = render(Page("t", made))
    assert text.count('class="span"') == 1 and text.count('class="chance"') == 1
    assert "quadratic" not in text and "A_b" in text and "n/a" in text
    assert text.index("A_b") > text.index("of each class") and "<details" not in text
    graded = render(Page("t", metric_tables(rows, (), lambda r: None, ordered=True)))
    assert "quadratic kappa" in graded and 'class="chance"' not in graded


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("prototypes", ("label prototypes", "No text is read", "Edema, Wet")),
        ("text", ("by text", "an own prompt", "2 classes: Edema, Mass.")),
        ("pairs", ("There is edema.", "No mass.")),
    ],
)
def test_what_zero_shot_means_is_said(mode, said) -> None:
    task = parse_protocol(
        {
            "protocol": "zero_shot",
            "mode": mode,
            "task": {"dataset": "data", "classes": ("Edema", "Mass")},
            "own_prompts": {"Edema": ("an own prompt",)},
            "prototypes": {"Edema": ("Edema", "Wet")},
        },
        "suite.tasks.a",
    )
    two = Predictions(
        "single", np.arange(4), np.arange(4) % 2, np.zeros((1, 4, 2)), ("Edema", "Mass")
    )
    text = render(Page("t", how_asked(task, outcome_of(two))))
    assert all(one in text for one in said), text
    assert "task.dataset" in text and how_asked(None, outcome_of(two)) == []


@pytest.mark.parametrize(
    ("mode", "said"), [("text", "Zero-shot by text"), ("prototypes", "Zero-shot by label")]
)
def test_what_auto_came_to_is_said(mode, said) -> None:
    options = {"protocol": "zero_shot", "mode": "auto", "prompts": "names"}
    task = parse_protocol({**options, "task": {"dataset": "mine"}}, "suite.tasks.one")
    scores = np.zeros((1, 4, 2))
    two = Predictions("single", np.arange(4), np.arange(4) % 2, scores, ("Edema", "Mass"))
    outcome = dataclasses.replace(outcome_of(two), mode=mode)
    first, *_ = how_asked(task, outcome)
    assert first.text.startswith(said) and "else" not in first.text


def test_chance_is_a_number_beside_the_value() -> None:
    rows = [row("balanced_accuracy", 0.7, 0.6, 0.8), row("f1", 0.6)]
    level = {"balanced_accuracy": 0.125}.get
    (table,) = metric_tables(rows, (), lambda r: level(r.metric), ordered=False)
    place = list(table.heads).index("chance")
    assert [line.cells[place].value for line in table.rows] == ["0.125", ""]
    (bare,) = metric_tables(rows, (), lambda r: None, ordered=False)
    assert "chance" not in bare.heads


def test_facts_of_the_training(tmp_path) -> None:
    system = SystemUnderTest("s", seed=7, trained={"mine": "train"})
    (tmp_path / "log.jsonl").write_text(
        '{"step": 10, "loss": 2.5}\n{"step": 20, "loss": 1.25}\n{"step": 20, "other": 1}\n'
    )
    (tmp_path / "config.json").write_text('{"data_dir": "/home/someone/secret/data", "steps": 20}')
    text = render(Page("t", [training_section(str(tmp_path), system)]))
    assert "trained on mine" in text and "1.250" in text and "training loss" in text
    assert "someone" not in text and "(folder)" in text
    assert "Training" not in render(Page("t", [training_section(None, SystemUnderTest("pixels"))]))
