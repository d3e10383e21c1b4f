# SPDX-License-Identifier: Apache-2.0
"""RSNA pneumonia and SIIM-ACR pneumothorax."""

import json

import cv2
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.boxes import fit_box
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Box
from medst_jax.data_pipelines.listing.splits import seventy_fifteen_fifteen
from medst_jax.data_pipelines.siim_pneumothorax import run_lengths
from tests.data_pipelines.official import codes, dicoms, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, key_of

IDS = tuple(f"0004cfab-14fd-4e49-80ba-{k:012d}" for k in range(8))


@pytest.fixture
def rsna(tmp_path):
    labels = "patientId,x,y,width,height,Target\n"
    labels += f"{IDS[0]},264.0,152.0,213.0,379.0,1\n{IDS[0]},562.0,152.0,256.0,453.0,1\n"
    labels += "".join(f"{name},,,,,0\n" for name in IDS[1:])
    classes = f"patientId,class\n{IDS[0]},Lung Opacity\n{IDS[0]},Lung Opacity\n{IDS[1]},Normal\n"
    classes += "".join(f"{name},No Lung Opacity / Not Normal\n" for name in IDS[2:7])
    images = [f"stage_2_train_images/{name}.dcm" for name in IDS]
    tags = {"ViewPosition": "AP", "PatientSex": "F", "PatientAge": "051Y"}
    return write(
        tmp_path / "in",
        {
            **dicoms(*images, **tags),
            "stage_2_train_labels.csv": labels,
            "stage_2_detailed_class_info.csv": classes,
        },
    )


def everything(tmp_path, name, result):
    found = {}
    for split in result.info["splits"]:
        studies = studies_of(tmp_path, name, split)
        for k, study in enumerate(studies):
            found[study.study_id] = (split, study, codes(studies, k))
    return found


def test_rsna_boxes_classes_headers_and_split(rsna, tmp_path):
    result = prepare("rsna_pneumonia", rsna, tmp_path)
    found = everything(tmp_path, "rsna_pneumonia", result)
    assert len(found) == 8
    _, study, labels = found[IDS[0]]
    assert labels == {
        "Pneumonia": 1,
        "Normal": 0,
        "No Lung Opacity / Not Normal": 0,
        "Lung Opacity": 1,
    }
    # The table is about images of 1024 x 1024; these have 24 rows and 16 columns.
    corners = np.array([[264, 152, 477, 531], [562, 152, 818, 605]]) * [16, 24, 16, 24] / 1024
    np.testing.assert_allclose(study.truth["truth_boxes"][:, 2:], corners, rtol=1e-6)
    assert (study.truth["truth_boxes"][:, :2] == 0).all()
    assert (study.images[0].view, study.sex, study.age) == ("AP", "F", 51)
    assert found[IDS[1]][2]["Normal"] == 1
    assert found[IDS[1]][1].truth["truth_boxes"].shape == (0, 6)
    assert found[IDS[7]][2] == {
        "Pneumonia": 0,
        **dict.fromkeys(("Normal", "No Lung Opacity / Not Normal", "Lung Opacity"), -3),
    }
    assert {name: place[0] for name, place in found.items()} == seventy_fifteen_fifteen(IDS)


def test_the_mapping_to_nih_gives_patients(rsna, tmp_path):
    result = prepare("rsna_pneumonia", rsna, tmp_path / "without")
    assert "mappings_2018.json" in result.info["cautions"]["patients unknown"]
    assert {row["ids"] for row in result.info["overlaps"] if row["whole"] == "nih_chestxray14"} == {
        "new"
    }
    # Two images a patient, and one that the list lacks.
    entries = [
        {"subset_img_id": name, "img_id": f"{k // 2 + 1:08d}_{k % 2:03d}.png"}
        for k, name in enumerate(IDS[:7])
    ]
    write(rsna, {"pneumonia-challenge-dataset-mappings_2018.json": json.dumps(entries)})
    result = prepare("rsna_pneumonia", rsna, tmp_path / "with", limit=0.2)
    assert rejects(result) == {"image is not in the mapping": 1}
    assert not result.info["cautions"]
    assert {row["ids"] for row in result.info["overlaps"] if row["whole"] == "nih_chestxray14"} == {
        "same"
    }
    split_of = {}
    for split in result.info["splits"]:
        studies = studies_of(tmp_path / "with", "rsna_pneumonia", split)
        for patient in ids_of(tmp_path / "with", "rsna_pneumonia", studies):
            split_of.setdefault(patient, set()).add(split)
    assert set(split_of) == {"1", "2", "3", "4"}
    assert {len(splits) for splits in split_of.values()} == {1}
    # The keys are those of NIH's patients, so that training on NIH can leave them out.
    listed = json.loads((result.directory / "exclude.json").read_text())["patient_keys"]
    keys = {f"{key_of(tmp_path / 'with', 'nih_chestxray14', p):016x}" for p in split_of}
    assert listed and set(listed) <= keys


@pytest.mark.parametrize(
    "content", ["[", "{}", '[{"img_id": 3}]', '[{"subset_img_id": "a", "img_id": "x"}]']
)
def test_another_mapping_is_refused(rsna, tmp_path, content):
    write(rsna, {"pneumonia-challenge-dataset-mappings_2018.json": content})
    with pytest.raises(TableError, match="is not RSNA's list"):
        prepare("rsna_pneumonia", rsna, tmp_path)


@pytest.mark.parametrize(
    ("corners", "frame", "size", "fitted"),
    [
        ((1, 2, 3, 4), None, (10, 10), (1, 2, 3, 4)),
        ((100, 200, 300, 400), (1000, 1000), (10, 20), (1, 4, 3, 8)),
        ((-1, 0, 11, 10), None, (10, 10), (0, 0, 10, 10)),
        ((0, 0, 30, 5), None, (10, 10), None),
        ((-9, 0, 5, 5), None, (10, 10), None),
        ((0, 0, 5, 15), None, (10, 10), None),
        ((0, 0, 900, 900), (1000, 1000), (10, 10), (0, 0, 9, 9)),
    ],
)
def test_boxes_fit_the_file_or_are_outside(corners, frame, size, fitted):
    box = fit_box(Box("Mass", *corners), frame, size)
    assert (None if box is None else (box.x0, box.y0, box.x1, box.y1)) == fitted


def test_the_published_split_recipe():
    ids = [f"{k:03d}" for k in range(100)]
    split = seventy_fifteen_fifteen(reversed(ids))
    rest = train_test_split(ids, test_size=0.3, random_state=0)[1]
    test = train_test_split(rest, test_size=0.5, random_state=0)[0]
    assert {name for name, place in split.items() if place == "test"} == set(test)
    assert [list(split.values()).count(s) for s in ("train", "val", "test")] == [70, 15, 15]


def test_rsna_bad_rows_and_files(rsna, tmp_path):
    table = (rsna / "stage_2_train_labels.csv").read_text()
    bad = "../x,,,,,0\nx,1,2,3,4,0\ny,1,2,3,,1\nz,,,,,maybe\n"
    write(rsna, {"stage_2_train_labels.csv": table + bad})
    write(rsna, {f"stage_2_train_images/{IDS[3]}.dcm": bytes(128) + b"DICM" + b"\xff" * 50})
    (rsna / f"stage_2_train_images/{IDS[4]}.dcm").unlink()
    result = prepare("rsna_pneumonia", rsna, tmp_path, limit=0.9)
    assert rejects(result) == {
        "patientId is not the name of a file": 1,
        "box and Target disagree": 2,
        "Target is not a number": 1,
        "unreadable DICOM": 1,
        "missing file": 1,
    }


@pytest.mark.parametrize("negative", ["-1", " -1"])
def test_siim_masks_of_one_image_are_joined(tmp_path, negative):
    rows = "ImageId, EncodedPixels\n"
    rows += f"1.2.276.1,{negative}\n1.2.276.2, 1024 3 1021 2\n1.2.276.2,5 1\n1.2.276.3,9 1 -2 3\n"
    images = [f"dicom-images-train/1.2.{k}/1.3.{k}/1.2.276.{k}.dcm" for k in (1, 2, 3)]
    folder = write(tmp_path / "in", {**dicoms(*images), "train-rle.csv": rows})
    result = prepare("siim_pneumothorax", folder, tmp_path, limit=0.5)
    assert rejects(result) == {"run lengths are not numbers": 1}
    found = everything(tmp_path, "siim_pneumothorax", result)
    assert found["1.2.276.1"][2] == {"Pneumothorax": 0}
    assert found["1.2.276.1"][1].truth["truth_mask"].size == 0
    _, study, labels = found["1.2.276.2"]
    assert labels == {"Pneumothorax": 1}
    mask = cv2.imdecode(study.truth["truth_mask"], cv2.IMREAD_UNCHANGED)
    assert mask.shape == (1024, 1024)
    # Runs go down the columns: 3 pixels of column 1, 2 of column 2, and one of column 0.
    assert sorted(zip(*np.nonzero(mask), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
        (2, 1),
        (5, 0),
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1", "not pairs"),
        ("1 2 3", "not pairs"),
        ("a b", "not numbers"),
        ("1 -1", "not numbers"),
        ("", "not numbers"),
        ("5 20", "beyond"),
        ("99999999999 1", "not numbers"),
    ],
)
def test_run_lengths_that_cannot_be(code, reason):
    with pytest.raises(CellError, match=reason):
        run_lengths.decode(code, 4, 5)


def test_run_lengths_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 9, 20)
    flat, start = np.zeros(30 * 20, bool), 0
    for gap, length in numbers.reshape(-1, 2):
        start += gap
        flat[start : start + length] = True
        start += length
    mask = run_lengths.decode(" ".join(map(str, numbers)), 30, 20)
    np.testing.assert_array_equal(mask, flat.reshape(20, 30).T)
