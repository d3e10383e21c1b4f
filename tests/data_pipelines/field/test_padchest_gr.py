# SPDX-License-Identifier: Apache-2.0
"""PadChest-GR in its official layout: sentences, boxes in fractions, progression, PadChest's ids."""

import json

import pytest

from medst_jax.data.records.annotations import ImagePair, Phrase, open_annotations
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import RAMP, codes, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, key_of

FILE, TABLE = "grounded_reports_20240819.json", "master_table.csv"
HEADER = (
    "StudyID,ImageID,label,boxes_count,extra_boxes_count,locations,prior_study,"
    "progression_status,prior_imageID,sentence_en,sentence_es,study_is_benchmark,"
    "study_is_validation,split,PatientID,patient_is_benchmark,PatientBirth,PatientSex_DICOM,"
    "StudyDate_DICOM,StudyDate,PatientAge,label_group,Year\n"
)
# 39 digits: a number would lose the last ones.
LONG = "216840111366964013076187734852011201090749220"[:39]


def table_row(study: str, image: str, split: str, patient: str, date: str) -> str:
    start = f"{study},{image},x,1,0,['right'],,,,English.,Español.,True,False"
    return f"{start},{split},{patient},True,1950.0,F,{date},,64,Group,2014\n"


MASTER = "".join(
    (
        HEADER,
        table_row(LONG, "111_aaaaaa.png", "train", "9001", "20140915"),
        table_row(LONG, "111_aaaaaa.png", "train", "9001", "20140915"),
        table_row("222", "222_bbbbbb.png", "test", "9002", "20150101"),
        table_row("333", "333_dddddd.png", "validation", "9003", "20160101"),
        table_row("444", "444_eeeeee.png", "train", "9001", "20120101"),
    )
)


def sentence(en: str, es: str, abnormal: bool, **more: object) -> dict[str, object]:
    return {"sentence_en": en, "sentence_es": es, "abnormal": abnormal, **more}


def study(
    image: str, number: str, *findings: dict[str, object], prior: str = ""
) -> dict[str, object]:
    return {
        "StudyID": number,
        "ImageID": image,
        "PreviousStudyID": prior.split("_")[0] or None,
        "PreviousImageID": prior or None,
        "findings": list(findings),
    }


EFFUSION = sentence(
    "Small right pleural effusion.",
    "Pequeño derrame pleural derecho.",
    True,
    boxes=[[0.125, 0.25, 0.5, 0.75]],
    extra_boxes=[[0, 0, 1, 1]],
    labels=["pleural effusion", " Atelectasis"],
    locations=["right"],
    progression=None,
)
STABLE = sentence(
    "Stable cardiomegaly",
    "Cardiomegalia estable",
    True,
    boxes=[[0.25, 0.5, 0.75, 1]],
    labels=["cardiomegaly"],
    locations=["cardiac"],
    progression="stable",
)
CLEAR = sentence("No other findings.", "Sin otros hallazgos.", False)
WORSE = {**EFFUSION, "boxes": [], "labels": ["pleural effusion"], "progression": "worsened"}
BETTER = {**WORSE, "progression": "improved"}
STUDIES = [
    study("111_aaaaaa.png", LONG, EFFUSION, CLEAR, STABLE, WORSE, BETTER, prior="444_eeeeee.png"),
    study("222_bbbbbb.png", "222", STABLE, prior="221_cccccc.png"),
    study("333_dddddd.png", "333", CLEAR, prior="330_ffffff.png"),
    study("444_eeeeee.png", "444", EFFUSION),
]
FOLDER = "Padchest_GR_files/PadChest_GR"
NAMES = [f"{FOLDER}/{entry['ImageID']}" for entry in STUDIES]
NAMES += ["PadChest_GR_progression_prior_studies/prior/221_cccccc.png"]


@pytest.fixture
def tree(tmp_path):
    images = {name: png(RAMP // (k + 1)) for k, name in enumerate(NAMES)}
    text = json.dumps(STUDIES, ensure_ascii=False)
    return write(tmp_path / "in", {FILE: text, TABLE: MASTER, **images})


def test_studies_splits_order_text_and_labels(tree, tmp_path):
    result = prepare("padchest_gr", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    assert {k: c["images"] for k, c in result.info["splits"].items()} == {
        "train": 2,
        "val": 1,
        "test": 2,
    }
    studies = studies_of(tmp_path, "padchest_gr")
    assert [s.study_id for s in studies] == ["444", LONG]
    assert [s.study_days for s in studies] == [0, 988]
    assert ids_of(tmp_path, "padchest_gr", studies) == ["9001", "9001"]
    text = "Small right pleural effusion. No other findings. Stable cardiomegaly. "
    text += "Small right pleural effusion. Small right pleural effusion."
    assert studies[1].sections == (("FINDINGS", text),)
    assert (studies[1].language, studies[1].age, studies[1].sex) == ("en", 64, "F")
    assert codes(studies, 1) == {
        "atelectasis": 1,
        "cardiomegaly": 1,
        "normal": 0,
        "pleural effusion": 1,
    }
    assert codes(studies, 0)["cardiomegaly"] == -2
    normal = codes(studies_of(tmp_path, "padchest_gr", "val"), 0)
    assert normal == dict.fromkeys(normal, -2) | {"normal": 1}


def test_prior_images_are_studies_without_report_before_theirs(tree, tmp_path):
    result = prepare("padchest_gr", tree, tmp_path)
    prior, current = studies_of(tmp_path, "padchest_gr", "test")
    assert (prior.study_id, prior.sections, set(prior.labels)) == ("221", (), {-3})
    assert current.images[0].image_id == "222_bbbbbb.png"
    card = (result.directory / "data_card.json").read_text()
    assert '"prior_images_not_in_the_folder": 1' in card


def test_boxes_are_fractions_of_the_image(tree, tmp_path):
    prepare("padchest_gr", tree, tmp_path)
    phrases = open_annotations(tmp_path, "padchest_gr", Phrase, "train")
    # Sources are 24 rows of 16 pixels.
    assert [(p.text, p.finding, p.boxes.tolist()) for p in phrases][:2] == [
        ("Small right pleural effusion.", "pleural effusion", [[2, 6, 8, 18]]),
        ("Stable cardiomegaly", "cardiomegaly", [[4, 12, 12, 24]]),
    ]
    assert len(phrases) == 3


def test_progression_of_each_label(tree, tmp_path):
    prepare("padchest_gr", tree, tmp_path)
    (pair,) = open_annotations(tmp_path, "padchest_gr", ImagePair, "train")
    studies = studies_of(tmp_path, "padchest_gr")
    assert [studies[row].study_id for row in (pair.row, pair.prior_row)] == [LONG, "444"]
    # Of two sentences about the effusion one says worse, one better.
    assert pair.progression.tolist() == [-2, 0, -2, -2]
    assert pair.quality == "mined"
    (pair,) = open_annotations(tmp_path, "padchest_gr", ImagePair, "test")
    assert pair.progression.tolist() == [-2, 0, -2, -2]


def test_spanish_sentences(tree, tmp_path):
    prepare("padchest_gr_es", tree, tmp_path)
    (study,) = studies_of(tmp_path, "padchest_gr_es", "val")
    assert (study.sections, study.language) == ((("FINDINGS", "Sin otros hallazgos."),), "es")


def test_keys_are_those_of_padchest(tree, tmp_path):
    result = prepare("padchest_gr", tree, tmp_path)
    content = json.loads((result.directory / "exclude.json").read_text())
    keys = {f"{key_of(tmp_path, 'padchest', patient):016x}" for patient in ("9002", "9003")}
    assert set(content["patient_keys"]) == keys


def test_images_in_one_flat_folder(tree, tmp_path):
    for name in NAMES:
        (tree / name).rename(tree / name.rsplit("/", 1)[-1])
    assert prepare("padchest_gr", tree, tmp_path).info["counts"]["images"] == 5


def test_bad_entries(tree, tmp_path):
    outside = {
        **EFFUSION,
        "boxes": [[0, 0, 10**400, 1], [0, 0, "SECRET", 1]],
        "progression": "SECRET",
    }
    bad = [
        study("222_bbbbbb.png", "222", outside),
        study("../SECRET.png", "5", CLEAR),
        study("555_gggggg.png", "555", CLEAR),
        study(
            "333_dddddd.png", "333", sentence("Half \ud83d.", "\ud83d", True, labels=[5, "\ud83d"])
        ),
        ["SECRET"],
        {**STUDIES[0], "findings": "SECRET"},
        STUDIES[2],
    ]
    torn = table_row("333", "SECRET", "held out", "9", "20160101")
    write(tree, {FILE: json.dumps(bad), TABLE: MASTER + torn})
    result = prepare("padchest_gr", tree, tmp_path, limit=1.0)
    assert rejects(result) == {
        "box is not x1, y1, x2, y2 in 0 to 1 of the image": 1,
        "box is not four numbers": 1,
        "ImageID is not the name of a file": 1,
        "image is not in the master table": 1,
        "entry is not a JSON object": 1,
        "findings is not a list": 1,
        "ImageID occurs twice": 1,
        "master table: split is not one of train, validation, test": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()
    card = (result.directory / "data_card.json").read_text()
    assert '"progression_in_unknown_words": 1' in card and "SECRET" not in card


@pytest.mark.parametrize("text", ["{", "{}", "[" * 100000])
def test_a_file_that_is_not_the_list(tree, tmp_path, text):
    write(tree, {FILE: text})
    with pytest.raises(TableError, match=FILE):
        prepare("padchest_gr", tree, tmp_path)
