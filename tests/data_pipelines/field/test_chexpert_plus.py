# SPDX-License-Identifier: Apache-2.0
"""CheXpert Plus in its official layout: one report per study, labels of sections with text, CheXpert's ids."""

import json

import pytest

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import TableError
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

TABLE = "df_chexpert_plus_240401.csv"
HEADER = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,"
    "report,section_narrative,section_clinical_history,section_history,section_comparison,"
    "section_technique,section_procedure_comments,section_findings,section_impression,"
    "section_end_of_impression,section_summary,section_accession_number,age,sex,race,ethnicity,"
    "interpreter_needed,insurance_type,recent_bmi,deceased,split\n"
)


def row(name: str, order: object, impression: str, side: str = "Frontal,PA", **more: str) -> str:
    """A line of the table; `more` are findings, narrative, report, patient, age and sex."""
    stem = f"{name}_{side.split(',')[0].lower()}"
    patient = more.get("patient", name.split("/")[1])
    cells = [f"{stem}.jpg", f"{stem}.dcm", side, patient, str(order)]
    texts = [more.get("report", f"NARRATIVE:\n{impression}"), more.get("narrative", "")]
    texts += ["\n41 years of age, cough", "", "\nNone.", "", "", more.get("findings", "")]
    texts += [impression, '"Physician to Physician"', ""]
    quoted = ['"' + "\n".join(t.split("\\n")).replace('"', '""') + '"' for t in texts]
    end = f"17003,{more.get('age', '41.0')},{more.get('sex', 'Female')},Asian,Unknown,No,Medicaid"
    return ",".join([*cells, *quoted, end, "22.5,No", name.split("/")[0]]) + "\n"


FIRST, SECOND, THIRD = (f"train/patient00001/study{k}" for k in (1, 10, 2))
ROWS = (
    # The lateral view comes first here; its copy of the report has another date and other labels.
    row(f"{FIRST}/view2", 1, "\\n1. SMALL LEFT EFFUSION 2009/7/30.", "Lateral,"),
    row(f"{FIRST}/view1", 1, "\\n1. SMALL LEFT EFFUSION 4/2/2011.", narrative="\\nCHEST TWO VIEWS"),
    row(f"{SECOND}/view1", 2, "\\nSTABLE.", "Frontal,AP", age="", sex="Unknown"),
    row(f"{THIRD}/view1", 2, "", "Frontal,AP", findings="\\nNo edema."),
    row("valid/patient64541/study1/view1", 1, "\\nSTABLE.", age="89.0", sex="Male"),
    row("train/patient00002/study1/view1", 1, "", report="Lungs are clear."),
)
STEMS = (
    f"{FIRST}/view2_lateral",
    f"{FIRST}/view1_frontal",
    f"{SECOND}/view1_frontal",
    f"{THIRD}/view1_frontal",
    "valid/patient64541/study1/view1_frontal",
    "train/patient00002/study1/view1_frontal",
)


def lines(**by_stem: dict[str, float]) -> str:
    """JSON lines for every image; what is not given is an empty section's No Finding."""
    found = [by_stem.get(str(k), {"No Finding": 1.0}) for k in range(len(STEMS))]
    return "".join(
        json.dumps({"path_to_image": f"{stem}.jpg"} | dict.fromkeys(CHEXPERT) | labels) + "\n"
        for stem, labels in zip(STEMS, found, strict=True)
    )


IMPRESSION = lines(
    **{"0": {"Pleural Effusion": -1.0}, "1": {"Pleural Effusion": 1.0, "Edema": 0.0}, "2": {}}
)
FINDINGS = lines(**{"3": {"Edema": 0.0}})
LABELS = {
    "chexbert_labels/impression_fixed.json": IMPRESSION,
    "chexbert_labels/findings_fixed.json": FINDINGS,
}


def pngs(folder: str, stems: tuple[str, ...] = STEMS) -> dict[str, bytes]:
    return {f"{folder}{stem}.png": png(picture(k)) for k, stem in enumerate(stems)}


@pytest.fixture
def tree(tmp_path):
    table = HEADER + "".join(ROWS)
    return write(tmp_path / "in", {TABLE: table, **LABELS, **pngs("PNG/PNG/")})


def test_studies_splits_order_and_sections(tree, tmp_path):
    result = prepare("chexpert_plus", tree, tmp_path)
    assert rejects(result) == {}
    assert {k: c["images"] for k, c in result.info["splits"].items()} == {"train": 5, "val": 1}
    studies = studies_of(tmp_path, "chexpert_plus")
    assert [s.study_id for s in studies][:3] == [
        "patient00001/study1",
        "patient00001/study2",
        "patient00001/study10",
    ]
    assert ids_of(tmp_path, "chexpert_plus", studies) == ["patient00001"] * 3 + ["patient00002"]
    assert [i.view for i in studies[0].images] == ["LATERAL", "PA"]
    assert studies[0].sections == (
        ("EXAMINATION", "CHEST TWO VIEWS"),
        ("CLINICAL HISTORY", "41 years of age, cough"),
        ("COMPARISON", "None."),
        ("IMPRESSION", "1. SMALL LEFT EFFUSION 4/2/2011."),
    )
    assert (studies[0].age, studies[0].sex, studies[2].sex) == (41, "F", "")
    assert [text for _, text in studies[3].sections] == ["Lungs are clear."]


def test_labels_are_of_a_section_with_text_of_the_first_view(tree, tmp_path):
    prepare("chexpert_plus", tree, tmp_path)
    first, second, third, other = (
        codes(studies_of(tmp_path, "chexpert_plus"), k) for k in range(4)
    )
    assert (first["Pleural Effusion"], first["Edema"], first["Pneumonia"]) == (1, 0, -2)
    assert second == dict.fromkeys(CHEXPERT, -2) | {"Edema": 0}
    assert set(third.values()) == {-2}  # a labeler's row without a mention
    # Neither section has text: their "No Finding" says nothing.
    assert set(other.values()) == {-3}


def test_the_whole_report_is_labelled_where_no_section_is(tree, tmp_path):
    write(tree, {"chexbert_labels/report_fixed.json": lines(**{"5": {"No Finding": 1.0}})})
    result = prepare("chexpert_plus", tree, tmp_path)
    found = codes(studies_of(tmp_path, "chexpert_plus"), 3)
    assert found == dict.fromkeys(CHEXPERT, -2) | {"No Finding": 1}
    card = json.loads((result.directory / "data_card.json").read_text())
    assert '"studies_without_labels": 0' in json.dumps(card)


@pytest.mark.parametrize("folder", ["", "PNG/", "png_chexpert_plus_chunk_{}/PNG/"])
def test_images_as_people_unpack_them(tree, tmp_path, folder):
    (tree / "PNG").rename(tmp_path / "away")
    write(
        tree,
        {
            k: v
            for n, stem in enumerate(STEMS)
            for k, v in pngs(folder.format(n % 5), (stem,)).items()
        },
    )
    result = prepare("chexpert_plus", tree, tmp_path)
    assert (result.info["counts"]["images"], result.info["intensity"]) == (6, "none")


def test_dicom_files_are_read_where_there_are_no_others(tree, tmp_path):
    (tree / "PNG").rename(tmp_path / "away")
    write(tree, dicoms(*(f"DICOM/Compressed/{stem}.dcm" for stem in STEMS)))
    result = prepare("chexpert_plus", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")


def test_bad_rows(tree, tmp_path):
    bad = (
        row("train/patient00009/study1/view1", 1, "", patient="patient00008"),
        row("train/patient00009/../../study1/view1", 1, ""),
        row("train/patient00009/study2/view1", "", "SECRET"),
        ROWS[0],
        row("train/patient00009/study3/view1", 1, "SECRET"),
    )
    write(
        tree,
        {
            TABLE: HEADER + "".join(ROWS) + "".join(bad),
            "chexbert_labels/impression_fixed.json": IMPRESSION
            + "SECRET\n"
            + json.dumps({"path_to_image": "train/patient00009/study3/view1_frontal.jpg"})
            + "\n",
        },
    )
    result = prepare("chexpert_plus", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "deid_patient_id is not the patient of path_to_image": 1,
        "path_to_image is not train or valid/patientN/studyN/viewN_SIDE.jpg": 1,
        "patient_report_date_order is empty": 1,
        "path_to_image occurs twice": 1,
        "impression_fixed.json: line is not a JSON object": 1,
        "impression_fixed.json: No Finding is missing": 1,
        "missing file": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()


def test_a_table_of_another_kind_is_named(tmp_path):
    write(tmp_path / "in", {TABLE: "Path,Sex\na,b\n"})
    with pytest.raises(TableError, match="column 'path_to_image' is missing"):
        prepare("chexpert_plus", tmp_path / "in", tmp_path)


def test_patients_of_chexpert_5x200_are_excluded(tree, tmp_path):
    prepare("chexpert_plus", tree, tmp_path)
    path = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
    names = ["Lung Opacity" if n == "Lung Lesion" else n for n in CHEXPERT]
    names[names.index("Lung Opacity") + 1] = "Lung Lesion"
    released = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(names)}\n{path},Male,1,Frontal,AP"
    released += "".join(",1.0" if name == "Edema" else "," for name in names) + "\n"
    write(
        tmp_path / "plain",
        {"CheXpert-v1.0-small/train.csv": released, **jpegs(path)},
    )
    prepare("chexpert_5x200", tmp_path / "plain", tmp_path)
    exclusion = read_exclusion(tmp_path, ("chexpert_5x200",))
    index = studies_of(tmp_path, "chexpert_plus").index
    assert exclusion.contains(index, "chexpert_plus").tolist() == [True, True, True, False]
