# SPDX-License-Identifier: Apache-2.0
"""MS-CXR phrases and MS-CXR-T pairs beside the MIMIC-CXR images they are about."""

import json

import numpy as np
import pytest

from medst_jax.data.records.annotations import ImagePair, Phrase, open_annotations
from medst_jax.data_pipelines.listing.annotated import Place
from medst_jax.evaluate.published.availability import availability
from medst_jax.evaluate.subjects.evaluation_data import EvaluationData
from tests.data_pipelines.official import jpegs, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, key_of

A, B, C = (f"{k}2aa804e-bde0afdd-112c0b34-7bc16630-4e384014" for k in "abc")
FIRST, SECOND = "files/p10/p10000032/s50414267", "files/p10/p10000032/s50414999"
OTHER = "files/p11/p11000011/s51000001"
BOXES = "category_name,label_text,path,x,y,w,h,image_width,image_height,dicom_id"
PHRASES = (
    f"Pneumonia,patchy opacity on the left,{FIRST}/{A}.jpg,2,4,6,8,16,24,{A}",
    f"Pneumonia,patchy opacity on the left,{FIRST}/{A}.jpg,1,0,3,3,16,24,{A}",
    f'Edema,"mild, bilateral edema",{FIRST}/{A}.jpg,0,0,16,24,16,24,{A}',
    f"Pneumothorax,apical pneumothorax,{OTHER}/{C}.jpg,0,0,4,4,16,24,{C}",
)


@pytest.fixture
def tree(tmp_path):
    images = jpegs(f"{FIRST}/{A}.jpg", f"{SECOND}/{B}.jpg", f"{OTHER}/{C}.jpg")
    return write(tmp_path / "in", images)


def table(*rows: str, header: str = BOXES) -> str:
    return "\n".join([header, *rows]) + "\n"


def test_boxes_of_one_text_are_one_phrase(tree, tmp_path):
    write(tree, {"MS_CXR_Local_Alignment_v1.0.0.csv": table(*PHRASES)})
    result = prepare("ms_cxr", tree, tmp_path)
    studies = studies_of(tmp_path, "ms_cxr", "test")
    phrases = open_annotations(tmp_path, "ms_cxr", Phrase, "test")
    assert [(p.finding, p.text, len(p.boxes)) for p in phrases] == [
        ("Pneumonia", "patchy opacity on the left", 2),
        ("Edema", "mild, bilateral edema", 1),
        ("Pneumothorax", "apical pneumothorax", 1),
    ]
    assert phrases[0].boxes.tolist() == [[2, 4, 8, 12], [1, 0, 4, 3]]
    assert studies[phrases[0].row].images[phrases[0].image].image_id == A
    assert ids_of(tmp_path, "ms_cxr", [studies[phrases[2].row]]) == ["11000011"]
    content = json.loads((result.directory / "exclude.json").read_text())
    assert (
        f"{key_of(result.directory.parents[2], 'mimic-cxr', '10000032'):016x}"
        in content["patient_keys"]
    )


def test_boxes_follow_the_image_to_its_stored_size():
    place = Place("test", 0, 0, np.array([[0.5, 0, 0], [0, 0.25, 1]], np.float32), 16, 10)
    assert place.boxes(np.array([[2, 4, 6, 8]])).tolist() == [[1, 2, 3, 3]]
    assert place.boxes_of_fractions(np.array([[0.2, 0.25, 0.6, 0.5]])).tolist() == [[1, 2, 3, 3]]


def test_later_release_names_splits_and_a_corrected_table_is_written_again(tree, tmp_path):
    header = BOXES + ",split"
    name = "MS_CXR_Local_Alignment_v1.1.0.csv"
    rows = [f"{PHRASES[0]},val", f"{PHRASES[3]},test", f"{PHRASES[2]},val"]
    write(tree, {name: table(*rows, header=header)})
    prepare("ms_cxr", tree, tmp_path)
    assert len(open_annotations(tmp_path, "ms_cxr", Phrase, "val")) == 2
    rows[0] = rows[0].replace("2,4,6,8", "2,4,6,9")
    write(tree, {name: table(*rows, header=header)})
    prepare("ms_cxr", tree, tmp_path)
    phrases = open_annotations(tmp_path, "ms_cxr", Phrase, "val")
    assert phrases[0].boxes.tolist() == [[2, 4, 8, 13]]


def test_all_splits_read_as_one(tree, tmp_path):
    """Published numbers are over all phrases; rows are those of the joined studies."""
    header = BOXES + ",split"
    rows = [f"{PHRASES[0]},val", f"{PHRASES[2]},val", f"{PHRASES[3]},test"]
    write(tree, {"MS_CXR_Local_Alignment_v1.1.0.csv": table(*rows, header=header)})
    prepare("ms_cxr", tree, tmp_path)
    judged = EvaluationData(tmp_path, 16, "pad", progress=False)
    studies = judged.studies("ms_cxr", "all")
    phrases = judged.annotations("ms_cxr", Phrase, "all")
    assert (len(studies), studies.split, len(phrases)) == (2, "all", 3)
    assert {p.text: studies[p.row].images[p.image].image_id for p in phrases} == {
        "patchy opacity on the left": A,
        "mild, bilateral edema": A,
        "apical pneumothorax": C,
    }
    parts = [studies_of(tmp_path, "ms_cxr", split) for split in ("test", "val")]
    np.testing.assert_array_equal(
        studies.index.patient_key, np.concatenate([part.index.patient_key for part in parts])
    )
    assert studies.raw(1) == parts[1].raw(0) and studies[-1].study_id == parts[1][0].study_id
    with pytest.raises(IndexError):
        studies[2]
    rows, numbers = np.array([1, 0]), np.array([0, 0])
    np.testing.assert_array_equal(
        judged.numbered_images("ms_cxr", "all", rows, numbers), judged.images("ms_cxr", "all", rows)
    )
    (need,) = availability({"a": {"dataset": "ms_cxr", "split": "all"}}, tmp_path)
    assert need.there and "2 patients" in need.found and "2 images" in need.found


def test_bad_phrases(tree, tmp_path):
    bad = [
        f"Flu,x,{FIRST}/{A}.jpg,0,0,4,4,16,24,{A}",
        f"Edema,,{FIRST}/{A}.jpg,0,0,4,4,16,24,{A}",
        f"Edema,x,../{A}.jpg,0,0,4,4,16,24,{A}",
        f"Edema,x,{FIRST}/{A}.jpg,0,0,0,4,16,24,{A}",
        f"Edema,x,{SECOND}/{A.replace('a', 'e')}.dcm,0,0,4,4,16,24,{A}",
    ]
    write(tree, {"MS_CXR_Local_Alignment_v1.0.0.csv": table(*PHRASES, *bad)})
    result = prepare("ms_cxr", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "category_name is not one of Atelectasis, Cardiomegaly, Consolidation, Edema, "
        "Lung Opacity, Pleural Effusion, Pneumonia, Pneumothorax": 1,
        "label_text is empty": 1,
        "path is not .../pNN/pSUBJECT/sSTUDY/DICOM": 1,
        "box without area": 1,
        "missing file": 1,
    }
    assert len(open_annotations(tmp_path, "ms_cxr", Phrase, "test")) == 3


FINDINGS = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
PAIRS = "dicom_id,previous_dicom_id,study_id,previous_study_id,subject_id," + ",".join(
    [f"{f}_progression" for f in FINDINGS] + [f"{f}_label_quality" for f in FINDINGS]
)
METADATA = f"""dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime
{A},10000032,50414267,PA,21800506,83429
{B},10000032,50414999,AP,21800508,83429
{C},11000011,51000001,AP,21800508,1
"""


def test_progression_pairs(tree, tmp_path):
    stated = "improving,,worsening,,stable,one_expert,,multiple_experts,,one_expert"
    folder = "p10/p10000032"
    rows = [
        f"{folder}/s50414999/{B},{folder}/s50414267/{A},50414999,50414267,10000032,{stated}",
        f"{B},{A},50414999,50414267,10000032,better,,,,,,,,,",
        f"{B},{A},50414999,50414267,10000032,,,,,,,,,,",
        f"{C},{A.replace('a', 'e')},51000001,1,11000011,stable,,,,,,,,,",
    ]
    name = "MS_CXR_T_temporal_image_classification_v1.0.0.csv"
    write(tree, {name: table(*rows, header=PAIRS), "mimic-cxr-2.0.0-metadata.csv.gz": METADATA})
    result = prepare("ms_cxr_t", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "progression is not improving, stable, worsening or blank": 1,
        "no progression is stated": 1,
        "image is not in the metadata": 1,
    }
    studies = studies_of(tmp_path, "ms_cxr_t", "test")
    pairs = open_annotations(tmp_path, "ms_cxr_t", ImagePair, "test")
    assert pairs.labels == (
        "Consolidation",
        "Edema",
        "Pleural Effusion",
        "Pneumonia",
        "Pneumothorax",
    )
    assert {p.quality: p.progression.tolist() for p in pairs} == {
        "one_expert": [-1, -2, -2, -2, 0],
        "multiple_experts": [-2, -2, 1, -2, -2],
    }
    assert studies[pairs[0].row].images[pairs[0].image].image_id == B
    assert studies[pairs[0].prior_row].images[pairs[0].prior_image].image_id == A
    assert studies[pairs[0].row].study_days == 2
