# SPDX-License-Identifier: Apache-2.0
"""Sets that BenchX adds, and its lists of images."""

import json

import cv2
import numpy as np
import pytest

from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.object_cxr.shapes import draw, parse_shapes
from medst_jax.data_pipelines.registry import Request, RequestError, make_sources
from tests.data_pipelines.official import (
    codes,
    dicoms,
    jpegs,
    png,
    prepare,
    rejects,
    studies_of,
    write,
)
from tests.data_pipelines.tables import ids_of, picture


def everything(tmp_path, name, result):
    return {
        study.study_id: (split, study, codes(studies, k))
        for split in result.info["splits"]
        for studies in [studies_of(tmp_path, name, split)]
        for k, study in enumerate(studies)
    }


def mask_of(study) -> np.ndarray:
    return cv2.imdecode(study.truth["truth_mask"], cv2.IMREAD_UNCHANGED)


def test_object_cxr_splits_and_masks(tmp_path):
    train = (
        "image_name,annotation\n08001.jpg,0 2 3 6 9;1 8 4 14 10\n08002.jpg,\n08003.jpg,0 5 5 5 9\n"
    )
    dev = "image_name,annotation\n09001.jpg,2 1 1 9 1 9 20\n"
    # The test table came out later, with paths.
    test = "image_path,annotation\ntest/10001.jpg,1 2 2 12 12\ntest/10002.jpg,3 1 1 2 2\n"
    names = ("train/08001", "train/08002", "train/08003", "dev/09001", "test/10001", "test/10002")
    folder = write(
        tmp_path / "in",
        {
            **jpegs(*(f"{name}.jpg" for name in names)),
            "train.csv": train,
            "dev.csv": dev,
            "test.csv": test,
        },
    )
    result = prepare("object_cxr", folder, tmp_path, limit=0.5)
    assert rejects(result) == {
        "train.csv: corners are not upper left and lower right": 1,
        "test.csv: annotation is not kind x y x y ...": 1,
    }
    found = everything(tmp_path, "object_cxr", result)
    assert {name: split for name, (split, _, _) in found.items()} == {
        "08001": "train",
        "08002": "train",
        "09001": "val",
        "10001": "test",
    }
    assert found["08001"][2] == {"Foreign Object": 1}
    assert found["08002"][2] == {"Foreign Object": 0}
    assert found["08002"][1].truth["truth_mask"].size == 0
    mask = mask_of(found["08001"][1])
    assert mask.shape == (24, 16)  # that of the image, which is small
    rows, columns = np.nonzero(mask[:, :7])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 9, 2, 6)
    assert mask[7, 11] and not mask[4, 8] and not mask[10, 14]  # an ellipse has no corners
    polygon = mask_of(found["09001"][1])
    assert polygon[2, 8] and not polygon[18, 2]


def test_shapes_of_large_images_are_drawn_small():
    mask = draw(parse_shapes("0 0 0 2047 1023"), width=4096, height=2048)
    assert mask.shape == (512, 1024)
    assert mask[:256, :512].all() and not mask[260:].any() and not mask[:, 516:].any()
    ellipse = draw(("1 0 0 100 200",), 300, 300)
    assert ellipse.sum() == pytest.approx(np.pi * 50 * 100, rel=0.03)


@pytest.mark.parametrize(
    "cell", ["0 1 2", "0 1 2 3", "2 1 1 2 2", "3 1 1 2 2", "0 a 1 2 3", "1 5 5 4 9"]
)
def test_shapes_that_cannot_be(cell):
    with pytest.raises(CellError):
        parse_shapes(cell)


TBX11K = """fname,image_height,image_width,source,bbox,target,tb_type,image_type
h0001.png,512,512,train,none,no_tb,none,healthy
s0001.png,512,512,val,none,no_tb,none,sick_but_no_tb
tb0003.png,512,512,train,"{'xmin': 64.0, 'ymin': 128, 'width': 128, 'height': 64}",tb,active_tb,tb
tb0003.png,512,512,train,"{'xmin': 256, 'ymin': 256, 'width': 64.5, 'height': 64}",tb,latent_tb,tb
tb0004.png,512,512,val,"{'xmin': 1, 'ymin': 1, 'width': 0, 'height': 64}",tb,latent_tb,tb
h0002.png,512,512,train,none,tb,none,healthy
h0003.png,512,512,extra,none,no_tb,none,healthy
"""


@pytest.fixture
def tbx11k(tmp_path):
    names = ("h0001", "s0001", "tb0003", "tb0004", "h0002", "h0003")
    images = {f"images/{name}.png": png(picture(k, 32, 32)) for k, name in enumerate(names)}
    return write(tmp_path / "in", {**images, "data.csv": TBX11K})


def test_tbx11k_classes_boxes_and_official_split(tbx11k, tmp_path):
    result = prepare("tbx11k", tbx11k, tmp_path, limit=0.9)
    assert rejects(result) == {
        "box without area": 1,
        "image_type, target, tb_type and bbox disagree": 1,
        "source is not one of train, val": 1,
    }
    found = everything(tmp_path, "tbx11k", result)
    assert {name: split for name, (split, _, _) in found.items()} == {
        "h0001": "train",
        "s0001": "val",
        "tb0003": "train",
    }
    assert found["h0001"][2] == {
        "Healthy": 1,
        "Sick without Tuberculosis": 0,
        "Tuberculosis": 0,
        "Active Tuberculosis": 0,
        "Latent Tuberculosis": 0,
    }
    labels = found["tb0003"][2]
    assert [name for name, code in labels.items() if code] == [
        "Tuberculosis",
        "Active Tuberculosis",
        "Latent Tuberculosis",
    ]
    # The table is about images of 512 x 512; these have 32.
    np.testing.assert_allclose(
        found["tb0003"][1].truth["truth_boxes"][:, 1:],
        [[2, 4, 8, 12, 12], [2, 16, 16, 20.03125, 20]],
    )


@pytest.fixture
def siim_png(tmp_path):
    """Four images of stage 1, two of them of its test."""
    head = "new_filename,ImageId,has_pneumo\n"
    train = f"{head}0_train_0_.png,1.2.1,0\n1_train_1_.png,1.2.2,1\n2_train_1_.png,1.2.5,1\n"
    test = f"{head}0_test_1_.png,1.2.3,1\n1_test_0_.png,1.2.4,0\n"
    names = ("0_train_0_", "1_train_1_", "2_train_1_", "0_test_1_", "1_test_0_")
    images = {f"png_images/{name}.png": png(picture(k)) for k, name in enumerate(names)}
    mask = np.zeros((24, 16), np.uint8)
    mask[4:8, 2:5] = 255
    masks = {f"png_masks/{name}.png": png(mask if "_1_" in name else mask * 0) for name in names}
    masks["png_masks/2_train_1_.png"] = b"cut short"
    tables = {"stage_1_train_images.csv": train, "stage_1_test_images.csv": test}
    files = {**images, **masks, **tables}
    return write(tmp_path / "in", {f"siim-acr-pneumothorax/{k}": v for k, v in files.items()})


def test_siim_as_png(siim_png, tmp_path):
    result = prepare("siim_pneumothorax_png", siim_png, tmp_path, limit=0.9)
    assert rejects(result) == {"not a JPEG, PNG or DICOM file": 1}
    found = everything(tmp_path, "siim_pneumothorax_png", result)
    assert found["0_test_1_"][0] == found["1_test_0_"][0] == "test"
    mask = mask_of(found["1_train_1_"][1])
    assert mask[4:8, 2:5].all() and mask.sum() == 12 * 255
    assert found["0_train_0_"][1].truth["truth_mask"].size == 0
    # Both releases are one collection: training on one leaves the patients of the other's test out.
    rows = "ImageId, EncodedPixels\n1.2.3, -1\n1.2.9, -1\n"
    folder = write(
        tmp_path / "dicom",
        {**dicoms(*(f"dicom-images-train/a/b/1.2.{k}.dcm" for k in (3, 9))), "train-rle.csv": rows},
    )
    prepare("siim_pneumothorax", folder, tmp_path)
    both = studies_of(tmp_path, "siim_pneumothorax").index.patient_key
    excluded = json.loads((result.directory / "exclude.json").read_text())["patient_keys"]
    assert len({f"{key:016x}" for key in both} & set(excluded)) == 1


def test_lists_say_what_is_in_which_split(siim_png, tmp_path):
    lists = write(
        tmp_path / "lists",
        {
            "train.txt": "1_test_0_\nimages/0_train_0_.png\n\n",
            "val.txt": "",
            "test.txt": "1_train_1_\n9_train_0_\n",
        },
    )
    result = prepare(
        "siim_pneumothorax_benchx", siim_png, tmp_path, limit=0.5, split_lists=str(lists)
    )
    assert rejects(result) == {"test.txt: image is not in the tables": 1}
    found = everything(tmp_path, "siim_pneumothorax_benchx", result)
    assert {name: split for name, (split, _, _) in found.items()} == {
        "0_train_0_": "train",
        "1_test_0_": "train",
        "1_train_1_": "test",
    }
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["split_lists"] == {"train": 2, "test": 1} and card["images_of_no_list"] == 2
    assert card["namespace"] == "siim_pneumothorax"


def test_a_patient_of_two_lists_stays_with_the_last(tmp_path):
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    )
    names = [f"{p:08d}_{k:03d}.png" for p in (1, 2) for k in (0, 1)]
    rows = "".join(
        f"{name},No Finding,{name[11]},{int(name[:8])},58,M,PA,9,9,.1,.1\n" for name in names
    )
    images = {f"images/{name}": png(picture(k)) for k, name in enumerate(names)}
    folder = write(tmp_path / "in", {**images, "Data_Entry_2017_v2020.csv": header + rows})
    lists = write(
        tmp_path / "lists",
        {"train.txt": f"{names[0]}\n{names[2]}\n{names[3]}", "test.txt": names[1]},
    )
    result = prepare("nih_chestxray14_benchx", folder, tmp_path, limit=0.5, split_lists=str(lists))
    assert rejects(result) == {"patient of another split": 1}
    splits = {
        split: ids_of(
            tmp_path,
            "nih_chestxray14_benchx",
            studies_of(tmp_path, "nih_chestxray14_benchx", split),
        )
        for split in result.info["splits"]
    }
    assert splits == {"train": ["2", "2"], "test": ["1"]}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train.txt": "a"}, "test.txt does not exist: --split_lists must be a folder"),
        ({"train.txt": "h0001", "test.txt": "h0001.png"}, "the image is in train.txt already"),
        ({"train.txt": "a", "test.txt": "b"}, "name no image of this data set"),
    ],
)
def test_wrong_lists_are_named(tbx11k, tmp_path, lists, message):
    folder = write(tmp_path / "lists", lists)
    with pytest.raises(TableError, match=message):
        prepare("tbx11k_benchx", tbx11k, tmp_path, limit=0.9, split_lists=str(folder))


def test_lists_are_of_data_sets_that_take_them():
    with pytest.raises(RequestError, match="tbx11k_benchx needs --split_lists=FOLDER"):
        make_sources("tbx11k_benchx", Request(source_dir="x"))
    with pytest.raises(RequestError, match="tbx11k has splits of its own"):
        make_sources("tbx11k", Request(source_dir="x", split_lists="y"))


def test_a_later_covidx_is_a_data_set_of_its_own_with_the_same_patients(tmp_path):
    folder = write(
        tmp_path / "in",
        {
            **jpegs("train/a.png", "train/b.png", "val/c.png", "test/d.png"),
            "train.txt": "1 a.png positive cohen\n2 b.png negative rsna\n",
            "val.txt": "3 c.png positive cohen\n",
            "test.txt": "4 d.png negative rsna\n",
        },
    )
    result = prepare("covidx_cxr4", folder, tmp_path)
    assert set(result.info["splits"]) == {"train", "val", "test"}
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["namespace"] == "covidx"
    assert studies_of(tmp_path, "covidx_cxr4").labels == ("COVID-19",)
