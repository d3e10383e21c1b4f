# SPDX-License-Identifier: Apache-2.0
"""Labels in columns of their own: 1, 0, -1 and what an empty cell means."""

import pytest

from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.tables import build_table, rows, write_table

CELLS = [("1", "0"), ("1.0", "-1.0"), ("", "1"), ("", ""), ("nan", "NA"), ("True", "FALSE")]


def write(folder, cells=CELLS, **more):
    table = [
        {**row, "Edema": a, "Pleural Effusion": b, **more}
        for row, (a, b) in zip(rows(len(cells)), cells, strict=True)
    ]
    return write_table(folder, table)


def columns(*names, **options):
    return TableOptions(label_columns=names or ("Edema", "Pleural Effusion"), **options)


@pytest.mark.parametrize(("blank", "code"), [("unknown", -3), ("not_mentioned", -2)])
def test_codes_and_blanks(tmp_path, blank, code):
    options = columns(blank=blank)
    result = build_table(write(tmp_path / "in"), tmp_path, options=options)
    studies = open_studies(tmp_path, "mine", "train")
    assert studies.labels == ("Edema", "Pleural Effusion")
    assert studies.index.labels.tolist() == [
        [1, 0], [1, -1], [code, 1], [code, code], [code, code], [1, 0]
    ]  # fmt: skip
    assert not result.info["rejects"]


def test_order_is_that_of_the_flag_and_other_columns_stay_out(tmp_path):
    source = ImageTable(str(write(tmp_path, Mass="1")), "mine", options=columns("Mass", "Edema"))
    assert source.labels == ("Mass", "Edema")
    assert "Pleural Effusion" in next(line for line in source.notes() if "not read" in line)


@pytest.mark.parametrize("cell", ["2", "0.5", "yes", "1,0", "positive"])
def test_another_value_rejects_its_row(tmp_path, cell):
    source = ImageTable(str(write(tmp_path, [("1", "0"), (cell, "0")])), "mine", options=columns())
    (reject,) = source.read().rejects
    assert (reject.row, reject.reason) == (3, "Edema is none of 1, 0, -1 and blank")


def test_a_column_that_is_not_there(tmp_path):
    source = ImageTable(str(write(tmp_path)), "mine", options=columns("Pleural effusion"))
    with pytest.raises(TableError, match="no column 'Pleural effusion'; did you mean 'Pleural Eff"):
        source.read()


def test_they_take_the_place_of_lists(tmp_path):
    source = ImageTable(str(write(tmp_path, labels="Mass")), "mine", options=columns())
    assert source.labels == ("Edema", "Pleural Effusion")
    assert any(line.startswith("not read:") and "labels" in line for line in source.notes())


def test_a_fixed_vocabulary_may_hold_more(tmp_path):
    folder = write(tmp_path)
    (folder / "labels.txt").write_text("Mass\nPleural Effusion\nEdema\n")
    source = ImageTable(str(folder), "mine", options=columns())
    assert source.labels == ("Mass", "Pleural Effusion", "Edema")
    assert source.read().items[0].labels == {"Mass": -3, "Pleural Effusion": 0, "Edema": 1}


def test_columns_that_look_like_labels_are_named(tmp_path):
    notes = "\n".join(ImageTable(str(write(tmp_path, CELLS[:5])), "mine").notes())
    assert '"--label_columns=Edema,Pleural Effusion"' in notes
    notes = "\n".join(ImageTable(str(write(tmp_path, [("1", "5"), ("", "0")])), "mine").notes())
    assert "--label_columns=Edema" in notes and "Effusion" not in notes.split("labels?")[1]


def test_a_report_labels_what_columns_leave_open(tmp_path):
    folder = write(tmp_path / "in", [("1", "0"), ("", "")], report="Mild edema. Clear lungs.")
    build_table(folder, tmp_path, options=columns(), labels_from_reports="findings")
    studies = open_studies(tmp_path, "mine", "train")
    own, mined = (dict(zip(studies.labels, c.tolist(), strict=True)) for c in studies.index.labels)
    assert (own["Edema"], own["Pleural Effusion"], own["Fracture"]) == (1, 0, -3)
    assert (mined["Edema"], mined["Pleural Effusion"], mined["Fracture"]) == (1, -2, -2)
