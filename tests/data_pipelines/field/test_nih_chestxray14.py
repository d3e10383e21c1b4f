# SPDX-License-Identifier: Apache-2.0
"""NIH ChestX-ray14, its boxes and its long-tailed labels."""

import numpy as np
import pytest

from medst_jax.data_pipelines.nih_chestxray14.long_tail import CLASSES
from tests.data_pipelines.official import codes, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, picture

# As released: the last two names hold commas, so the header has 11 cells.
ENTRIES = """Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,\
View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]
00000001_001.png,Cardiomegaly|Emphysema,1,1,58,M,PA,2894,2729,0.143,0.143
00000001_000.png,Cardiomegaly,0,1,57,M,AP,2048,1024,0.143,0.2
00000002_000.png,No Finding,0,2,080Y,F,PA,2500,2048,0.171,0.171
00000003_000.png,Infiltration,0,3,81,F,PA,2582,2991,0.143,0.143
"""
BOXES = """Image Index,Finding Label,Bbox [x,y,w,h],,,
00000003_000.png,Infiltrate,225.1,547.0,86.8,79.2,,,
00000001_001.png,Cardiomegaly,10,20,30,40,,,
00000001_001.png,Aneurysm,10,20,30,40,,,
"""
NAMES = ("00000001_001.png", "00000001_000.png", "00000002_000.png", "00000003_000.png")


@pytest.fixture
def tree(tmp_path):
    images = {f"images_{k + 1:03d}/images/{n}": png(picture(k)) for k, n in enumerate(NAMES)}
    return write(
        tmp_path / "in",
        {
            **images,
            "Data_Entry_2017_v2020.csv": ENTRIES,
            "BBox_List_2017.csv": BOXES,
            "train_val_list.txt": "\n".join(NAMES[:3]),
            "test_list.txt": NAMES[3] + "\n",
        },
    )


def test_official_test_set_order_labels_and_spacing(tree, tmp_path):
    result = prepare("nih_chestxray14", tree, tmp_path, limit=0.5)
    assert rejects(result) == {"box table: Finding Label is unknown": 1}
    test = studies_of(tmp_path, "nih_chestxray14", "test")
    assert ids_of(tmp_path, "nih_chestxray14", test) == ["3"]
    held = "train" if "train" in result.info["splits"] else "val"
    studies = studies_of(tmp_path, "nih_chestxray14", held)
    ids = ids_of(tmp_path, "nih_chestxray14", studies)
    first = [s for s, patient in zip(studies, ids, strict=True) if patient == "1"]
    assert [s.images[0].image_id for s in first] == [NAMES[1], NAMES[0]]
    assert [s.study_index for s in first] == [0, 1]
    assert first[0].images[0].view == "AP"
    # The released file is the original scaled to 1024 x 1024.
    assert first[0].images[0].spacing == pytest.approx((0.2, 0.286))
    assert sum(codes(studies, 1).values()) == 2
    assert codes(test, 0)["Infiltration"] == 1


def test_boxes_are_truth_in_pixels_of_the_released_image(tree, tmp_path):
    prepare("nih_chestxray14", tree, tmp_path, limit=0.5)
    test = studies_of(tmp_path, "nih_chestxray14", "test")
    place = test.labels.index("Infiltration")
    # The table is about images of 1024 x 1024; these have 24 rows and 16 columns.
    corners = np.array([225.1, 547.0, 311.9, 626.2]) * [16, 24, 16, 24] / 1024
    np.testing.assert_allclose(test[0].truth["truth_boxes"], [[0, place, *corners]], rtol=1e-6)


def test_bad_rows(tree, tmp_path):
    bad = "00000001_001.png,No Finding,0,1,58,M,PA,1,1,1,1\n"
    bad += "../x.png,No Finding,0,1,58,M,PA,1,1,1,1\n00000009_000.png,Flu,0,9,58,M,PA,1,1,1,1\n"
    write(
        tree,
        {
            "Data_Entry_2017_v2020.csv": ENTRIES + bad,
            "BBox_List_2017.csv": BOXES[: BOXES.index("00000001")],
        },
    )
    (tree / "images_001/images" / NAMES[0]).write_bytes(b"\x89PNG\r\n\x1a\n")
    result = prepare("nih_chestxray14", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "Image Index occurs twice": 1,
        "image name is not like 00000001_000.png": 1,
        "Finding Labels holds an unknown finding": 1,
        "unreadable PNG": 1,
    }


def one_hot(*rows: tuple[str, str]) -> str:
    # The release writes this one with a blank.
    header = ",".join(["id", *CLASSES, "subject_id"]).replace("Pleural_T", "Pleural T")
    lines = [
        ",".join([name, *(str(int(c == label)) for c in CLASSES), "1"]) for name, label in rows
    ]
    return "\n".join([header, *lines]) + "\n"


def test_long_tail_takes_each_patient_once(tree, tmp_path):
    tables = {
        "train": one_hot((NAMES[0], "Tortuous Aorta"), (NAMES[2], "No Finding")),
        "balanced-val": one_hot((NAMES[1], "Hernia")),
        "test": one_hot((NAMES[3], "Pleural_Thickening"), ("00000077_000.png", "Mass")),
        "balanced-test": one_hot((NAMES[3], "Pleural_Thickening")),
    }
    write(
        tree,
        {f"LongTailCXR/nih-cxr-lt_single-label_{n}.csv": text for n, text in tables.items()},
    )
    result = prepare("nih_lt", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "box table: Finding Label is unknown": 1,
        "patient of another split": 1,
        "test table: image is not in the data entries": 1,
    }
    found = {
        split: [s.images[0].image_id for s in studies_of(tmp_path, "nih_lt", split)]
        for split in result.info["splits"]
    }
    assert found == {"train": [NAMES[2]], "val": [NAMES[1]], "test": [NAMES[3]]}
    assert codes(studies_of(tmp_path, "nih_lt", "test"), 0)["Pleural_Thickening"] == 1
    balanced = prepare("nih_lt_balanced", tree, tmp_path, limit=0.9)
    assert list(balanced.info["splits"]) == ["test"]
