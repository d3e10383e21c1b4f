# SPDX-License-Identifier: Apache-2.0
"""MIMIC-CXR in both releases, and the sets derived from it."""

import json

import numpy as np
import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.sentences import labels_of_sentences
from tests.data_pipelines.official import codes, dicoms, jpegs, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import key_of

A, B, C, D = (f"{k}2aa804e-bde0afdd-112c0b34-7bc16630-4e384014" for k in "abcd")
# The tables of MIMIC-CXR-JPG order the 14 labels by the alphabet.
LABELS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
METADATA = f"""dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,\
Columns,StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,\
PatientOrientationCodeSequence_CodeMeaning
{A},10000032,50414267,CHEST (PA AND LAT),PA,24,16,21800506,83429.5,CHEST,postero-anterior,Erect
{B},10000032,50414267,CHEST (PA AND LAT),LATERAL,24,16,21800506,83429.5,CHEST,lateral,Erect
{C},10000032,50000001,CHEST (PORTABLE AP),,24,16,21800505,203429,CHEST,antero-posterior,
{D},11000011,51000001,CHEST,SWIMMERS,24,16,21510101,1,CHEST,,
"""
SPLIT = f"""dicom_id,study_id,subject_id,split
{A},50414267,10000032,train
{B},50414267,10000032,train
{C},50000001,10000032,train
{D},51000001,11000011,validate
"""
CHEXPERT = f"""subject_id,study_id,{LABELS}
10000032,50414267,,1.0,0.0,-1.0,,,,,,,,,,
10000032,50000001,,,,,,,,,1.0,,,,,
"""
REPORT = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with fever.

 FINDINGS:

 There is mild pulmonary edema.  No pleural effusion.

 IMPRESSION:

 Mild edema.
"""


def folder_of(name: str, patient: str = "p10/p10000032", study: str = "s50414267") -> str:
    return f"files/{patient}/{study}/{name}"


IMAGES = (
    folder_of(A),
    folder_of(B),
    folder_of(C, study="s50000001"),
    folder_of(D, "p11/p11000011", "s51000001"),
)


@pytest.fixture
def tree(tmp_path):
    return write(
        tmp_path / "in",
        {
            **jpegs(*(f"{path}.jpg" for path in IMAGES)),
            "files/p10/p10000032/s50414267.txt": REPORT,
            "files/p10/p10000032/s50000001.txt": "no headers here",
            "files/p11/p11000011/s51000001.txt": b"caf\xe9",
            "mimic-cxr-2.0.0-metadata.csv": METADATA,
            "mimic-cxr-2.0.0-split.csv.gz": SPLIT,
            "mimic-cxr-2.0.0-chexpert.csv.gz": CHEXPERT,
        },
    )


def test_studies_in_time_order_with_all_views_sections_and_labels(tree, tmp_path):
    result = prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.25)
    assert rejects(result) == {"report is not UTF-8": 1}
    studies = studies_of(tmp_path, "mimic_cxr_jpg")
    assert [s.study_id for s in studies] == ["50000001", "50414267"]
    # 20:34:29 of one day to 08:34:29.5 of the next: the table dropped the leading zero.
    assert studies[1].study_days == pytest.approx(0.500006, abs=1e-6)
    assert [(i.image_id, i.view) for i in studies[1].images] == [(A, "PA"), (B, "LATERAL")]
    assert [i.view for i in studies[0].images] == ["AP"]
    assert [name for name, _ in studies[1].sections if name != "report"] == [
        "EXAMINATION",
        "INDICATION",
        "FINDINGS",
        "IMPRESSION",
    ]
    assert studies[0].sections == (("report", "no headers here"),)
    found = codes(studies, 1)
    assert (found["Cardiomegaly"], found["Consolidation"], found["Edema"]) == (1, 0, -1)
    assert found["Fracture"] == -2
    assert codes(studies, 0)["No Finding"] == 1
    assert studies[1].source == "mimic_cxr_jpg"


def test_sentences_are_labelled_but_not_those_of_the_indication(tree, tmp_path):
    prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.25)
    studies = studies_of(tmp_path, "mimic_cxr_jpg")
    said = {
        studies[1].sentence_text(k): dict(zip(studies.labels, s.labels.tolist(), strict=True))
        for k, s in enumerate(studies[1].sentences)
    }
    assert said["There is mild pulmonary edema."]["Edema"] == 1
    assert said["No pleural effusion."]["Pleural Effusion"] == 0
    assert said["No pleural effusion."]["No Finding"] == 1
    assert set(said["___F with fever."].values()) == {-2}


def test_labels_as_the_union_over_sentences_are_a_data_set_of_their_own(tree, tmp_path):
    result = prepare("mimic_cxr_jpg_sentences", tree, tmp_path, limit=0.25)
    studies = studies_of(tmp_path, "mimic_cxr_jpg_sentences")
    assert studies[1].source == "mimic_cxr_jpg_sentences"
    found = codes(studies, 1)
    # The table says Edema -1 and Cardiomegaly 1; the report's sentences affirm edema alone.
    assert (found["Edema"], found["Pleural Effusion"], found["Cardiomegaly"]) == (1, 0, -2)
    assert found["No Finding"] == -2  # "No pleural effusion." alone would say so
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["labels_of"] == "sentences of the report"
    (unread,) = studies_of(tmp_path, "mimic_cxr_jpg_sentences", "val")
    assert set(unread.labels.tolist()) == {-3}


def test_a_union_over_sentences_keeps_no_finding_where_nothing_is_affirmed():
    def union(*sentences):
        return labels_of_sentences(sentences, ("No Finding", "Edema", "Mass"))

    assert union({"No Finding": 1, "Edema": 0}, {"Mass": -1, "Edema": -2}) == {
        "No Finding": 1,
        "Edema": 0,
        "Mass": -1,
    }
    assert union({"No Finding": 1, "Edema": 0}, {"Edema": 1, "Mass": -1})["No Finding"] == -2
    assert union({"Edema": -1}, {"Edema": 1}, {"Edema": 0})["Edema"] == 1
    assert union({"Edema": -3, "Mass": 1}) == {"No Finding": -2, "Mass": 1}
    assert union() == {}


def test_a_study_without_a_label_row_is_outside_the_vocabulary(tree, tmp_path):
    prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.25)
    val = studies_of(tmp_path, "mimic_cxr_jpg", "val")
    assert set(codes(val, 0).values()) == {-3}
    assert val[0].images[0].view == "other"
    assert np.isnan(val[0].age)


def test_exclusion_keys_are_those_of_the_collection(tree, tmp_path):
    result = prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.25)
    content = json.loads((result.directory / "exclude.json").read_text())
    assert content["splits"] == ["val"]
    assert content["patient_keys"] == [
        f"{key_of(result.directory.parents[2], 'mimic-cxr', '11000011'):016x}"
    ]
    assert content["image_keys"] == [f"{key_of(result.directory.parents[2], 'mimic-cxr', D):016x}"]
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["redistributable"] is False
    assert "PhysioNet" in card["licence"]
    assert card["label_table"] == "mimic-cxr-2.0.0-chexpert.csv.gz"


def test_bad_rows_are_counted_by_table_and_reason(tree, tmp_path):
    bad = "not-an-id,10000032,50414267,CHEST,PA,24,16,21800506,83429,CHEST,,\n"
    bad += f"{A.replace('a', 'e', 1)},10000032,50414267,CHEST,PA,24,16,21801399,83429,CHEST,,\n"
    bad += f"{A.replace('a', 'f', 1)},10000032,50414267,CHEST,PA,24,16,21800506,83429,CHEST,,\n"
    bad += f"{A},10000032,50414267,CHEST,PA,24,16,21800506,83429,CHEST,,\n"
    write(
        tree,
        {
            "mimic-cxr-2.0.0-metadata.csv": METADATA + bad,
            "mimic-cxr-2.0.0-split.csv.gz": SPLIT + f"{A},50414267,10000032,pending\n",
            "mimic-cxr-2.0.0-chexpert.csv.gz": CHEXPERT + "1,2,2.0" + "," * 13 + "\n",
            "files/p11/p11000011/s51000001.txt": "FINDINGS: Clear.",
        },
    )
    (tree / f"{IMAGES[1]}.jpg").unlink()
    result = prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "dicom_id is not five groups of eight hexadecimal digits": 1,
        "StudyDate is not a date": 1,
        "image without a split": 1,
        "dicom_id occurs twice": 1,
        "split table: split is not one of train, validate, test": 1,
        "label table: Atelectasis is none of 1, 0, -1 and blank": 1,
        "missing file": 1,
    }


def test_reports_inside_the_study_folder_and_the_sectioned_table(tree, tmp_path):
    for path in (tree / "files").glob("p1*/p*/s*.txt"):
        path.unlink()
    sectioned = "study,impression,findings,last_paragraph,comparison\n"
    sectioned += 's50414267,"Mild, stable edema.",Hazy.,unused,None.\ns51000001,,,Only this.,\n'
    write(tree, {"mimic_cxr_sectioned.csv": sectioned})
    prepare("mimic_cxr_jpg", tree, tmp_path / "table")
    study = studies_of(tmp_path / "table", "mimic_cxr_jpg")[1]
    assert dict(study.sections) == {
        "COMPARISON": "None.",
        "FINDINGS": "Hazy.",
        "IMPRESSION": "Mild, stable edema.",
    }
    val = studies_of(tmp_path / "table", "mimic_cxr_jpg", "val")[0]
    assert val.sections == (("LAST PARAGRAPH", "Only this."),)
    write(tree, {f"{path.rsplit('/', 1)[0]}/{path.split('/')[-2]}.txt": REPORT for path in IMAGES})
    prepare("mimic_cxr_jpg", tree, tmp_path / "inside")
    inside = studies_of(tmp_path / "inside", "mimic_cxr_jpg")
    assert all("FINDINGS" in dict(study.sections) for study in inside)


def test_dicom_release_reads_view_and_date_from_headers(tmp_path):
    records = "subject_id,study_id,dicom_id,path\n"
    rows = ((A, "50414267"), (B, "50414267"), (C, "50000001"))
    records += "".join(f"10000032,{study},{name},x.dcm\n" for name, study in rows)
    dates = {A: ("PA", "21800506"), B: ("LL", "21800506"), C: ("", "21800501")}
    images = {}
    for path in IMAGES[:3]:
        view, date = dates[path.rsplit("/", 1)[-1]]
        tags = {"ViewPosition": view, "StudyDate": date, "StudyTime": "120000.000"}
        images |= dicoms(f"{path}.dcm", **tags)
    folder = write(
        tmp_path / "in",
        {
            **images,
            "files/p10/p10000032/s50414267.txt": REPORT,
            "files/p10/p10000032/s50000001.txt": REPORT,
            "cxr-record-list.csv.gz": records,
            "mimic-cxr-2.0.0-split.csv.gz": SPLIT,
        },
    )
    result = prepare("mimic_cxr", folder, tmp_path)
    assert result.info["intensity"] == "mimic_jpg"
    studies = studies_of(tmp_path, "mimic_cxr")
    assert [s.study_id for s in studies] == ["50000001", "50414267"]
    assert studies[1].study_days == 5
    assert [i.view for i in studies[1].images] == ["PA", "LL"]
    assert [i.view for i in studies[0].images] == ["other"]
    assert studies[1].images[0].spacing == pytest.approx((0.2, 0.3))


GRADES = {
    "regex_report_edema_severity.csv": "subject_id,study_id,edema_severity\n10000032,50414267,1.0\n"
    "10000032,50000001,2\n11000011,51000001,4\n",
    "expert_report_edema_severity.csv": "subject_id,study_id,edema_severity\n10000032,50000001,3\n",
    "consensus_image_edema_severity.csv": "subject_id,study_id,dicom_id,edema_severity\n"
    f"11000011,51000001,{D},0\n",
}


def test_edema_grades_and_their_order_of_trust(tree, tmp_path):
    write(tree, GRADES)
    result = prepare("mimic_edema", tree, tmp_path, limit=0.5)
    assert rejects(result)["mined severity table: edema_severity is not 0 to 3"] == 1
    test = studies_of(tmp_path, "mimic_edema", "test")
    assert [(s.severity, s.severity_source) for s in test] == [(0, "consensus")]
    others = [split for split in result.info["splits"] if split != "test"]
    found = [(s.severity, s.severity_source) for s in studies_of(tmp_path, "mimic_edema", *others)]
    assert found == [(3, "expert"), (1, "mined")]
    prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.5)
    assert studies_of(tmp_path, "mimic_cxr_jpg")[0].severity == 3


def test_the_best_grade_of_a_study_is_taken_whatever_its_image(tree, tmp_path):
    # The consensus is about the study's second image; the first has the report's grade alone.
    table = f"subject_id,study_id,dicom_id,edema_severity\n10000032,50414267,{B},2\n"
    mined = "subject_id,study_id,edema_severity\n10000032,50414267,0\n"
    write(
        tree,
        {
            "consensus_image_edema_severity.csv": table,
            "regex_report_edema_severity.csv": mined,
        },
    )
    prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.5)
    study = studies_of(tmp_path, "mimic_cxr_jpg")[1]
    assert (study.severity, study.severity_source) == (2, "consensus")
    prepare("mimic_edema", tree, tmp_path, limit=0.5)
    (judged,) = studies_of(tmp_path, "mimic_edema", "test")
    assert [image.image_id for image in judged.images] == [B]


@pytest.mark.parametrize(
    ("rule", "edema", "chosen"),
    [
        ("v1", "-1.0", [A]),
        ("published", "0.0", [A]),
        ("published", "", [A]),
        ("published", "-1.0", []),
    ],
)
def test_mimic_5x200_takes_frontal_images_of_one_class(tree, tmp_path, rule, edema, chosen):
    table = CHEXPERT.replace("50414267,,1.0,0.0,-1.0", f"50414267,,1.0,0.0,{edema}")
    table += "11000011,51000001,1.0,,,,,,,,,,,,,\n"
    write(tree, {"mimic-cxr-2.0.0-chexpert.csv.gz": table})
    if not chosen:
        with pytest.raises(TableError, match="no usable row"):
            prepare("mimic_5x200", tree, tmp_path, limit=0.5, rule=rule)
        return
    result = prepare("mimic_5x200", tree, tmp_path, limit=0.5, rule=rule)
    studies = studies_of(tmp_path, "mimic_5x200", "test")
    # B is lateral, C has none of the five, D is no frontal image.
    assert [i.image_id for s in studies for i in s.images] == chosen
    assert codes(studies, 0) == {
        "Atelectasis": 0,
        "Cardiomegaly": 1,
        "Consolidation": 0,
        "Edema": 0,
        "Pleural Effusion": 0,
    }
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["rule"] == rule and card["candidates"]["Cardiomegaly"] == 1


def test_a_list_of_mimic_5x200_goes_before_the_rule(tree, tmp_path):
    classes = "Atelectasis,Cardiomegaly,Consolidation,Edema,Pleural Effusion"
    path = f"MIMIC-CXR-2/2.0.0/{IMAGES[1]}.jpg"
    write(tree, {"mimic_5x200.csv": f"Path,{classes}\n{path},0,0,0,1,0\n"})
    prepare("mimic_5x200", tree, tmp_path, limit=0.5)
    studies = studies_of(tmp_path, "mimic_5x200", "test")
    assert [i.image_id for s in studies for i in s.images] == [B]
    assert codes(studies, 0)["Edema"] == 1


@pytest.mark.parametrize(
    "layout",
    ["files/{}/{}.txt", "files/{0}/{1}/{1}.txt", "mimic-cxr-reports/files/{}/{}.txt", "{}/{}.txt"],
)
def test_every_report_is_looked_for_where_it_may_lie(tree, tmp_path, layout):
    for name in ("s50414267", "s50000001"):
        (tree / f"files/p10/p10000032/{name}.txt").unlink()
    (tree / "files/p11/p11000011/s51000001.txt").unlink()
    # The last study of the table alone has a report, as in a download of one folder.
    write(tree, {layout.format("p11/p11000011", "s51000001"): REPORT})
    result = prepare("mimic_cxr_jpg", tree, tmp_path)
    assert studies_of(tmp_path, "mimic_cxr_jpg", "val")[0].sections
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["reports_found"] == 1


def test_reports_that_lie_elsewhere_are_no_reason_to_build_without(tree, tmp_path):
    for file in tree.glob("files/*/*/*.txt"):
        file.unlink()
    write(tree, {"texts/all/s50414267.txt": REPORT})
    with pytest.raises(TableError, match=r"holds report files, 2 folders deep") as error:
        prepare("mimic_cxr_jpg", tree, tmp_path)
    assert "50414267" not in str(error.value)


def test_radiologists_labels_of_the_test_set_replace_mined_ones(tree, tmp_path):
    names = LABELS.replace("Lung Opacity", "Airspace Opacity")
    table = f"study_id,{names}\n51000001,0.0,,,,,,,1.0,,,,,,\n"
    write(tree, {"mimic-cxr-2.1.0-test-set-labeled.csv": table})
    result = prepare("mimic_cxr_jpg", tree, tmp_path, limit=0.5)
    labels = codes(studies_of(tmp_path, "mimic_cxr_jpg", "val"), 0)
    assert (labels["Atelectasis"], labels["Lung Opacity"], labels["Edema"]) == (0, 1, -2)
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["studies_labelled_by_radiologists"] == 1


@pytest.mark.parametrize("table", ["metadata.csv", "split.csv.gz"])
def test_a_missing_table_is_named(tree, tmp_path, table):
    (tree / f"mimic-cxr-2.0.0-{table}").unlink()
    with pytest.raises(TableError, match=rf"mimic-cxr-2\.0\.0-{table[:5]}.*does not exist"):
        prepare("mimic_cxr_jpg", tree, tmp_path)
