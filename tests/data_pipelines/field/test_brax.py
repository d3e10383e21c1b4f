# SPDX-License-Identifier: Apache-2.0
"""BRAX in its official layout: PNG or DICOM files, codes, dates, views."""

import pytest

from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from tests.data_pipelines.official import (
    RAMP,
    codes,
    dicoms,
    png,
    prepare,
    rejects,
    studies_of,
    write,
)
from tests.data_pipelines.tables import ids_of

HEADER = (
    "DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,StudyDate,"
    + ",".join(CHEXPERT)
    + ",ViewPosition,Rows,Columns,Manufacturer\n"
)


def row(k: int, study: str, date: str, labels: str, view: str, suffix: str = ".dcm") -> str:
    place = f"id_p/Study_{study}/Series_1.{k}/image-1.{k}"
    start = f"Anonymized_DICOMs/{place}{suffix},images/{place}.png,id_p,M,85 or more,{study},{date}"
    return f"{start},{labels},{view},24,16,Maker\n"


EDEMA = ",".join({"Edema": "1.0", "Fracture": "0", "Pneumonia": "-1"}.get(k, "") for k in CHEXPERT)
BLANK = "," * 13
ROWS = (
    row(1, "9.2", "20150105", EDEMA, "PA"),
    row(2, "9.2", "20150105", EDEMA, "L"),
    row(3, "9.1", "20150101", BLANK, "", suffix=""),
)
PLACES = [
    f"id_p/Study_{s}/Series_1.{k}/image-1.{k}" for k, s in ((1, "9.2"), (2, "9.2"), (3, "9.1"))
]


@pytest.fixture
def tree(tmp_path):
    images = {f"images/{place}.png": png(RAMP // (k + 1)) for k, place in enumerate(PLACES)}
    return write(
        tmp_path / "in", {"master_spreadsheet_update.csv": HEADER + "".join(ROWS), **images}
    )


def only_split(tmp_path, result):
    (split,) = result.info["splits"]
    return studies_of(tmp_path, "brax", split)


def test_order_views_and_codes(tree, tmp_path):
    result = prepare("brax", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    studies = only_split(tmp_path, result)
    assert [s.study_id for s in studies] == ["9.1", "9.2"]
    assert [s.study_days for s in studies] == [0, 4]
    assert ids_of(tmp_path, "brax", studies) == ["id_p", "id_p"]
    assert [[i.view for i in s.images] for s in studies] == [["other"], ["PA", "LATERAL"]]
    found = codes(studies, 1)
    assert (found["Edema"], found["Fracture"], found["Pneumonia"]) == (1, 0, -1)
    assert set(codes(studies, 0).values()) == {-2}


def test_dicom_files_with_and_without_suffix(tree, tmp_path):
    (tree / "images").rename(tmp_path / "away")
    names = [f"Anonymized_DICOMs/{place}" for place in PLACES]
    write(tree, dicoms(names[0] + ".dcm", names[1] + ".dcm", names[2]))
    result = prepare("brax", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    assert result.info["counts"]["images"] == 3


def test_bad_rows(tree, tmp_path):
    bad = ROWS[0] + row(4, "../../SECRET", "20150101", BLANK, "PA")
    bad += row(5, "9.3", "spring", BLANK, "PA") + row(6, "9.4", "20150101", "7" + BLANK, "PA")
    write(tree, {"master_spreadsheet_update.csv": HEADER + "".join(ROWS) + bad})
    result = prepare("brax", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "PngPath occurs twice": 1,
        "PngPath is not a file below images/ or Anonymized_DICOMs/": 1,
        "StudyDate is not a date": 1,
        "No Finding is none of 1, 0, -1 and blank": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()
