# SPDX-License-Identifier: Apache-2.0
"""CANDID-PTX in its official layout: rows per mask, DICOM files without a suffix, labels where somebody said so."""

import json

import pytest

from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.listing.csv_table import TableError
from tests.data_pipelines.official import dicoms, prepare, rejects, write

TABLE = "Pneumothorax_reports.csv"
HEADER = "SOPInstanceUID,StudyInstanceUID,EncodedPixels,Report\n"
MASKED, NONE, BLANK, TUBED = (f"1.2.840.{k}" for k in range(4))
ROWS = (
    f'{MASKED},2.1,5 10 20 3,"FINDINGS: Left pneumothorax.\nNo effusion."\n'
    f'{MASKED},2.1,90 4,"FINDINGS: Left pneumothorax.\nNo effusion."\n'
    f"{NONE},2.2, -1,Clear lungs.\n"
    f"{BLANK},2.3,,Clear lungs.\n"
    f"{TUBED},2.4,-1,Drain in place.\n"
)


@pytest.fixture
def tree(tmp_path):
    return write(
        tmp_path / "in",
        {
            **dicoms(
                *(f"dataset/{uid}" for uid in (MASKED, NONE, BLANK, TUBED)), ViewPosition="AP"
            ),
            TABLE: HEADER + ROWS,
            "chest_tube.csv": f"anon_SOPUID,annotation_ref,mask_rle\n{TUBED},1,5 3\n{TUBED},2,9 3\n",
            "Rib_fracture_mask_rle.csv": f"anon_SOPUID,annotation_ref,mask_rle\n{BLANK},1,5 3\n",
        },
    )


def stored(tmp_path, result) -> dict[str, tuple[dict[str, int], object]]:
    found = {}
    for split in result.info["splits"]:
        studies = open_studies(tmp_path, "candid_ptx", split)
        for study in studies:
            known = zip(studies.labels, study.labels.tolist(), strict=True)
            found[study.images[0].image_id] = ({k: v for k, v in known if v != -3}, study)
    return found


def test_images_reports_and_labels(tree, tmp_path):
    result = prepare("candid_ptx", tree, tmp_path)
    assert (rejects(result), result.info["intensity"]) == ({}, "mimic_jpg")
    found = stored(tmp_path, result)
    assert {uid: labels for uid, (labels, _) in found.items()} == {
        MASKED: {"Pneumothorax": 1},
        NONE: {"Pneumothorax": 0},
        BLANK: {"Fracture": 1},
        TUBED: {"Pneumothorax": 0, "Support Devices": 1},
    }
    study = found[MASKED][1]
    assert study.sections == (("FINDINGS", "Left pneumothorax.\nNo effusion."),)
    assert [image.view for image in study.images] == ["AP"]
    card = json.loads((result.directory / "data_card.json").read_text())
    assert "patients unknown" in json.dumps(card)


def test_bad_rows(tree, tmp_path):
    bad = f"../SECRET,2.5,-1,SECRET\n{NONE},2.9,-1,SECRET\n1.2.840.9,,-1,x\n"
    write(tree, {TABLE: HEADER + ROWS + bad})
    (tree / "dataset" / BLANK).unlink()
    result = prepare("candid_ptx", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "SOPInstanceUID is not the name of a file": 1,
        "image of another study": 1,
        "StudyInstanceUID is empty": 1,
        "missing file": 1,
    }
    assert "SECRET" not in (result.directory / "rejects.jsonl").read_text()


def test_a_table_of_masks_without_ids_is_named(tree, tmp_path):
    write(tree, {"chest_tube.csv": "image,mask\n1,2\n"})
    with pytest.raises(TableError, match=r"chest_tube\.csv has none of the columns anon_SOPUID"):
        prepare("candid_ptx", tree, tmp_path)
