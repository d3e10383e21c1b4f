# SPDX-License-Identifier: Apache-2.0
"""The three COVID-19 collections."""

import json

import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import codes, jpegs, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, picture


def everything(tmp_path, name, result):
    return {
        study.images[0].image_id: (split, study, codes(studies, k))
        for split in result.info["splits"]
        for studies in [studies_of(tmp_path, name, split)]
        for k, study in enumerate(studies)
    }


@pytest.mark.parametrize("root", ["", "COVID-19_Radiography_Dataset/"])
def test_radiography(tmp_path, root):
    names = ("COVID/images/COVID-1", "Lung_Opacity/images/Lung_Opacity-1", "Normal/images/Normal-1")
    names += ("Viral Pneumonia/images/Viral Pneumonia-1", "COVID/masks/COVID-1")
    images = {f"{root}{name}.png": png(picture(k)) for k, name in enumerate(names)}
    folder = write(tmp_path / "in", {**images, f"{root}COVID.metadata.xlsx": b"x"})
    result = prepare("covid_radiography", folder, tmp_path)
    found = everything(tmp_path, "covid_radiography", result)
    assert {k: next(c for c, v in labels.items() if v) for k, (_, _, labels) in found.items()} == {
        "COVID/COVID-1": "COVID-19",
        "Lung_Opacity/Lung_Opacity-1": "Lung Opacity",
        "Normal/Normal-1": "Normal",
        "Viral Pneumonia/Viral Pneumonia-1": "Viral Pneumonia",
    }
    (folder / f"{root}Normal").rename(folder / f"{root}normals")
    with pytest.raises(TableError, match="no folder Normal"):
        prepare("covid_radiography", folder, tmp_path / "again")


def test_covidx_of_three_classes(tmp_path):
    train = "379 1-s2.0-S0929.jpg COVID-19 cohen\n3 SARS-10.jpg pneumonia cohen\n"
    train += "ANON23 lung.png normal sirm\nsub S 01 two words.png normal sirm\nnonsense\n"
    train += "9 x.png influenza cohen\n379 1-s2.0-S0929.jpg COVID-19 cohen\n8 9.png normal rsna\n"
    test = "8 10.png normal rsna\n8 11.png normal cohen\n"
    names = ("train/1-s2.0-S0929.jpg", "train/SARS-10.jpg", "train/words.png", "test/10.png")
    folder = write(
        tmp_path / "in",
        {
            **jpegs(*names, "train/lung.png", "train/9.png", "test/11.png"),
            "train.txt": train,
            "test.txt": test,
        },
    )
    result = prepare("covidx", folder, tmp_path, limit=0.9)
    assert rejects(result) == {
        "train.txt: line is not: patient_id file class source": 1,
        "train.txt: class is unknown": 1,
        "train.txt: file occurs twice": 1,
        "patient of another split": 1,
    }
    found = everything(tmp_path, "covidx", result)
    assert found["1-s2.0-S0929.jpg"][2] == {"normal": 0, "pneumonia": 0, "COVID-19": 1}
    assert ids_of(tmp_path, "covidx", [found["words.png"][1]]) == ["sirm sub S 01 two"]
    assert {name for name, place in found.items() if place[0] == "test"} == {"10.png", "11.png"}
    assert "9.png" not in found


def test_covidx_of_two_classes_has_its_own_validation_list(tmp_path):
    folder = write(
        tmp_path / "in",
        {
            **jpegs("train/a.png", "val/b.png", "test/c.png"),
            "train.txt": "1 a.png positive cohen\n",
            "val.txt": "2 b.png negative rsna\n",
            "test.txt": "3 c.png positive sirm\n",
        },
    )
    result = prepare("covidx", folder, tmp_path)
    found = everything(tmp_path, "covidx", result)
    assert {name: (place[0], place[2]["COVID-19"]) for name, place in found.items()} == {
        "a.png": ("train", 1),
        "b.png": ("val", 0),
        "c.png": ("test", 1),
    }
    assert result.info["labels"] == ["COVID-19"]


HEADER = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,view,modality,date,"
    "location,folder,filename,doi,url,license,clinical_notes,other_notes\n"
)


def case(patient, offset, finding, view, modality, file, notes="", licence="CC BY-NC-SA"):
    return (
        f"{patient},{offset},M,65,{finding},Y,Y,N,{view},{modality},2020,Cho Ray,images,{file},d,u,"
        f'{licence},"{notes}",\n'
    )


def test_covid_chestxray(tmp_path):
    finding = "Pneumonia/Viral/COVID-19"
    table = HEADER + case(2, 5, finding, "PA", "X-ray", "c.jpg", "Worse, on day five.")
    table += case(2, 0, finding, "AP Supine", "X-ray", "a.jpg", "Infiltrate in the left lobe.")
    table += case(2, 0, finding, "L", "X-ray", "b.png", "Infiltrate in the left lobe.")
    table += case(3, "", "todo", "PA", "X-ray", "d.png", licence="CC BY")
    table += case(4, "", "No Finding", "Axial", "CT", "e.png")
    table += case("", "", "No Finding", "PA", "X-ray", "f.png")
    folder = write(
        tmp_path / "in",
        {
            **jpegs(*(f"images/{n}" for n in ("a.jpg", "b.png", "c.jpg", "d.png"))),
            "metadata.csv": table,
        },
    )
    result = prepare("covid_chestxray", folder, tmp_path, limit=0.5)
    assert rejects(result) == {"patientid is empty": 1}
    found = everything(tmp_path, "covid_chestxray", result)
    first = found["a.jpg"][1]
    assert [(i.image_id, i.view) for i in first.images] == [("a.jpg", "AP"), ("b.png", "LATERAL")]
    assert first.sections == (("report", "Infiltrate in the left lobe."),)
    assert found["c.jpg"][1].study_days == 5
    assert found["a.jpg"][2] == {"COVID-19": 1, "Pneumonia": 1, "Viral": 1}
    assert set(found["d.png"][2].values()) == {-3}
    card = json.loads((result.directory / "data_card.json").read_text())
    assert card["left_out"] == {"CT": 1}
    assert card["licence"] == "per image: CC BY; CC BY-NC-SA"
