# SPDX-License-Identifier: Apache-2.0
"""Groups, shots, findings, mentions and the paper's tables of a reality check."""

import dataclasses
import types

import numpy as np
import pytest

from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.options import OptionError
from medst_jax.pages.blocks import Block, Page
from medst_jax.pages.render import render
from medst_jax.reality_check import page_sections
from medst_jax.reality_check.cells import EXTERNAL, RowSpec, Sources, row_specs
from medst_jax.reality_check.curves import finding_values, shot_curves
from medst_jax.reality_check.groups import by_group, worst
from medst_jax.reality_check.mentions import mention_shares
from medst_jax.reality_check.options import parse_check
from medst_jax.reality_check.published import TABLES
from medst_jax.reality_check.results import Result, Row, Table
from medst_jax.reality_check.statistics import bootstrap_replicates, estimate

COUNT = 240


def _predictions(seed: int = 0, shift: float = 2.0) -> Predictions:
    """Right more often on PA images than on AP ones."""
    rng = np.random.default_rng(seed)
    targets = np.arange(COUNT) % 2
    views = np.where(rng.random(COUNT) < 0.5, "PA", "AP")
    scores = rng.normal(size=(1, COUNT, 2)).astype(np.float32)
    scores[0, np.arange(COUNT), targets] += np.where(views == "PA", shift, 0)
    ages = np.where(np.arange(COUNT) < 20, "under 40", "unknown")
    groups = {"view": views, "age": ages}
    return Predictions("single", np.arange(COUNT), targets, scores, ("a", "b"), groups)


def _row(name: str = "clip", mixture: str = "M+C", **changes) -> Row:
    runs = [_predictions()]
    result = Result(
        estimate(bootstrap_replicates(runs[0], "balanced_accuracy", replicates=20)),
        groups=by_group(runs, "balanced_accuracy"),
    )
    spec = RowSpec(name, mixture, "all", False, ())
    return dataclasses.replace(Row(spec, {"names": result}, {}, {}), **changes)


def _text(*blocks: Block) -> str:
    return render(Page("t", blocks))


def test_groups_are_measured_apart_and_small_ones_left_out() -> None:
    runs = [_predictions(0), _predictions(0)]
    groups = by_group(runs, "balanced_accuracy")
    assert set(groups) == {"view"}, "20 images are too few, and unknown is no group"
    p = runs[0]
    for view, found in groups["view"].items():
        chosen = p.groups["view"] == view
        right = p.predicted()[chosen] == p.targets[chosen]
        expected = np.mean([right[p.targets[chosen] == c].mean() for c in (0, 1)])
        assert found.value == pytest.approx(expected) and found.images == chosen.sum()
    attribute, group, value = worst(groups)
    assert (attribute, group) == ("view", "AP") and value == groups["view"]["AP"]
    assert worst({}) is None


def test_shots_and_findings_become_curves() -> None:
    runs = [
        {
            "probe/16 shots": _predictions(seed, 3),
            "probe/1 shots": _predictions(seed, 1),
            "other/1 shots": _predictions(seed),
            "outside": _predictions(seed),
        }
        for seed in (0, 1)
    ]
    curve = shot_curves(runs)
    assert list(curve) == ["probe"], "one number of shots is no curve"
    assert [shots for shots, _ in curve["probe"]] == [1, 16]
    assert curve["probe"][0][1] < curve["probe"][1][1]
    values = finding_values(runs, "outside")
    assert set(values) == {"a", "b"} and 0.5 < values["a"] < 1
    assert finding_values([runs[0], {}], "outside") == {} and shot_curves([]) == {}


def test_mentions_need_every_word_in_one_sentence() -> None:
    def study(*sentences):
        return types.SimpleNamespace(sentences=sentences, sentence_text=lambda k: sentences[k])

    studies = [
        study("The aorta is tortuous.", "No fibrosis."),
        study("Tortuous vessels.", "The aorta is normal."),
        study("Calcified granulomas."),
        study(),
    ]
    shares = mention_shares(studies, ("Tortuous Aorta", "Fibrosis", "Calcified Granuloma"))
    assert shares == {
        "Tortuous Aorta": pytest.approx(1 / 3),
        "Fibrosis": pytest.approx(1 / 3),
        "Calcified Granuloma": pytest.approx(1 / 3),
    }
    assert mention_shares([], ("Fibrosis",)) == {"Fibrosis": 0.0}


def test_sections_show_what_there_is() -> None:
    costs = dict(
        parameters=1234567, flops_per_example=2.5e9, chip_hours=0.0125, examples_per_second=99.0
    )
    row = _row(facts=costs, shots={"probe": [(1, 0.5), (16, 0.75)]}, outside={"Fibrosis": 0.625})
    table = Table({"names": "balanced_accuracy"}, (row,), (), {}, {"Fibrosis": 0.01})
    groups = _text(*page_sections.groups_section([row], "names"))
    assert "<b>0." in groups and "view AP" in groups
    assert "training images per class" in _text(page_sections.shots_section([row]))
    mentions = _text(page_sections.mentions_section(table))
    assert "Fibrosis (1.00%)" in mentions and "0.625" in mentions
    assert "1,234,567" in _text(page_sections.costs_section([row]))
    assert "Costs" not in _text(page_sections.costs_section([_row()]))
    without = page_sections.mentions_section(dataclasses.replace(table, rows=(_row(),)))
    assert "Findings" not in _text(without)


def test_published_numbers_stand_beside_ours() -> None:
    text = _text(
        page_sections.published_section(
            Table({"names": "balanced_accuracy"}, (_row(),), (), {}, {})
        )
    )
    value = 100 * _row().results["names"].estimate.value
    first = text[text.index("<td>CLIP</td>") :].partition("</tr>")[0]
    assert f"{value:.1f}" in first and 'paper">51.5<' in first
    for table in TABLES:
        assert all(len(values) == len(table.heads) for values in table.rows.values())


def _options(externals: dict) -> dict:
    return dict(
        systems=("clip",),
        mixtures={"M": ("m",)},
        seeds=(0,),
        variant="tiny",
        columns={"names": "balanced_accuracy"},
        controls={"random": dict(system="clip", mixture="M")},
        reference="random",
        externals=externals,
    )


def test_externals_are_rows_with_the_flags_of_their_evaluation(tmp_path) -> None:
    (tmp_path / "f.npz").write_bytes(b"")
    external = dict(
        weights=str(tmp_path), layout="biovil", size=480, crop_from=512, mean=(0.0,), std=(1.0,)
    )
    options = parse_check(
        _options({"BioViL": external, "other": dict(features=str(tmp_path / "f.npz"))})
    )
    sources = Sources(text=True, labels=False)
    rows = [
        r for r in row_specs(options, {"m": sources}, {"clip": sources}) if r.mixture == EXTERNAL
    ]
    assert [row.name for row in rows] == ["BioViL", "other"]
    flags = rows[0].cells[0].evaluate
    assert {f"--weights={tmp_path}", "--size=480", "--crop_from=512", "--mean=0.0"} < set(flags)
    assert rows[1].cells[0].evaluate == (f"--features={tmp_path / 'f.npz'}",)


def test_what_the_files_say_themselves_needs_no_flag(tmp_path) -> None:
    def flags(**values) -> tuple[str, ...]:
        return parse_check(_options({"X": values})).externals["X"].flags()

    assert flags(weights=str(tmp_path)) == (f"--weights={tmp_path}",)
    assert flags(weights="hf-hub:microsoft/rad-dino", trained_on="none") == (
        "--weights=hf-hub:microsoft/rad-dino",
        "--trained_on=none",
    )
    (tmp_path / "f.npz").write_bytes(b"")
    with pytest.raises(OptionError, match="externals.X is of features: leave out"):
        flags(features=str(tmp_path / "f.npz"), size=64)


@pytest.mark.parametrize(
    ("external", "message"),
    [
        ({}, "needs one of features and weights, not 0"),
        (dict(features="nowhere.npz"), "there is no nowhere.npz"),
    ],
)
def test_a_contestant_that_is_not_there_is_named(external, message) -> None:
    with pytest.raises(OptionError, match=message):
        parse_check(_options({"X": external}))
