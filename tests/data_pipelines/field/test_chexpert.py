# SPDX-License-Identifier: Apache-2.0
"""CheXpert, its other training labels, and the subset drawn from it."""

import json

import pytest

from medst_jax.data_pipelines.listing import class_balance
from medst_jax.data_pipelines.listing.item import Item
from tests.data_pipelines.official import codes, jpegs, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import key_of

# CheXpert's own order: Lung Opacity before Lung Lesion.
HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
)
ROOT = "CheXpert-v1.0-small"
FIRST = f"{ROOT}/train/patient00001/study1"
TRAIN = (
    HEADER
    + f"{FIRST}/view1_frontal.jpg,Female,68,Frontal,AP,,,,1.0,,-1.0,,,,0.0,,,,1.0\n"
    + f"{FIRST}/view2_lateral.jpg,Female,68,Lateral,,,,,1.0,,-1.0,,,,0.0,,,,1.0\n"
    + f"{ROOT}/train/patient00001/study10/view1_frontal.jpg,Female,69,Frontal,PA,1.0"
    + "," * 13
    + "\n"
    + f"{ROOT}/train/patient00001/study2/view1_frontal.jpg,Female,69,Frontal,AP,,,1.0"
    + "," * 11
    + "\n"
)
VALID = (
    HEADER
    + f"{ROOT}/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP"
    + (",0.0" * 13 + ",1.0\n")
)
TEST = (
    "Path,"
    + HEADER.split(",AP/PA,")[1]
    + "test/patient64741/study1/view1_frontal.jpg"
    + ",0.0" * 6
    + ",1.0"
    + ",0.0" * 7
    + "\n"
)
IMAGES = (
    f"{FIRST}/view1_frontal.jpg",
    f"{FIRST}/view2_lateral.jpg",
    f"{ROOT}/train/patient00001/study10/view1_frontal.jpg",
    f"{ROOT}/train/patient00001/study2/view1_frontal.jpg",
    f"{ROOT}/valid/patient64541/study1/view1_frontal.jpg",
    f"{ROOT}/test/patient64741/study1/view1_frontal.jpg",
)


@pytest.fixture
def tree(tmp_path):
    tables = {"train.csv": TRAIN, "valid.csv": VALID, "test_labels.csv": TEST}
    return write(
        tmp_path / "in",
        {**jpegs(*IMAGES), **{f"{ROOT}/{name}": text for name, text in tables.items()}},
    )


@pytest.mark.parametrize("inside", [False, True])
def test_splits_order_views_and_codes(tree, tmp_path, inside):
    result = prepare("chexpert", tree / ROOT if inside else tree, tmp_path)
    assert {name: c["images"] for name, c in result.info["splits"].items()} == {
        "train": 4,
        "val": 1,
        "test": 1,
    }
    studies = studies_of(tmp_path, "chexpert")
    assert [s.study_id for s in studies] == [
        "patient00001/study1",
        "patient00001/study2",
        "patient00001/study10",
    ]
    assert [i.view for i in studies[0].images] == ["AP", "LATERAL"]
    assert (studies[0].age, studies[0].sex) == (68, "F")
    found = codes(studies, 0)
    assert (found["Lung Opacity"], found["Lung Lesion"], found["Edema"]) == (1, -2, -1)
    assert (found["Pneumothorax"], found["Support Devices"]) == (0, 1)
    assert codes(studies_of(tmp_path, "chexpert", "test"), 0)["Consolidation"] == 1


def test_visualchexbert_labels_make_a_data_set_of_their_own(tree, tmp_path):
    visual = HEADER + f"{FIRST}/view1_frontal.jpg,Female,68,Frontal,AP" + ",0" * 13 + ",1\n"
    write(tree, {f"{ROOT}/train_visualCheXbert.csv": visual})
    prepare("chexpert_visualchexbert", tree, tmp_path)
    studies = studies_of(tmp_path, "chexpert_visualchexbert")
    assert len(studies) == 1
    assert sorted(codes(studies, 0).values()) == [0] * 13 + [1]


def test_bad_rows(tree, tmp_path):
    bad = "train/patient1/view1.jpg" + "," * 18 + "\n"
    bad += f"{FIRST}/view1_frontal.jpg" + "," * 18 + "\n"
    bad += f"{FIRST}/view9_frontal.jpg,,,,,yes" + "," * 13 + "\n"
    bad += f"{ROOT}/train/patient00009/study1/../../secret.jpg" + "," * 18 + "\n"
    write(tree, {f"{ROOT}/train.csv": TRAIN + bad})
    result = prepare("chexpert", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "train table: Path is not .../patientN/studyN/FILE below train, valid or test": 2,
        "train table: Path occurs twice": 1,
        "train table: No Finding is not a number": 1,
    }


def test_chexpert_5x200_excludes_its_patients(tree, tmp_path):
    result = prepare("chexpert_5x200", tree, tmp_path)
    studies = studies_of(tmp_path, "chexpert_5x200", "test")
    assert [s.study_id for s in studies] == ["patient00001/study2"]
    content = json.loads((result.directory / "exclude.json").read_text())
    assert content["patient_keys"] == [
        f"{key_of(result.directory.parents[2], 'chexpert', 'patient00001'):016x}"
    ]


def _image(number, view="frontal", **labels):
    path = f"train/patient{number:05d}/study1/view1_{view}.jpg"
    named = {name.replace("_", " "): code for name, code in labels.items()}
    return Item(number, f"patient{number:05d}", f"s{number}", path, view="PA", labels=named)


@pytest.mark.parametrize(
    ("labels", "chosen"),
    [
        ({"Edema": 1}, True),
        ({"Edema": 1, "No_Finding": 1}, True),
        ({"Edema": 1, "Fracture": 0}, True),
        ({"Edema": 1, "Fracture": 1}, False),
        ({"Edema": 1, "Fracture": -1}, False),
        ({"Edema": 1, "Support_Devices": 1}, False),
        ({"Edema": 1, "Atelectasis": -1}, False),
        ({"Edema": -1}, False),
        ({"Fracture": 1}, False),
        ({}, False),
    ],
)
def test_the_published_rule_wants_nothing_beside_the_class(labels, chosen):
    items, candidates = class_balance.chexpert([_image(1, **labels), _image(2, "lateral", Edema=1)])
    assert [item.row for item in items] == ([1] if chosen else [])
    assert candidates["Edema"] == int(chosen)


def test_the_published_rule_draws_as_pandas_does():
    # pandas.DataFrame(range(300)).sample(5, random_state=0) gives these rows.
    items, candidates = class_balance.chexpert(
        [_image(k, Edema=1) for k in range(300)], per_class=5
    )
    assert candidates["Edema"] == 300
    assert sorted(item.row for item in items) == [12, 188, 208, 221, 239]


def test_the_first_rule_is_balanced_seeded_by_ids_and_one_per_patient():
    items = [
        Item(k, f"p{k // 2}", f"s{k}", f"i{k}", view="PA", labels={"a": k % 4 < 3, "b": k % 4 == 3})
        for k in range(400)
    ]
    chosen, _ = class_balance.v1(items, ("a", "b"), 50)
    # By their text: copies hold NaN, and from Python 3.13 on a data class with NaN equals itself only.
    backwards, _ = class_balance.v1(reversed(items), ("a", "b"), 50)
    assert list(map(repr, chosen)) == list(map(repr, backwards))
    counts = [sum(i.labels[c] for i in chosen) for c in ("a", "b")]
    assert counts == [50, 50]
    pairs = [(i.patient_id, i.labels["a"]) for i in chosen]
    assert len(set(pairs)) == len(pairs)


def test_a_released_list_goes_before_the_rule(tree, tmp_path):
    classes = "Atelectasis,Cardiomegaly,Consolidation,Edema,Pleural Effusion"
    listed = f"Path,{classes}\nCheXpert-v1.0/{FIRST}/view1_frontal.jpg,0,1,0,0,0\n"
    listed += "CheXpert-v1.0/train/patient99999/study1/view1_frontal.jpg,1,0,0,0,0\n"
    write(tree, {"chexpert_5x200.csv": listed})
    result = prepare("chexpert_5x200", tree, tmp_path, limit=0.9)
    studies = studies_of(tmp_path, "chexpert_5x200", "test")
    assert len(studies) == 1 and codes(studies, 0)["Cardiomegaly"] == 1
    assert rejects(result)["chexpert_5x200.csv: image is not in the tables"] == 1
