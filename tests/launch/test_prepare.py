# SPDX-License-Identifier: Apache-2.0
"""The prepare command."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import simplejpeg

ROOT = Path(__file__).resolve().parents[2]


def prepare(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def write_folder(folder: Path, *columns: str) -> None:
    folder.mkdir()
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    (folder / "a.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, colorspace="GRAY"))
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, ["a.jpg", "p1", "train"][: len(columns)]])


def test_prepare_twice(tmp_path):
    write_folder(tmp_path / "in", "image_path", "patient_id", "split")
    flags = (
        "--dataset=image_table",
        "--name=mine",
        f"--source_dir={tmp_path / 'in'}",
        f"--data_dir={tmp_path / 'data'}",
    )
    first = prepare(*flags)
    assert first.returncode == 0, first.stderr
    assert "wrote mine" in first.stdout
    assert "train: 1 patients, 1 studies, 1 images" in first.stdout
    second = prepare(*flags)
    assert "complete already, nothing to do" in second.stdout


def test_errors_are_one_line(tmp_path):
    write_folder(tmp_path / "in", "image_path")
    flags = (f"--source_dir={tmp_path / 'in'}", f"--data_dir={tmp_path / 'data'}")
    missing = prepare("--dataset=image_table", "--name=mine", *flags)
    assert missing.returncode != 0
    assert "column 'patient_id' is missing" in missing.stderr
    assert "Traceback" not in missing.stderr
    unnamed = prepare("--dataset=image_table", *flags)
    assert "needs --name=NAME and --source_dir=FOLDER" in unnamed.stderr


def test_weights_by_configuration(tmp_path):
    data = f"--data_dir={tmp_path}"
    nothing = prepare("--weights=siglip_b16", data)
    assert "starts from random weights: there is nothing to fetch" in nothing.stdout
    told = prepare("--weights=medst", data, "--dry_run")
    assert "bio_clinical_bert: BERT-base" in told.stdout and "its tokenizer, from" in told.stdout
    assert "mgca_vit_b16: MGCA's ViT-B/16" in told.stdout and "by hand: the ViT ch" in told.stdout
    absent = prepare("--weights=mgca_vit_b16", data)
    assert absent.returncode == 1 and "Traceback" not in absent.stderr
    assert "cannot be fetched by a program; put into" in absent.stderr
