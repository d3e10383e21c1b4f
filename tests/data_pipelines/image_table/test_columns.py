# SPDX-License-Identifier: Apache-2.0
"""Columns of other names, and cells that stand for ids, files, splits and missing values."""

import os

import pytest

from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.image_table.column_names import suggestions
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.requested import requested
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.tables import build_table, jpeg, picture, rows, write_table


def source_of(folder, table, **options):
    return ImageTable(str(write_table(folder, table)), "mine", options=TableOptions(**options))


def asked(**flags):
    base = dict(columns=[], label_columns=[], blank="unknown", unlisted="", splits=[], dates="")
    return requested(**{**base, "encoding": "", **flags})


def test_mapped_columns_are_read_and_the_others_named(tmp_path):
    table = [{**rows(1)[0], "ViewPosition": "Lateral", "Patient Age": "058Y", "kV": "90"}]
    (tmp_path / "in").mkdir()
    chosen = asked(columns=["view=ViewPosition", "age=Patient Age"]).columns
    source = source_of(tmp_path, table, columns=chosen)
    (item,) = source.read().items
    assert (item.view, item.age) == ("LATERAL", 58)
    _, read, unread, *_ = source.notes()
    assert read.endswith("view (from ViewPosition), split, age (from Patient Age)")
    assert unread == "not read: kV"


SUGGESTED = {
    "ViewPosition": "view",
    "View Position": "view",
    "Age": "age",
    "Patient Age": "age",
    "Patient Gender": "sex",
    "Sex": "sex",
    "fold": "split",
    "StudyDate": "day_offset",
    "Finding Labels": "labels",
    "Follow-up #": "study_order",
    "Frontal/Lateral": "view_type",
    "AccessionNumber": "study_id",
    "reports": "report",
    "veiw": "view",
    "Licence": "license",
}


@pytest.mark.parametrize("name", SUGGESTED)
def test_did_you_mean(tmp_path, name):
    table = [{**rows(1)[0], name: "x", "orig_width": "9"}]
    table = [{key: value for key, value in row.items() if key != "split"} for row in table]
    notes = "\n".join(source_of(tmp_path, table).notes())
    assert f"not read: {name}, orig_width" in notes
    assert f"--columns={SUGGESTED[name]}={name}" in notes


def test_what_is_read_already_is_not_suggested():
    assert suggestions(["Age", "kV", "report_kind"], ["age", "report"]) == {}


def test_a_missing_column_with_all_that_was_meant(tmp_path):
    table = [{"Image Index": "0.jpg", "Patient ID": "p", "Patient Age": "5", "kV": "9"}]
    with pytest.raises(TableError) as error:
        source_of(tmp_path, table).read()
    assert "column 'image_path' is missing" in str(error.value)
    flag = '"--columns=image_path=Image Index,patient_id=Patient ID,age=Patient Age"'
    assert f"did you mean {flag}?" in str(error.value)
    chosen = asked(columns=flag.strip('"').removeprefix("--columns=").split(",")).columns
    assert len(source_of(tmp_path, table, columns=chosen).read().items) == 1


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (["veiw=X"], "'veiw' is no column that is read; did you mean 'view'"),
        (["view"], "is no pair: write view="),
        (["view=A", "age=A"], "one of the two is named before"),
    ],
)
def test_pairs_that_are_none(columns, match):
    with pytest.raises(TableError, match=match):
        asked(columns=columns)


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        ({"label_columns": ["A"], "unlisted": "negative"}, "use --blank"),
        ({"blank": "not_mentioned"}, "of --label_columns"),
        ({"label_columns": ["A", "A"]}, "names 'A' twice"),
        ({"splits": ["a=b"]}, "'b' is none of train, val, test"),
        ({"splits": ["=test"]}, "names no split"),
    ],
)
def test_flags_that_exclude_each_other(flags, match):
    with pytest.raises(TableError, match=match):
        asked(**flags)


def test_a_mapped_column_that_is_not_there_or_there_twice(tmp_path):
    table = [{**rows(1)[0], "view": "PA", "Projection": "AP"}]
    with pytest.raises(TableError, match="no column 'projection'; did you mean 'Projection'"):
        source_of(tmp_path, table, columns={"view": "projection"}).read()
    with pytest.raises(
        TableError, match="takes 'view' from 'Projection', but the table has 'view'"
    ):
        source_of(tmp_path, table, columns={"view": "Projection"}).read()
    assert source_of(tmp_path, table, columns={"view": ""}).read().items[0].view == "PA"


def test_another_table_in_the_folder_is_named(tmp_path):
    (tmp_path / "labels.xlsx").write_bytes(b"")
    with pytest.raises(TableError, match=r"does not exist.*there is labels\.xlsx"):
        ImageTable(str(tmp_path), "mine").read()


MISSING = [
    *("NA", "N/A", "nan", "NaN", "None", "null", "NULL", "-", "--", "?", "unknown", "Unknown"),
    *("<NA>", "#N/A", "NaT", "not available", ".", " nan "),
]


@pytest.mark.parametrize("word", MISSING)
def test_words_for_nothing(tmp_path, word):
    names = ("study_id", "study_order", "day_offset", "view", "report", "labels", "age", "sex")
    empty = {**rows(1)[0], **dict.fromkeys((*names, "language", "split", "license"), word)}
    listing = source_of(tmp_path, [empty, {**rows(2)[1], "labels": "Edema"}]).read()
    item = listing.items[0]
    assert (item.study_id, item.report, item.report_path, item.sex) == ("0.jpg", "", "", "")
    assert (item.view, item.language, item.split, item.labels) == ("PA", "en", "", {})
    assert item.day != item.day and item.age != item.age and item.order != item.order
    assert listing.labels == ("Edema",) and not listing.rejects and not listing.card["licence"]


def test_patients_of_no_name_are_not_one_patient(tmp_path):
    table = [{**row, "patient_id": "unknown"} for row in rows(2)]
    source = source_of(tmp_path, [*table, *rows(3)[2:]])
    assert [r.reason for r in source.read().rejects] == ["patient_id is empty"] * 2


@pytest.mark.parametrize(
    ("written", "patient"),
    [("231.0", "231"), ("231", "231"), ("231.", "231"), ("00231", "00231"), ("p231.0", "p231.0")],
)
def test_ids_of_a_column_of_floats(tmp_path, written, patient):
    table = [
        {**rows(1)[0], "patient_id": written, "study_id": "7.0"},
        {**rows(2)[1], "patient_id": "231"},
    ]
    items = source_of(tmp_path, table).read().items
    assert (items[0].patient_id, items[0].study_id) == (patient, "7")


def test_float_ids_are_said_without_the_id(tmp_path):
    notes = source_of(tmp_path, [{**rows(1)[0], "patient_id": "98765.0"}]).notes()
    assert "ids: 1 cells such as 231.0 are read as 231" in notes
    assert "98765" not in "\n".join(notes)


def test_ids_that_a_spreadsheet_rounded(tmp_path):
    table = [{**row, "patient_id": "1.23457E+11"} for row in rows(2)]
    source = source_of(tmp_path, [*table, *rows(3)[2:]])
    assert {r.reason for r in source.read().rejects} == {
        "patient_id was rounded by a spreadsheet (1.23E+05)"
    }


SPLITS = {
    "train": ("train", "Training", "TRAIN", "train set", "trn"),
    "val": ("val", "valid", "Validation", "validate", "dev", "Development"),
    "test": ("test", "testing", "Testing", "test_set", "TST"),
}


@pytest.mark.parametrize(("split", "word"), [(s, w) for s, words in SPLITS.items() for w in words])
def test_names_of_splits(tmp_path, split, word):
    assert source_of(tmp_path, [{**rows(1)[0], "split": word}]).read().items[0].split == split


@pytest.mark.parametrize("word", ["external", "fold0", "3", "holdout", "train2", "tset"])
def test_any_other_split_is_refused_unless_asked_for(tmp_path, word):
    table = [*rows(2), {**rows(3)[2], "split": word}]
    with pytest.raises(TableError, match=rf"'{word}' \(1 rows\).*--splits={word}=test"):
        source_of(tmp_path, table).read()
    kept = source_of(tmp_path, table, splits=asked(splits=[word]).splits).read()
    assert kept.items[2].split == word
    mapped = source_of(tmp_path, table, splits=asked(splits=[f"{word}=dev"]).splits).read()
    assert mapped.items[2].split == "val"


def test_a_column_of_other_things_is_not_repeated(tmp_path):
    table = [{**row, "split": f"Private {k}"} for k, row in enumerate(rows(11))]
    with pytest.raises(TableError, match="11 values that are no split, in 11 rows") as error:
        source_of(tmp_path, table).read()
    assert "rivate" not in str(error.value)


def test_reports_in_files(tmp_path):
    cells = ["r/0.txt", "r/no.txt", "Normal chest.", "./r/note", "../secret.txt", "r", "r/b.TXT"]
    (tmp_path / "secret.txt").write_text("Private")
    (tmp_path / "in/r").mkdir(parents=True)
    for name, text in (("0.txt", "Clear."), ("note", "No edema."), ("b.TXT", "\ufeffMass.")):
        (tmp_path / "in/r" / name).write_text(text, encoding="utf-8")
    table = [{**row, "report": cell} for row, cell in zip(rows(7), cells, strict=True)]
    source = source_of(tmp_path / "in", table)
    told = [(item.report, item.report_path) for item in source.read().items]
    assert told == [
        ("Clear.", ""),
        ("", "r/no.txt"),
        ("Normal chest.", ""),
        ("No edema.", ""),
        ("", "../secret.txt"),
        ("r", ""),
        ("Mass.", ""),
    ]
    assert "reports: 3 cells name a file, whose text is the report" in source.notes()
    result = build_table(tmp_path / "in", tmp_path, max_reject_fraction=0.3)
    assert result.info["rejects"] == {
        "report: missing file": 1,
        "report: path leaves the source folder": 1,
    }
    assert result.info["counts"]["images"] == 7
    studies = open_studies(tmp_path, "mine", "train")
    assert studies[0].sections == (("report", "Clear."),) and studies[1].sections == ()


def test_absolute_paths_inside_and_paths_of_windows(tmp_path):
    folder = tmp_path / "in"
    (folder / "i").mkdir(parents=True)
    os.symlink(folder, tmp_path / "link")
    paths = [f"{folder}/i/0.jpg", f"{tmp_path}/link/i/1.jpg", "i\\2.jpg", "/etc/3.jpg"]
    for k in range(3):
        (folder / "i" / f"{k}.jpg").write_bytes(jpeg(picture(k)))
    table = [{**row, "image_path": path} for row, path in zip(rows(4), paths, strict=True)]
    for place in (folder, tmp_path / "link"):
        source = source_of(place, table)
        assert [item.image_id for item in source.read().items[:3]] == [
            "i/0.jpg",
            "i/1.jpg",
            "i/2.jpg",
        ]
        result = build_table(place, tmp_path / place.name, max_reject_fraction=0.3)
        assert result.info["rejects"] == {"path leaves the source folder": 1}
    said = [line for line in source_of(folder, table[:1]).notes() if line.startswith("paths")]
    assert said == ["paths: 1 absolute ones lie in the folder"]
