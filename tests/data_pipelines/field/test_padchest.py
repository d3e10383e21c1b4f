# SPDX-License-Identifier: Apache-2.0
"""PadChest: the table as published, Spanish text, 16-bit images."""

import json

import numpy as np
import pytest

from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.padchest.source import parse_labels
from tests.data_pipelines.official import RAMP, codes, png, prepare, rejects, studies_of, write

HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
    "ViewPosition_DICOM,Projection,MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,"
    "PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,PixelAspectRatio_DICOM,"
    "SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS\n"
)


def row(k: int, study: str, date: str, projection: str, labels: str, report: str) -> str:
    middle = "POSTEROANTERIOR," + projection + ",Manual review of DICOM fields,No,CR,Maker"
    middle += ",MONOCHROME2,0,None,None,12,2092,2251,24,16,250,2,2500,10,-1.42"
    return (
        f'{k},20536_{k}.png,{k % 2},{date},{study},8398,1930.0,F,{middle},4765777,"{report}",'
        f'Physician,"{labels}",[],"[[\'normal\']]",[],[]\n'
    )


REPORT = " sin hallazg patolog, edad pacient ."
ROWS = (
    row(0, "s2", "20140915", "PA", "['pleural effusion', ' cardiomegaly', 'unchanged']", REPORT),
    row(1, "s2", "20140915", "L", "['pleural effusion', ' cardiomegaly', 'unchanged']", REPORT),
    row(2, "s1", "20120101", "AP_horizontal", "['normal']", "nan"),
    row(3, "s3", "20150101", "COSTAL", "nan", REPORT),
    row(4, "s4", "20150102", "EXCLUDE", "['exclude']", REPORT),
)
NAMES = [f"{k % 2}/20536_{k}.png" for k in range(5)]


@pytest.fixture
def tree(tmp_path):
    images = {name: png(RAMP // (k + 1)) for k, name in enumerate(NAMES)}
    table = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    return write(tmp_path / "in", {**images, table: HEADER + "".join(ROWS)})


def only_split(tmp_path, result):
    (split,) = result.info["splits"]
    return studies_of(tmp_path, "padchest", split)


def test_time_order_views_labels_and_language(tree, tmp_path):
    result = prepare("padchest", tree, tmp_path)
    assert (result.info["intensity"], rejects(result)) == ("mimic_jpg", {})
    studies = only_split(tmp_path, result)
    assert [s.study_id for s in studies] == ["s1", "s2", "s3"]
    assert [s.study_days for s in studies] == [0, 988, 1096]
    assert [[i.view for i in s.images] for s in studies] == [["AP"], ["PA", "LATERAL"], ["other"]]
    assert studies.labels == ("cardiomegaly", "normal", "pleural effusion")
    assert codes(studies, 1) == {"cardiomegaly": 1, "normal": -2, "pleural effusion": 1}
    assert set(codes(studies, 2).values()) == {-3}
    assert (studies[1].language, studies[1].age, studies[1].sex) == ("es", 84, "F")
    assert studies[1].sections == (("report", REPORT.strip()),)
    assert studies[0].sections == ()
    # Spanish is not read with rules for English: nobody said anything of its sentences.
    assert all((s.labels == -3).all() for s in studies[1].sentences)


def test_what_the_authors_exclude_is_left_out_and_counted(tree, tmp_path):
    prepare("padchest", tree, tmp_path)
    card = (tmp_path / "padchest").rglob("data_card.json")
    assert '"EXCLUDE": 1' in next(card).read_text()


@pytest.mark.parametrize(
    "remarks",
    ["['unchanged']", "['suboptimal study']", "['exclude', ' unchanged']", "[]", "['']", ""],
)
def test_a_row_of_remarks_says_nothing_of_findings(tree, tmp_path, remarks):
    said = row(0, "s2", "20140915", "PA", remarks, REPORT) + ROWS[2]
    write(tree, {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz": HEADER + said})
    studies = only_split(tmp_path, prepare("padchest", tree, tmp_path))
    assert studies.labels == ("normal",)
    assert sorted(studies.index.labels.tolist()) == [[-3], [1]]


def test_remarks_beside_findings_change_nothing(tree, tmp_path):
    said = row(0, "s2", "20140915", "PA", "['unchanged', 'nodule']", REPORT) + ROWS[2]
    write(tree, {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz": HEADER + said})
    studies = only_split(tmp_path, prepare("padchest", tree, tmp_path))
    assert studies.index.labels.tolist() == [[-2, 1], [1, -2]]  # in time order


def test_a_flat_folder(tree, tmp_path):
    for name in NAMES:
        (tree / name).rename(tree / name[2:])
    result = prepare("padchest", tree, tmp_path)
    assert result.info["counts"]["images"] == 4


def test_bad_rows(tree, tmp_path):
    bad = row(5, "s5", "2015", "PA", "['normal']", "") + row(6, "s6", "20150101", "PA", "oops", "")
    bad += row(0, "s7", "20150101", "PA", "['normal']", "") + "1,2,3\n"
    write(tree, {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz": HEADER + ROWS[0] + bad})
    (tree / NAMES[0]).write_bytes(png(RAMP)[:100])
    result = prepare("padchest", tree, tmp_path, limit=1.0)
    assert rejects(result) == {
        "StudyDate_DICOM is not a date": 1,
        "Labels is not a list of names": 1,
        "ImageID occurs twice": 1,
        "malformed row": 1,
        "unreadable PNG": 1,
    }
    assert only_split(tmp_path, result)[0].images == ()


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("['normal']", {"normal"}),
        ("['a', ' b ', '']", {"a", "b"}),
        ("[\"a 's\", 'b',]", {"a 's", "b"}),
        ("[]", set()),
        ("['unchanged']", set()),
    ],
)
def test_label_lists(cell, names):
    assert parse_labels(cell) == names


@pytest.mark.parametrize("cell", ["normal", "['a' 'b']", "['a'", "[[[[[", "['a', b]", "__import__"])
def test_label_lists_that_cannot_be(cell):
    with pytest.raises(CellError, match="not a list of names"):
        parse_labels(cell)


def test_hostile_label_lists_end_soon():
    with pytest.raises(CellError):
        parse_labels("[" + "'a'," * 20000 + "!")
    assert parse_labels("[" + "'a'," * 20000 + "]") == {"a"}
    assert np.isfinite(len(parse_labels("['" + " " * 100000 + "']")))


def test_physicians_labels_alone(tree, tmp_path):
    by_network = ROWS[2].replace("Physician", "RNN_model")
    table = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    write(tree, {table: HEADER + "".join((*ROWS[:2], by_network, *ROWS[3:]))})
    result = prepare("padchest_physicians", tree, tmp_path, limit=1.0)
    (split,) = result.info["splits"]
    studies = studies_of(tmp_path, "padchest_physicians", split)
    assert [study.study_id for study in studies] == ["s2", "s3"]
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["left_out"] == {"labelled by RNN_model": 1, "EXCLUDE": 1}
