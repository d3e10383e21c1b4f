# SPDX-License-Identifier: Apache-2.0
"""Chest ImaGenome in its official layout: regions and findings on MIMIC-CXR's images and splits."""

import json

import pytest

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.annotations import Phrase, open_annotations
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chest_imagenome.graph import read_graph
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import jpegs, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of

A, B, C, D = (f"{k}2aa804e-bde0afdd-112c0b34-7bc16630-4e384014" for k in "abcd")
# Image: subject, study, MIMIC's split.
IMAGES = {
    A: ("10000032", "50414267", "train"),
    B: ("10000032", "50414999", "train"),
    C: ("11000011", "51000001", "test"),
    D: ("12000012", "52000001", "train"),
}
PATHS = {k: f"files/p{s[:2]}/p{s}/s{study}/{k}.jpg" for k, (s, study, _) in IMAGES.items()}
METADATA = "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime\n" + "".join(
    f"{k},{s},{study},PA,2180050{n},1\n" for n, (k, (s, study, _)) in enumerate(IMAGES.items(), 1)
)
SPLIT = "dicom_id,study_id,subject_id,split\n" + "".join(
    f"{k},{study},{s},{split}\n" for k, (s, study, split) in IMAGES.items()
)


def listed(*images: str) -> str:
    rows = (f"0,{IMAGES[k][0]},{IMAGES[k][1]},{k},{PATHS[k]},PA" for k in images)
    return "\n".join([",subject_id,study_id,dicom_id,path,ViewPosition", *rows]) + "\n"


def region(name: str, *corners: object) -> dict[str, object]:
    frame = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    own = zip(("original_x1", "original_y1", "original_x2", "original_y2"), corners, strict=False)
    return {"bbox_name": name, **frame, **dict(own)}


GRAPH = {
    "image_id": A,
    "objects": [
        region("right lung", 1, 2, 8, 20),
        region("left lung", 8, 2, 99, 20),  # runs out of the image
        region("spine", 50, 50, 60, 60),  # lies outside
        region("carina"),  # in the frame of 224 pixels alone
    ],
    "attributes": [
        {
            "bbox_name": "right lung",
            "attributes": [
                ["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal"],
                ["disease|no|pneumonia"],
            ],
        },
        {"bbox_name": "left lung", "attributes": [["anatomicalfinding|yes|lung opacity"]]},
        {"bbox_name": "carina", "attributes": [["disease|yes|pneumonia"]]},
    ],
    "relationships": [],
}
BOXES = "image_id,bbox_name,original_x1,original_y1,original_x2,original_y2\n"
FOUND = "image_id\tbbox\tcontext\tcategoryID\tlabel_name\n"


@pytest.fixture
def tree(tmp_path):
    silver = "silver_dataset/splits"
    return write(
        tmp_path / "in",
        {
            **jpegs(*PATHS.values()),
            "mimic-cxr-2.0.0-metadata.csv.gz": METADATA,
            "mimic-cxr-2.0.0-split.csv.gz": SPLIT,
            # The release's own splits: a training patient of MIMIC-CXR is in its test list.
            f"{silver}/train.csv": listed(C),
            f"{silver}/valid.csv": listed(D),
            f"{silver}/test.csv": listed(A, B),
            f"{silver}/images_to_avoid.csv": listed(D),
            **{
                f"silver_dataset/scene_graph/{k}_SceneGraph.json": json.dumps(GRAPH)
                for k in (A, C, D)
            },
            "gold_dataset/gold_bbox_coordinate_annotations_1000images.csv": BOXES
            + f"{D}.dcm,right lung,1,2,8,20\n{D}.dcm,left lung,8,2,15,20\n",
            "gold_dataset/gold_object_attribute_with_coordinates.txt": FOUND
            + f"{D}.dcm\tright lung\tyes\tanatomicalfinding\tlung opacity\n"
            + f"{D}.dcm\tleft lung\tno\tdisease\tpneumonia\n"
            + f"{D}.dcm\tleft lung\tyes\ttubesandlines\tpicc\n",
        },
    )


def test_splits_are_those_of_mimic_and_gold_patients_stay_out(tree, tmp_path):
    result = prepare("chest_imagenome", tree, tmp_path)
    assert rejects(result) == {}
    studies = studies_of(tmp_path, "chest_imagenome")
    assert ids_of(tmp_path, "chest_imagenome", studies) == ["10000032"] * 2
    assert [s.study_id for s in studies] == ["50414267", "50414999"]
    assert len(studies_of(tmp_path, "chest_imagenome", "test")) == 1
    card = (result.directory / "data_card.json").read_text()
    assert '"images of gold patients": 1' in card and '"images_without_graph": 1' in card


def test_regions_and_findings_are_phrases_with_boxes_inside_the_image(tree, tmp_path):
    prepare("chest_imagenome", tree, tmp_path)
    phrases = open_annotations(tmp_path, "chest_imagenome", Phrase, "train")
    assert [(p.text, p.finding, p.boxes.tolist()) for p in phrases] == [
        ("right lung", "right lung", [[1, 2, 8, 20]]),
        ("left lung", "left lung", [[8, 2, 16, 20]]),
        ("lung opacity", "lung opacity", [[1, 2, 8, 20], [8, 2, 16, 20]]),
    ]
    studies = studies_of(tmp_path, "chest_imagenome")
    assert studies[phrases[0].row].images[phrases[0].image].image_id == A


def test_gold_images_are_for_evaluation_and_exclude_their_patients(tree, tmp_path):
    prepare("chest_imagenome_gold", tree, tmp_path)
    phrases = open_annotations(tmp_path, "chest_imagenome_gold", Phrase, "test")
    assert [(p.text, p.boxes.tolist()) for p in phrases] == [
        ("right lung", [[1, 2, 8, 20]]),
        ("left lung", [[8, 2, 15, 20]]),
        ("lung opacity", [[1, 2, 8, 20]]),
    ]
    prepare("mimic_cxr_jpg", tree, tmp_path)
    exclusion = read_exclusion(tmp_path, ("chest_imagenome_gold",))
    index = studies_of(tmp_path, "mimic_cxr_jpg").index
    assert exclusion.contains(index, "mimic_cxr_jpg").tolist() == [False, False, True]


def test_damaged_graphs_and_rows_cost_themselves_only(tree, tmp_path):
    graph = f"silver_dataset/scene_graph/{A}_SceneGraph.json"
    write(tree, {graph: json.dumps(GRAPH)[:99]})
    write(tree, {"silver_dataset/splits/valid.csv": listed(D) + "0,1,2,SECRET,x,PA\n"})
    result = prepare("chest_imagenome", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "valid.csv: dicom_id is not five groups of eight hexadecimal digits": 1
    }
    assert len(open_annotations(tmp_path, "chest_imagenome", Phrase, "test")) == 3


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"objects": [region("a", 10**400, 0, 1, 1)], "attributes": []},
        {"objects": [], "attributes": [{"bbox_name": "a", "attributes": ["yes"]}]},
        {"objects": [5], "attributes": []},
    ],
)
def test_graphs_of_another_form(content):
    with pytest.raises(CellError, match="another form"):
        read_graph(json.dumps(content).encode())


def test_graphs_still_packed_are_named(tree, tmp_path):
    (tree / "silver_dataset/scene_graph").rename(tree / "away")
    with pytest.raises(TableError, match=r"unpack scene_graph\.zip"):
        prepare("chest_imagenome", tree, tmp_path)
