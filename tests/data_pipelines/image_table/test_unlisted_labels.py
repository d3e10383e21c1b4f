# SPDX-License-Identifier: Apache-2.0
"""What a class means that a list of labels leaves out, and what a row without a list means."""

import json

import numpy as np
import pytest

from medst_jax.data.mixture.policy import PRESETS, policy_table
from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.image_table.label_lists import parse_labels
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.evaluate.subjects.tasks import TaskOptions, select
from tests.data_pipelines.tables import build_table, rows, write_table


def table_of(folder, *cells, **options):
    table = [{**row, "labels": cell} for row, cell in zip(rows(len(cells)), cells, strict=True)]
    return ImageTable(str(write_table(folder, table)), "mine", options=TableOptions(**options))


def codes_of(source):
    return [[item.labels.get(name, -3) for name in source.labels] for item in source.read().items]


# Cells, the decision, and the codes of the classes in alphabetical order.
DECIDED = {
    "present ones alone": (("A", "B|C", ""), "negative", [[1, 0, 0], [0, 1, 1], [-3] * 3]),
    "doubts are no denials": (("A|?B", "C"), "negative", [[1, -1, 0], [0, 0, 1]]),
    "a normal image": (("No Finding", "A"), "negative", [[0, 1], [1, 0]]),
    "absent ones throughout": (("A|-B", "-C", ""), "unknown", [[1, 0, -3], [-3, -3, 0], [-3] * 3]),
    "denials of single classes": (
        ("-A", "-B", "-C|A"),
        "unknown",
        [[0, -3, -3], [-3, 0, -3], [1, -3, 0]],
    ),
    "complete lists beside present ones": (("A", "-A|B"), "negative", [[1, 0], [0, 1]]),
    "complete lists beside absent ones": (("A|B|C", "-A|B"), "unknown", [[1, 1, 1], [0, 1, -3]]),
    "one class": (("A", "-A", "?A", ""), "", [[1], [0], [-1], [-3]]),
    "complete lists": (("A|-B", "-A|-B", ""), "", [[1, 0], [0, 0], [-3, -3]]),
    "no list at all": (("", "nan", "None"), "", [[], [], []]),
}


@pytest.mark.parametrize("kind", DECIDED)
def test_the_table_decides(tmp_path, kind):
    cells, meaning, expected = DECIDED[kind]
    source = table_of(tmp_path, *cells)
    assert codes_of(source) == expected
    assert source.card["unlisted_labels"] == (meaning or "none is unlisted")


MIXED = [
    ("A", "-B|C", ""),
    ("A|-B", "C"),
    ("No Finding", "-A|B"),
    ("?A", "-B", "C"),
    ("A", "B", "-C"),
]


@pytest.mark.parametrize("cells", MIXED)
def test_a_table_with_both_kinds_of_lists_must_say(tmp_path, cells):
    with pytest.raises(
        TableError, match=r"--unlisted=negative \(absent\) or --unlisted=unknown"
    ) as e:
        table_of(tmp_path, *cells).read()
    assert "by lines" in str(e.value)
    for meaning, code in (("negative", 0), ("unknown", -3)):
        found = codes_of(table_of(tmp_path, *cells, unlisted=meaning))
        assert code in found[0] and found[-1] != found[0]


def test_the_decision_is_of_all_splits(tmp_path):
    table = [
        {"image_path": "0.jpg", "patient_id": "a", "split": "train", "labels": "A"},
        {"image_path": "1.jpg", "patient_id": "b", "split": "test", "labels": "-A|B"},
        {"image_path": "2.jpg", "patient_id": "c", "split": "test", "labels": "-C"},
    ]
    with pytest.raises(TableError, match="lines 3 and 2|lines 4 and 2"):
        ImageTable(str(write_table(tmp_path, table)), "mine").read()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_study_nobody_labelled_never_counts(tmp_path, preset):
    source = table_of(tmp_path / "in", "Edema", "Mass", "", "unknown")
    build_table(source.source_dir and tmp_path / "in", tmp_path)
    studies = open_studies(tmp_path, "mine", "train")
    _, trusted = policy_table(studies.labels, preset=preset).apply(np.asarray(studies.index.labels))
    assert trusted.any(1).tolist() == [True, True, False, False]
    for classes in ((), ("Edema",), ("Mass", "Edema")):
        task = select(TaskOptions("mine", "train", classes, kind="multi"), studies)
        assert task.rows.tolist() == [0, 1]
    assert select(TaskOptions("mine", "train"), studies).rows.tolist() == [0, 1]


def test_card_counts_each_class_by_code(tmp_path):
    table_of(tmp_path / "in", "A|-B", "-A", "?C", "")
    result = build_table(tmp_path / "in", tmp_path, options=TableOptions(unlisted="unknown"))
    card = json.loads((result.directory / "data_card.json").read_text())
    counted = card["prevalence"]["train"]["A"]
    expected = {"positive": 1, "negative": 1, "uncertain": 0, "not mentioned": 0, "unknown": 2}
    assert counted == expected
    assert card["unlisted_labels"] == "unknown"
    assert '<th scope="col">unknown</th>' in (result.directory / "data_card.html").read_text()


def test_a_rebuild_that_would_decide_otherwise_stops_and_asks(tmp_path):
    table_of(tmp_path / "in", "A", "B")
    first = build_table(tmp_path / "in", tmp_path)
    table_of(tmp_path / "in", "A|-B", "-C")
    with pytest.raises(TableError, match="was built with --unlisted=negative"):
        build_table(tmp_path / "in", tmp_path)
    build_table(tmp_path / "in", tmp_path, options=TableOptions(unlisted="unknown"))
    table_of(tmp_path / "in", "A", "B")
    with pytest.raises(TableError, match="was built with --unlisted=unknown"):
        build_table(tmp_path / "in", tmp_path)
    again = build_table(tmp_path / "in", tmp_path, options=TableOptions(unlisted="negative"))
    assert again.info["fingerprint"] == first.info["fingerprint"]


def test_a_build_of_before_took_what_is_unlisted_for_absent(tmp_path):
    table_of(tmp_path / "in", "A", "B")
    result = build_table(tmp_path / "in", tmp_path)
    path = result.directory / "data_card.json"
    card = json.loads(path.read_text())
    del card["unlisted_labels"]
    path.write_text(json.dumps(card))
    assert not build_table(tmp_path / "in", tmp_path).banks_built
    table_of(tmp_path / "in", "A|-B", "-C")
    with pytest.raises(TableError, match="say which"):
        build_table(tmp_path / "in", tmp_path)


def test_labels_of_another_letter_case_are_an_error(tmp_path):
    with pytest.raises(TableError, match="'Edema' and 'edema' differ in letter case"):
        table_of(tmp_path, "Edema", "edema|Mass").read()


@pytest.mark.parametrize(
    "cells",
    [
        *(["Edema;Mass"], ["['Edema', 'Mass']"], ["Edema, Mass", "Edema"], ["Mass", "Edema/Mass"]),
        *(["Edema+Mass", "Edema"], ["Edema;", "Mass"]),
    ],
)
def test_several_names_in_another_notation_are_no_class(tmp_path, cells):
    with pytest.raises(TableError, match=r"looks like several: .* separated by '\|'"):
        table_of(tmp_path, *cells).read()


@pytest.mark.parametrize("cells", [["0", "1"], ["1", "-1"], ["1.0", ""]])
def test_numbers_are_no_names(tmp_path, cells):
    with pytest.raises(TableError, match="not names: a column of 1, 0 and -1"):
        table_of(tmp_path, *cells).read()


@pytest.mark.parametrize(
    "name", ["Mass, right", "Pleural Effusion", "A/P window", "COVID-19", "T4"]
)
def test_signs_inside_a_name_stay(tmp_path, name):
    assert table_of(tmp_path, name, "Edema").labels == tuple(sorted((name, "Edema")))


@pytest.mark.parametrize("cell", ["A|-A", "?A|A", "-", "A|-"])
def test_a_list_that_contradicts_itself(cell):
    if cell in ("-", "A|-"):
        assert parse_labels(cell) == dict.fromkeys(cell.split("|")[:-1], 1)
    else:
        with pytest.raises(CellError, match="two meanings"):
            parse_labels(cell)
