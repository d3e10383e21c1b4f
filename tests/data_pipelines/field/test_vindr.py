# SPDX-License-Identifier: Apache-2.0
"""VinDr-CXR in both releases and VinDr-PCXR: readers vote, boxes are kept."""

import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.vindr.readings import Reading, vote
from tests.data_pipelines.official import (
    RAMP,
    codes,
    dicom,
    dicoms,
    prepare,
    rejects,
    studies_of,
    write,
)

LABELS = "Aortic enlargement,Atelectasis,No finding"


def images(*paths: str) -> dict[str, bytes | str]:
    return dicoms(*paths, PatientSex="M", PatientAge="006M")


def found(tmp_path, name, result):
    return {
        study.study_id: (split, study, codes(studies, k))
        for split in result.info["splits"]
        for studies in [studies_of(tmp_path, name, split)]
        for k, study in enumerate(studies)
    }


def test_physionet_release(tmp_path):
    train = f"image_id,rad_id,{LABELS}\n"
    train += "a1,R1,1,0,0\na1,R2,1,1,0\na1,R3,0,0,1\nb2,R1,0,0,1\nb2,R2,0,0,1\nb2,R3,1,0,0\n"
    boxes = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
    boxes += "a1,R1,Aortic enlargement,1.5,2,10,12\na1,R2,Aortic enlargement,2,2,11,12\n"
    boxes += "b2,R1,No finding,,,,\na1,R3,Aortic enlargement,9,2,3,12\na1,R3,Flu,1,2,3,12\n"
    folder = write(
        tmp_path / "in",
        {
            **images("train/a1.dicom", "train/b2.dicom"),
            "test/c3.dicom": dicom(RAMP, "MONOCHROME1"),
            "annotations/image_labels_train.csv": train,
            "annotations/image_labels_test.csv": f"image_id,{LABELS}\nc3,0,1,0\nd4,0,1,2\n",
            "annotations/annotations_train.csv": boxes,
        },
    )
    result = prepare("vindr_cxr", folder, tmp_path, limit=0.9)
    assert rejects(result) == {
        "train tables: box without area": 1,
        "train tables: class_name is unknown": 1,
        "test tables: No finding is not 0 or 1": 1,
    }
    studies = found(tmp_path, "vindr_cxr", result)
    assert studies["a1"][2] == {"Aortic enlargement": 1, "Atelectasis": 0, "No finding": 0}
    assert studies["a1"][1].truth["truth_boxes"].tolist() == [
        [0, 0, 1.5, 2, 10, 12],
        [0, 0, 2, 2, 11, 12],
    ]
    assert studies["a1"][1].age == 0.5
    assert studies["b2"][2]["No finding"] == 1
    assert (studies["c3"][0], studies["c3"][2]["Atelectasis"]) == ("test", 1)
    assert studies["a1"][0] in ("train", "val")


def test_kaggle_release(tmp_path):
    table = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    table += "".join(f"a1,No finding,14,R{k},,,,\n" for k in (1, 2, 3))
    table += (
        "b2,Cardiomegaly,3,R8,6.91,13.75,10.53,18.31\nb2,Cardiomegaly,3,R9,6.98,13.74,10.50,18.30\n"
    )
    table += "b2,No finding,14,R10,,,,\n"
    folder = write(tmp_path / "in", {**images("train/a1.dcm", "train/b2.dcm"), "train.csv": table})
    result = prepare("vindr_cxr", folder, tmp_path)
    studies = found(tmp_path, "vindr_cxr", result)
    assert studies["b2"][2]["Cardiomegaly"] == 1
    assert studies["b2"][1].truth["truth_boxes"][:, 1].tolist() == [3, 3]
    assert sum(studies["a1"][2].values()) == studies["a1"][2]["No finding"] == 1


def test_pcxr_has_one_reader_and_its_own_labels(tmp_path):
    header = "image_id,rad_ID,No finding,Bronchitis,Brocho-pneumonia\n"
    folder = write(
        tmp_path / "in",
        {
            **images("train/a1.dicom", "test/b2.dicom"),
            "image_labels_train.csv": header + "a1,R1,0,1.0,1\n",
            "image_labels_test.csv": header + "b2,R1,1,0,0\n",
        },
    )
    result = prepare("vindr_pcxr", folder, tmp_path)
    studies = found(tmp_path, "vindr_pcxr", result)
    assert studies["a1"][2] == {"No finding": 0, "Bronchitis": 1, "Brocho-pneumonia": 1}
    assert studies["b2"][0] == "test"


@pytest.mark.parametrize(("yes", "no", "code"), [(1, 0, 1), (1, 1, 0), (2, 1, 1), (1, 2, 0)])
def test_votes(yes, no, code):
    readings = [Reading(k, "i", f"y{k}", frozenset("a")) for k in range(yes)]
    readings += [Reading(9, "i", f"n{k}", frozenset()) for k in range(no)]
    assert vote(readings, ("a",))["i"][1] == {"a": code}


def _labels(columns: str, image: str, values: str) -> str:
    return f"image_id,rad_id,{columns}\n{image},R1,{values}\n"


def test_the_test_tables_other_name_is_one_column(tmp_path):
    folder = write(
        tmp_path / "in",
        {
            **images("train/a1.dicom", "test/b2.dicom"),
            "annotations/image_labels_train.csv": _labels("COPD,Other diseases", "a1", "1,0"),
            "annotations/image_labels_test.csv": _labels("COPD,Other disease", "b2", "0,1"),
        },
    )
    result = prepare("vindr_cxr", folder, tmp_path)
    studies = found(tmp_path, "vindr_cxr", result)
    assert studies["b2"][2] == {"COPD": 0, "Other diseases": 1}


def test_a_column_that_one_table_lacks_is_an_error(tmp_path):
    folder = write(
        tmp_path / "in",
        {
            **images("train/a1.dicom", "test/b2.dicom"),
            "annotations/image_labels_train.csv": _labels("COPD,Edema", "a1", "1,0"),
            "annotations/image_labels_test.csv": _labels("COPD,Lung cavity", "b2", "0,1"),
        },
    )
    with pytest.raises(TableError, match="differ in the columns Edema, Lung cavity"):
        prepare("vindr_cxr", folder, tmp_path)
