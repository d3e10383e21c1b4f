# SPDX-License-Identifier: Apache-2.0
"""A user's folder: what is read, what is defaulted and what each bad input does."""

import json
import os

import numpy as np
import pytest
import simplejpeg

from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.build import RejectedInputError
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.registry import Request, RequestError, make_sources
from tests.data_pipelines.tables import build_table, ids_of, jpeg, picture, rows, write_table


def rejects(result):
    lines = (result.directory / "rejects.jsonl").read_text().splitlines()
    return [(r["row"], r["reason"]) for r in map(json.loads, lines)]


def test_two_columns_are_enough(tmp_path):
    table = [{"image_path": f"{k}.jpg", "patient_id": f"p{k}"} for k in range(30)]
    result = build_table(write_table(tmp_path / "in", table), tmp_path)
    assert result.info["counts"]["images"] == 30
    assert set(result.info["splits"]) <= {"train", "val", "test"}
    assert result.info["labels"] == []
    study = open_studies(tmp_path, "mine", "train")[0]
    assert study.images[0].view == "PA"
    assert study.sections == ()
    assert np.isnan(study.study_days)


def test_studies_views_order_days_and_text(tmp_path):
    table = [
        {"image_path": "b.jpg", "study_id": "late", "day_offset": "40", "view": "AP Supine"},
        {"image_path": "a.jpg", "study_id": "early", "day_offset": "10", "view": "PA"},
        {"image_path": "c.jpg", "study_id": "early", "day_offset": "10", "view": "L"},
    ]
    report = "FINDINGS: Heart 2.5 cm. Clear. IMPRESSION: Normal."
    table = [{**row, "patient_id": "p", "split": "Training", "report": report} for row in table]
    table[1].update(age="058Y", sex="female")
    build_table(write_table(tmp_path / "in", table), tmp_path)
    studies = open_studies(tmp_path, "mine", "train")
    early, late = studies[0], studies[1]
    assert (early.study_id, late.study_id) == ("early", "late")
    assert (early.study_days, late.study_days) == (0, 30)
    assert [image.view for image in early.images] == ["PA", "LATERAL"]
    assert early.lateral().image_id == "c.jpg"
    assert late.frontal().view == "AP"
    assert early.sections == (("FINDINGS", "Heart 2.5 cm. Clear."), ("IMPRESSION", "Normal."))
    texts = [early.sentence_text(k) for k in range(len(early.sentences))]
    assert texts == ["Heart 2.5 cm.", "Clear.", "Normal."]
    assert (early.age, early.sex) == (58, "F")


def test_label_codes(tmp_path):
    cells = ["Edema", "-Edema|?Mass", "", "No Finding"]
    table = [{**row, "labels": cell} for row, cell in zip(rows(4), cells, strict=True)]
    folder = write_table(tmp_path / "in", table)
    build_table(folder, tmp_path, options=TableOptions(unlisted="negative"))
    studies = open_studies(tmp_path, "mine", "train")
    assert studies.labels == ("Edema", "Mass", "No Finding")
    assert studies.index.labels.tolist() == [[1, 0, 0], [0, -1, 0], [-3, -3, -3], [0, 0, 1]]


@pytest.mark.parametrize("vocabulary", ["findings", "union"])
def test_reports_give_labels_where_there_are_none(tmp_path, vocabulary):
    report = "FINDINGS: Scoliosis. Possible edema. No pneumothorax."
    first, second, *more = rows(5, report=report)
    first["study_id"] = second["study_id"] = "one study"
    second.update(patient_id=first["patient_id"], report="")
    more[0]["labels"] = "Mass"
    more[1]["report"] = ""
    more[2].update(language="es", report="Edema.")
    folder = write_table(tmp_path / "in", [first, second, *more])
    build_table(folder, tmp_path, labels_from_reports=vocabulary)
    studies = open_studies(tmp_path, "mine", "train")
    assert len(studies) == 4 and [len(study.images) for study in studies] == [2, 1, 1, 1]

    def said(codes):
        found = zip(studies.labels, codes, strict=True)
        return {name.lower(): int(code) for name, code in found if code > -2}

    doubted = {"edema": -1}
    if vocabulary == "union":  # which has edema under two names
        assert len(studies.labels) == 86  # the table's own label comes last
        doubted["pulmonary edema"] = -1
    affirmed = {"scoliosis": 1} if vocabulary == "union" else {}
    mined, own, silent, foreign = studies.index.labels
    assert said(mined) == {**doubted, **affirmed, "pneumothorax": 0}
    # What a report that was read does not mention is blank; of all else nobody said anything.
    assert mined.tolist().count(-3) == 1 and own.tolist().count(-3) == len(own) - 1
    assert said(own) == {"mass": 1}
    assert set(silent) == set(foreign) == {-3}
    sentences = [said(studies[0].all_sentence_codes[k]) for k in range(3)]
    assert sentences[1] == doubted
    assert sentences[2] == {"pneumothorax": 0, "no finding": 1}
    assert sentences[0] == affirmed


def test_labels_of_reports_are_for_tables(tmp_path):
    request = Request(source_dir=str(tmp_path), labels_from_reports="union")
    with pytest.raises(RequestError, match="of --dataset=image_table; open_i has labels"):
        make_sources("open_i", request)


def test_rows_of_a_study_with_other_labels_become_studies_of_their_own(tmp_path):
    cells = ["Edema", "Mass", "Edema", ""]
    table = [
        {
            "image_path": f"{k}.jpg",
            "patient_id": "p",
            "study_id": "s",
            "labels": c,
            "split": "train",
        }
        for k, c in enumerate(cells)
    ]
    build_table(write_table(tmp_path / "in", table), tmp_path)
    studies = open_studies(tmp_path, "mine", "train")
    assert [len(study.images) for study in studies] == [3, 1]
    assert studies.index.labels.tolist() == [[1, 0], [0, 1]]


def test_grey_jpeg_keeps_its_bytes_and_a_large_one_is_resized(tmp_path):
    folder = write_table(tmp_path / "in", rows(1), **{"0.jpg": jpeg(picture(0, 40, 20))})
    build_table(folder, tmp_path / "same", size=64)
    image = open_studies(tmp_path / "same", "mine", "train")[0].frontal()
    assert image.data == (folder / "0.jpg").read_bytes()
    np.testing.assert_array_equal(image.affine, [[1, 0, 0], [0, 1, 0]])
    build_table(folder, tmp_path / "small", size=10)
    image = open_studies(tmp_path / "small", "mine", "train")[0].frontal()
    assert simplejpeg.decode_jpeg_header(image.data)[:2] == (10, 5)
    assert (image.height, image.width) == (40, 20)
    np.testing.assert_array_equal(image.affine, np.array([[0.25, 0, 0], [0, 0.25, 0]], np.float32))


def test_text_without_image(tmp_path):
    table = [*rows(1), {"patient_id": "q", "report": "Clear.", "split": "train"}]
    build_table(write_table(tmp_path / "in", table), tmp_path)
    study = open_studies(tmp_path, "mine", "train")[1]
    assert study.images == ()
    assert study.sections == (("report", "Clear."),)


BAD_FILES = {
    "unreadable JPEG": lambda: jpeg(picture(0, 64, 64))[:900],
    "unreadable PNG": lambda: b"\x89PNG\r\n\x1a\n" + bytes(40),
    "empty file": lambda: b"",
    "not a JPEG, PNG or DICOM file": lambda: b"hello",
}


@pytest.mark.parametrize("reason", BAD_FILES)
def test_bad_file_is_a_counted_reject_and_nothing_else_is_lost(tmp_path, reason):
    folder = write_table(tmp_path / "in", rows(4), **{"2.jpg": BAD_FILES[reason]()})
    with pytest.raises(RejectedInputError, match=f"1 x {reason}"):
        build_table(folder, tmp_path)
    result = build_table(folder, tmp_path, max_reject_fraction=0.5)
    assert rejects(result) == [(4, reason)]
    studies = open_studies(tmp_path, "mine", "train")
    assert ids_of(tmp_path, "mine", studies) == ["p0", "p1", "p3"]


def test_bad_image_of_a_study_with_text_keeps_the_text(tmp_path):
    table = rows(2, report="Clear.")
    folder = write_table(tmp_path / "in", table, **{"1.jpg": b"hello"})
    build_table(folder, tmp_path, max_reject_fraction=0.5)
    study = open_studies(tmp_path, "mine", "train")[1]
    assert study.images == ()
    assert study.sections == (("report", "Clear."),)


def test_missing_and_outside_files(tmp_path):
    table = rows(5)
    folder = write_table(tmp_path / "in", table)
    (folder / "1.jpg").unlink()
    (tmp_path / "secret.jpg").write_bytes(jpeg(picture()))
    (folder / "2.jpg").unlink()
    os.symlink(tmp_path / "secret.jpg", folder / "2.jpg")
    text = (folder / "metadata.csv").read_text().replace("3.jpg", "../secret.jpg")
    (folder / "metadata.csv").write_text(text)
    result = build_table(folder, tmp_path, max_reject_fraction=0.9)
    assert rejects(result) == [
        (3, "missing file"),
        (4, "path leaves the source folder"),
        (5, "path leaves the source folder"),
    ]
    assert result.info["counts"]["images"] == 2


def test_latin_1_bytes_malformed_rows_and_unclosed_quotes(tmp_path):
    folder = tmp_path / "in"
    write_table(folder, rows(6, report="x"))
    lines = (folder / "metadata.csv").read_bytes().split(b"\r\n")
    lines[1] = lines[1].replace(b",x", ",caf\xe9".encode())
    lines[2] = lines[2].replace(b",x", ",na\xefve".encode("latin-1"))
    lines[3] += b",one,too,many"
    lines[4] = lines[4].replace(b",x", b',"never closed')
    lines[5] = lines[5].replace(b",x", b',"two\nlines"')
    (folder / "metadata.csv").write_bytes(b"\r\n".join(lines))
    result = build_table(folder, tmp_path, max_reject_fraction=0.9)
    assert rejects(result) == [(3, "not UTF-8"), (4, "malformed row"), (5, "malformed row")]
    studies = open_studies(tmp_path, "mine", "train")
    assert ids_of(tmp_path, "mine", studies) == ["p0", "p4", "p5"]
    assert studies[1].sections == (("report", "two\nlines"),)


def test_cells_that_spoil_a_row(tmp_path):
    table = rows(6, image_id="", day_offset="", labels="Edema")
    table[1]["labels"] = "Unheard of"
    table[2]["patient_id"] = ""
    table[3]["day_offset"] = "soon"
    table[4]["image_id"] = "0.jpg"
    folder = write_table(tmp_path / "in", table)
    (folder / "labels.txt").write_text("# fixed\nMass\nEdema\n")
    result = build_table(folder, tmp_path, max_reject_fraction=0.9)
    assert result.info["labels"] == ["Mass", "Edema"]
    assert rejects(result) == [
        (3, "label outside the vocabulary"),
        (4, "patient_id is empty"),
        (5, "day_offset is not a number"),
        (6, "image_id occurs twice"),
    ]
    assert result.info["counts"]["studies"] == 2


def test_rejects_hold_no_text_and_no_ids(tmp_path):
    table = rows(3, report="Private words", study_order="")
    table[1]["study_order"] = "Private order"
    result = build_table(write_table(tmp_path / "in", table), tmp_path, max_reject_fraction=0.9)
    assert "Private" not in (result.directory / "rejects.jsonl").read_text()
    assert "Private" not in (result.directory / "data_card.html").read_text()


@pytest.mark.parametrize("column", ["image_path", "patient_id"])
def test_missing_column_names_column_and_file(tmp_path, column):
    table = [{key: value for key, value in row.items() if key != column} for row in rows(2)]
    folder = write_table(tmp_path / "in", table)
    with pytest.raises(TableError, match=rf"metadata\.csv: column '{column}' is missing"):
        build_table(folder, tmp_path)


def test_missing_table(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        ImageTable(str(tmp_path), name="mine").units()


def test_patient_in_two_splits_is_an_error_that_names_lines_only(tmp_path):
    table = [{**row, "patient_id": "Private"} for row in rows(3)]
    table[2]["split"] = "test"
    with pytest.raises(TableError, match=r"lines 2 \(train\) and 4 \(test\)") as error:
        build_table(write_table(tmp_path / "in", table), tmp_path)
    assert "Private" not in str(error.value)


def test_changed_file_rebuilds_its_unit(tmp_path):
    folder = write_table(tmp_path / "in", rows(2))
    first = build_table(folder, tmp_path)
    assert not build_table(folder, tmp_path).built
    (folder / "1.jpg").write_bytes(jpeg(picture(9, 30, 30)))
    again = build_table(folder, tmp_path)
    assert again.banks_built == 1
    assert again.info["fingerprint"] != first.info["fingerprint"]
