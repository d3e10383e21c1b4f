# SPDX-License-Identifier: Apache-2.0
"""Open-i: XML reports, MeSH tags, views from any of their sources."""

import io
import tarfile

import pytest

from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.open_i.reports import read_reports
from tests.data_pipelines.official import codes, dicoms, png, prepare, rejects, studies_of, write
from tests.data_pipelines.tables import ids_of, picture

IDS = ("CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001")


def report(number: int, tags: str, images: tuple[str, ...] = (), findings: str = "") -> str:
    shown = "".join(
        f'<parentImage id="{name}"><caption>PA and lateral</caption></parentImage>'
        for name in images
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<eCitation><uId id="CXR{number}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON"/>
<AbstractText Label="INDICATION">Cough</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION">Normal
   chest.</AbstractText>
</Abstract></Article></MedlineCitation>
<MeSH><major>{tags}</major><automatic>Lung</automatic></MeSH>{shown}</eCitation>"""


@pytest.fixture
def tree(tmp_path):
    return write(
        tmp_path / "in",
        {
            "ecgen-radiology/1.xml": report(1, "Cardiomegaly/mild", IDS, "Large heart."),
            "ecgen-radiology/2.xml": report(2, "normal"),
            "ecgen-radiology/10.xml": report(10, "No Indexing"),
            **{f"NLMCXR_png/{name}.png": png(picture(k)) for k, name in enumerate(IDS)},
        },
    )


def find(tmp_path, result, patient):
    for split in result.info["splits"]:
        studies = studies_of(tmp_path, "open_i", split)
        for k, study in enumerate(studies):
            if ids_of(tmp_path, "open_i", [study]) == [patient]:
                return study, codes(studies, k)
    raise AssertionError(patient)


def test_sections_images_and_tags(tree, tmp_path):
    views = "uid,filename,projection\n1,1_IM-0001-3001.dcm.png,Frontal\n"
    write(tree, {"indiana_projections.csv": views + "1,1_IM-0001-4001.dcm.png,Lateral\n"})
    result = prepare("open_i", tree, tmp_path)
    study, found = find(tmp_path, result, "CXR1")
    assert study.sections == (
        ("INDICATION", "Cough"),
        ("FINDINGS", "Large heart."),
        ("IMPRESSION", "Normal chest."),
    )
    assert [(i.image_id, i.view) for i in study.images] == [(IDS[0], "PA"), (IDS[1], "LATERAL")]
    assert (found["Cardiomegaly"], found["No Finding"], sum(found.values())) == (1, 0, 1)
    text_only, found = find(tmp_path, result, "CXR2")
    assert text_only.images == ()
    assert found["No Finding"] == 1
    assert set(find(tmp_path, result, "CXR10")[1].values()) == {-3}
    assert result.info["redistributable"] is False


def test_views_from_the_dicom_metadata(tree, tmp_path):
    table = f"imageid,View Position,Rows\n{IDS[0]},AP,1\n{IDS[1]},LL,1\n"
    write(tree, {"nlmcxr_dicom_metadata.csv.gz": table})
    result = prepare("open_i", tree, tmp_path)
    assert [i.view for i in find(tmp_path, result, "CXR1")[0].images] == ["AP", "LL"]


def test_dicom_images_in_numbered_folders(tree, tmp_path):
    for file in (tree / "NLMCXR_png").iterdir():
        file.unlink()
    write(tree, dicoms("NLMCXR_dcm/1/1_IM-0001-3001.dcm", ViewPosition="PA"))
    result = prepare("open_i", tree, tmp_path)
    assert result.info["intensity"] == "mimic_jpg"
    study, _ = find(tmp_path, result, "CXR1")
    assert [(i.image_id, i.view) for i in study.images] == [(IDS[0], "PA")]


def test_bad_files_are_counted(tree, tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]><eCitation>&a;</eCitation>'
    write(
        tree,
        {
            "ecgen-radiology/3.xml": report(3, "normal")[:300],
            "ecgen-radiology/4.xml": "<html/>",
            "ecgen-radiology/5.xml": bomb,
            "ecgen-radiology/6.xml": b"\xff\xfe\x00",
        },
    )
    result = prepare("open_i", tree, tmp_path, limit=0.9)
    assert rejects(result) == {
        "malformed XML": 1,
        "XML is not UTF-8": 1,
        "XML is not a report": 1,
        "XML with entities": 1,
    }


def test_archive_and_folder_read_the_same(tree, tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(tree / "ecgen-radiology", "ecgen-radiology")
    folder = write(tmp_path / "archive", {"NLMCXR_reports.tgz": buffer.getvalue()})
    assert read_reports(folder) == read_reports(tree)


def test_missing_reports(tmp_path):
    with pytest.raises(TableError, match="neither ecgen-radiology/ nor NLMCXR_reports.tgz"):
        prepare("open_i", tmp_path, tmp_path)


def test_every_report_of_the_archive_parses(shared):
    folder = shared / "data" / "iu_reports_text"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    reports, refused = read_reports(folder)
    assert (len(reports), refused) == (3955, [])
    assert sum(bool(r.tags) for r in reports) == 3955
    assert sum(len(r.images) for r in reports) == 7470
