# SPDX-License-Identifier: Apache-2.0
"""BIMCV-COVID19 in its official layout: sessions, views in file names, DICOM tags in JSON files."""

import json

import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import RAMP, codes, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of

TABLE = "derivatives/labels/labels_covid19_posi.tsv"
HEADER = "\tPatientID\tReportID\tReport\tLabels\tLocalizations\tlabelCUIS\n"
ROWS = (
    "0\tsub-S1\tses-E2\tinfiltrados bilaterales\t['pneumonia', ' COVID 19']\t[]\t[]\n"
    "1\tsub-S1\tses-E3\t\t['normal']\t[]\t[]\n"
    "2\tsub-S1\tses-E4\tsin cambios\t['unchanged']\t[]\t[]\n"
    "3\tsub-S1\tses-E9\ttc\t['normal']\t[]\t[]\n"
)
PA, LATERAL = (
    f"sub-S1/ses-E2/mod-rx/sub-S1_ses-E2_run-{k}_bp-chest_vp-{view}_dx"
    for k, view in ((1, "pa"), (2, "ll"))
)
AP = "sub-S1/ses-E3/mod-rx/sub-S1_ses-E3_run-1_bp-chest_vp-ap_cr"
BARE = "sub-S1/ses-E4/mod-rx/sub-S1_ses-E4_run-1_bp-chest_cr"


def tags(date: str) -> str:
    values = {"00080020": date, "00101010": "063Y", "00100040": "F"}
    return json.dumps({tag: {"vr": "LO", "Value": [value]} for tag, value in values.items()})


@pytest.fixture
def tree(tmp_path):
    images = {f"{name}.png": png(RAMP // (k + 1)) for k, name in enumerate((PA, LATERAL, AP, BARE))}
    dates = {PA: "20200401", LATERAL: "20200401", AP: "20200330", BARE: "20200405"}
    return write(
        tmp_path / "in",
        {
            TABLE: HEADER + ROWS,
            **images,
            **{f"{name}.json": tags(date) for name, date in dates.items()},
            "sub-S1/ses-E9/mod-ct/sub-S1_ses-E9_ct.nii.gz": b"volume",
        },
    )


def stored(tmp_path, result):
    (split,) = result.info["splits"]
    return studies_of(tmp_path, "bimcv_covid19", split)


def test_order_views_labels_and_text(tree, tmp_path):
    result = prepare("bimcv_covid19", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    studies = stored(tmp_path, result)
    assert [s.study_id for s in studies] == ["ses-E3", "ses-E2", "ses-E4"]
    assert [s.study_days for s in studies] == [0, 2, 6]
    assert ids_of(tmp_path, "bimcv_covid19", studies) == ["sub-S1"] * 3
    assert [[i.view for i in s.images] for s in studies] == [["AP"], ["PA", "LL"], ["other"]]
    assert studies[1].sections == (("report", "infiltrados bilaterales"),)
    assert (studies[1].language, studies[1].age, studies[1].sex) == ("es", 63, "F")
    assert codes(studies, 1) == {"COVID 19": 1, "normal": -2, "pneumonia": 1}
    assert set(codes(studies, 2).values()) == {-3}  # a remark alone
    card = (result.directory / "data_card.json").read_text()
    assert '"studies without a radiograph": 1' in card


def test_the_folder_around_it_and_damaged_tags(tree, tmp_path):
    tree.rename(tmp_path / "release")
    (tmp_path / "in").mkdir()
    (tmp_path / "release").rename(tmp_path / "in" / "covid19_posi")
    write(tmp_path / "in" / "covid19_posi", {f"{AP}.json": "{", f"{BARE}.json": '{"00080020": 5}'})
    result = prepare("bimcv_covid19", tmp_path / "in", tmp_path)
    assert result.info["counts"]["images"] == 4
    assert rejects(result) == {}


def test_bad_rows(tree, tmp_path):
    bad = "4\t../SECRET\tses-E2\tx\t['normal']\t[]\t[]\n5\tsub-S1\tSECRET/..\tx\t['a']\t[]\t[]\n"
    bad += "6\tsub-S1\tses-E3\tSECRET\tSECRET\t[]\t[]\n"
    write(tree, {TABLE: HEADER + ROWS + bad})
    result = prepare("bimcv_covid19", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "PatientID is not sub-NAME": 1,
        "ReportID is not ses-NAME": 1,
        "Labels is not a list of names": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()


def test_the_negative_set_is_a_data_set_of_its_own(tree, tmp_path):
    with pytest.raises(TableError, match="labels_SARS-cov-2_nega"):
        prepare("bimcv_covid19_negative", tree, tmp_path)
