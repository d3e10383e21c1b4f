# SPDX-License-Identifier: Apache-2.0
"""Part of a download, folders that are links, and how many inputs a message counts."""

import os

import pytest

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.build import RejectedInputError
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.registry import Request, RequestError, make_sources
from medst_jax.data_pipelines.source_image import UnreadableImage
from tests.data_pipelines.official import jpegs, prepare, write
from tests.data_pipelines.tables import build_table, jpeg, picture, rows, write_table


def part_of(folder, count, missing, **cells):
    write_table(folder, rows(count, **cells))
    for k in range(missing):
        (folder / f"{k}.jpg").unlink()
    return folder


def test_only_what_exists(tmp_path):
    folder = part_of(tmp_path / "in", 10, 7)
    with pytest.raises(RejectedInputError, match="--only_existing builds what is there"):
        build_table(folder, tmp_path)
    result = build_table(folder, tmp_path, only_existing=True)
    assert (result.info["counts"]["images"], result.info["rejects"]) == (3, {})
    assert "images_not_in_the_folder" in (result.directory / "data_card.json").read_text()


def test_one_line_of_counts(tmp_path):
    folder = part_of(tmp_path, 10, 7)
    request = Request("mine", str(folder), only_existing=True)
    (source,) = make_sources("image_table", request)
    assert source.notes()[-1] == "only existing: 3 of 10 rows have their image, 7 are left out"


def test_a_summary_counts_what_is_missing(tmp_path):
    folder = part_of(tmp_path, 10, 7)
    (source,) = make_sources("image_table", Request("mine", str(folder)))
    assert source.summary()[-1].startswith("files: 7 of 10 images are not in the folder (line 2)")


def test_nothing_exists(tmp_path):
    folder = part_of(tmp_path / "in", 3, 3)
    with pytest.raises(TableError, match="none of the 3 images"):
        build_table(folder, tmp_path, only_existing=True)


@pytest.mark.parametrize("dataset", ["pubmed_abstracts", "simulated_cxr"])
def test_sets_without_image_files_have_no_subset(tmp_path, dataset):
    with pytest.raises(RequestError, match="--only_existing is of"):
        make_sources(dataset, Request(source_dir=str(tmp_path), only_existing=True))


@pytest.mark.parametrize("report", ["", "Clear."])
@pytest.mark.parametrize("missing", [1, 4, 10])
def test_rejected_never_exceed_rows(tmp_path, report, missing):
    folder = part_of(tmp_path / "in", 10, missing, report=report)
    with pytest.raises(RejectedInputError, match=f"{missing} of 10 inputs rejected"):
        build_table(folder, tmp_path)


def test_a_row_with_two_faults_is_one_input(tmp_path):
    folder = part_of(tmp_path / "in", 4, 1, report="none.txt")
    with pytest.raises(
        RejectedInputError, match="4 of 4 inputs rejected.*4 x report: missing file"
    ):
        build_table(folder, tmp_path)


def test_malformed_rows_are_inputs_too(tmp_path):
    table = rows(4)
    table[0]["patient_id"] = table[1]["patient_id"] = ""
    folder = write_table(tmp_path / "in", table)
    (folder / "2.jpg").unlink()
    with pytest.raises(RejectedInputError, match="3 of 4 inputs rejected"):
        build_table(folder, tmp_path)


def test_a_message_names_one_folder(tmp_path):
    folder = part_of(tmp_path / "in", 10, 5)
    with pytest.raises(RejectedInputError) as error:
        build_table(folder, tmp_path)
    assert str(error.value).count("rejects.jsonl") == 1
    assert f"{tmp_path}/mine/banks, in the files *.rejects.jsonl" in str(error.value)


def test_folders_inside_may_be_links(tmp_path):
    disk, root = tmp_path / "disk", tmp_path / "in"
    for place in (disk / "p10", tmp_path / "other", root / "here"):
        place.mkdir(parents=True)
        (place / "a.jpg").write_bytes(jpeg(picture()))
    os.symlink(disk, root / "files")
    os.symlink(tmp_path / "other", disk / "p11")
    os.symlink(root / "here", root / "again")
    for path in ("files/p10/a.jpg", "files/p11/a.jpg", "again/a.jpg", "here/../again/a.jpg"):
        assert image_files.read_bytes(str(root), path)


def test_paths_never_leave_the_folder_otherwise(tmp_path):
    disk, root, secret = tmp_path / "disk", tmp_path / "in", tmp_path / "secret.jpg"
    disk.mkdir()
    root.mkdir()
    secret.write_bytes(jpeg(picture()))
    (disk / "beside.jpg").write_bytes(jpeg(picture()))
    os.symlink(disk, root / "files")
    os.symlink(secret, root / "a.jpg")
    os.symlink(secret, disk / "a.jpg")
    for path in (
        *("../secret.jpg", "files/../../secret.jpg", "a.jpg", "files/a.jpg", str(secret)),
        *(
            "files/../beside.jpg",
            "../disk/beside.jpg",
            "/etc/hostname",
            "files/../../disk/beside.jpg",
        ),
    ):
        with pytest.raises(UnreadableImage, match="leaves the source folder|missing file"):
            image_files.read_bytes(str(root), path)


HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
HEADER += "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
HEADER += "Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
IMAGE = "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg"


def test_chexpert_of_its_validation_table_alone(tmp_path):
    row = f"{IMAGE},Male,73,Frontal,AP" + ",0.0" * 13 + ",1.0\n"
    folder = write(tmp_path / "in", {**jpegs(IMAGE), "CheXpert-v1.0-small/valid.csv": HEADER + row})
    result = prepare("chexpert", folder, tmp_path)
    assert {split: n["images"] for split, n in result.info["splits"].items()} == {"val": 1}
    for dataset in ("chexpert_visualchexbert", "chexpert_5x200"):
        with pytest.raises(TableError, match="does not exist"):
            prepare(dataset, folder, tmp_path)


def test_a_labelled_row_of_blanks_was_read(tmp_path):
    row = f"{IMAGE},Male,73,Frontal,AP" + "," * 14 + "\n"
    folder = write(tmp_path / "in", {**jpegs(IMAGE), "CheXpert-v1.0-small/valid.csv": HEADER + row})
    (source,) = make_sources("chexpert", Request(source_dir=str(folder)))
    assert set(source.read().items[0].labels.values()) == {-2}
