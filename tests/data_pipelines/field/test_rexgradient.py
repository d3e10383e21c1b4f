# SPDX-License-Identifier: Apache-2.0
"""ReXGradient-160K in its official layout: images by the JSON files, sections, dates."""

import json

import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import RAMP, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of

SUFFIX = "_metadata_view_position.json"


def image(patient: str, study: str, number: int) -> str:
    series = f"studies/1.2.{study}/series/1.2.{study}.{number}/instances"
    return f"deid_png/{patient}/A{study}/{series}/1.2.{study}.{number}.9.png"


def entry(
    patient: str, study: str, views: object, images: int = 1, **more: object
) -> dict[str, object]:
    return {
        "PatientID": patient,
        "AccessionNumber": f"A{study}",
        "StudyInstanceUid": f"1.2.{study}",
        "PatientSex": "F",
        "PatientAge": "063Y",
        "StudyDate": "20150304",
        "Indication": "Cough.",
        "Comparison": "None",
        "Findings": "The lungs are clear. No edema.",
        "Impression": None,
        "ImagePath": [f"../{image(patient, study, k)}" for k in range(images)],
        "ImageViewPosition": views,
        "ImageModality": ["DX"] * images,
        "ImageShape": [[24, 16]] * images,
        "ImageBodyPart": ["CHEST"] * images,
        **more,
    }


FIRST = entry("GRDN1", "31", ["POSTERO_ANTERIOR", "LAT", "UNKNOWN", "AP AXIAL"], images=5)
LATER = entry("GRDN2", "41", None, StudyDate="20160301", Findings="No change.")
EARLIER = entry("GRDN2", "42", ["LL"], StudyDate="2016-01-01", Impression="Effusion.")
VALID = entry("GRDN3", "51", ["SUPINE"], StudyDate="spring", PatientAge=51, PatientSex=None)
TEST = entry("GRDN4", "61", ["N/A"])
FILES = {
    "train": {"a": FIRST, "b": LATER, "c": EARLIER},
    "valid": {"d": VALID},
    "test": {"e": TEST},
}
IMAGES = [image("GRDN1", "31", k) for k in range(5)]
IMAGES += [image(p, s, 0) for p, s in (("GRDN2", "41"), ("GRDN2", "42"), ("GRDN3", "51"))]
IMAGES += [image("GRDN4", "61", 0)]


def metadata(files: dict[str, object]) -> dict[str, str]:
    return {f"metadata/{split}{SUFFIX}": json.dumps(value) for split, value in files.items()}


@pytest.fixture
def tree(tmp_path):
    pictures = {name: png(RAMP // (k + 1)) for k, name in enumerate(IMAGES)}
    return write(tmp_path / "in", {**metadata(FILES), **pictures})


def test_splits_order_views_and_sections(tree, tmp_path):
    result = prepare("rexgradient", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    assert {k: c["images"] for k, c in result.info["splits"].items()} == {
        "train": 7,
        "val": 1,
        "test": 1,
    }
    studies = studies_of(tmp_path, "rexgradient")
    assert [s.study_id for s in studies] == ["1.2.31", "1.2.42", "1.2.41"]
    assert [s.study_days for s in studies] == [0, 0, 60]
    assert ids_of(tmp_path, "rexgradient", studies) == ["GRDN1", "GRDN2", "GRDN2"]
    # The list of views is shorter than that of images.
    assert [i.view for i in studies[0].images] == ["PA", "LATERAL", "other", "AP", "other"]
    assert studies[0].sections == (
        ("INDICATION", "Cough."),
        ("FINDINGS", "The lungs are clear. No edema."),
    )
    assert (studies[0].age, studies[0].sex, set(studies[0].labels)) == (63, "F", {-3})
    (sentence,) = (s for s in studies[0].sentences if s.section == 1 and s.start)
    assert sentence.labels[studies.labels.index("Edema")] == 0


def test_unknown_dates_are_counted(tree, tmp_path):
    result = prepare("rexgradient", tree, tmp_path)
    (study,) = studies_of(tmp_path, "rexgradient", "val")
    assert (study.images[0].view, study.age, study.sex) == ("AP", 51, "")
    assert study.study_days != study.study_days
    assert '"studies_without_date": 1' in (result.directory / "data_card.json").read_text()


def test_images_unpacked_one_folder_deeper_and_a_part_of_the_splits(tree, tmp_path):
    (tree / "deid_png").rename(tree / "away")
    (tree / "unpacked").mkdir()
    (tree / "away").rename(tree / "unpacked" / "deid_png")
    (tree / "metadata" / f"train{SUFFIX}").unlink()
    result = prepare("rexgradient", tree, tmp_path)
    assert result.info["counts"]["images"] == 2


def test_bad_entries(tree, tmp_path):
    outside = {"ImagePath": ["../../SECRET.png", "../deid_png/../../SECRET.png"]}
    bad = {
        **FILES["train"],
        "f": "SECRET",
        "g": entry("", "71", []),
        "h": {**entry("SECRET", "72", []), "ImagePath": "SECRET"},
        "i": entry("GRDN5", "73", [], **outside),
        "j": FIRST,
        "k": entry("GRDN4", "74", []),
    }
    write(tree, metadata({"train": bad}))
    result = prepare("rexgradient", tree, tmp_path, limit=1.0)
    name = f"train{SUFFIX}"
    assert rejects(result) == {
        f"{name}: entry is not a JSON object": 1,
        f"{name}: PatientID is empty": 1,
        f"{name}: ImagePath is not a list of images": 1,
        f"{name}: ImagePath is not ../deid_png/.../NAME.png": 2,
        f"{name}: ImagePath occurs twice": 5,
        "patient of another split": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()


def test_the_tables_without_image_paths_are_not_enough(tmp_path):
    write(tmp_path / "in", {"metadata/train_metadata.csv": "id,Findings\na,b\n"})
    with pytest.raises(TableError, match="metadata has none of train_metadata_view_position.json"):
        prepare("rexgradient", tmp_path / "in", tmp_path)
