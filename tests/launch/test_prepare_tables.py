# SPDX-License-Identifier: Apache-2.0
"""The prepare command on a table of its own column names: what it says before it builds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import simplejpeg

ROOT = Path(__file__).resolve().parents[2]
TABLE = """File;Patient ID;ViewPosition;Edema;Mass;fold;StudyDate
a.jpg;231,0;Frontal;1;0;training;2017-03-04
b.jpg;231,0;Lateral;;-1;training;2017-04-13
c.jpg;7;PA;;;testing;2017-04-13
"""
COLUMNS = "image_path=File,patient_id=Patient ID,view=ViewPosition,split=fold,day_offset=StudyDate"


def prepare(folder: Path, *flags: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "launch" / "prepare.py"), "--dataset=image_table"]
    command += ["--name=mine", f"--source_dir={folder / 'in'}", f"--data_dir={folder / 'data'}"]
    run = subprocess.run([*command, *flags], capture_output=True, text=True, cwd=ROOT, check=False)
    return run.returncode, run.stdout + run.stderr


def test_a_table_of_a_spreadsheet_in_three_commands(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/metadata.csv").write_text(TABLE)
    for k, name in enumerate("abc"):
        pixels = np.random.default_rng(k).integers(0, 255, (16, 16, 1), np.uint8)
        (tmp_path / f"in/{name}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, colorspace="GRAY"))

    status, told = prepare(tmp_path, "--dry_run")
    assert status == 1 and "Traceback" not in told
    flag = next(part for part in told.split('"') if part.startswith("--columns="))
    assert {*flag.removeprefix("--columns=").split(",")} == {*COLUMNS.split(",")}

    status, told = prepare(tmp_path, "--dry_run", f"--columns={COLUMNS}")
    assert status == 0, told
    assert "table: metadata.csv, UTF-8, semicolon between cells" in told
    assert "not read: Edema, Mass\n  labels? --label_columns=Edema" in told
    assert "splits: train 2, test 1" in told and "views: PA 2, LATERAL 1" in told
    assert not (tmp_path / "data").exists()

    columns = ("--label_columns=Edema,Mass", f"--columns={COLUMNS}")
    status, told = prepare(tmp_path, *columns)
    assert status == 0, told
    assert "ids: 2 cells such as 231.0 are read as 231" in told
    assert "label Edema: 1 positive, 2 unknown" in told
    assert "label Mass: 1 negative, 1 uncertain, 1 unknown" in told
    assert "train: 1 patients, 2 studies, 2 images" in told
    assert "complete already" in prepare(tmp_path, *columns)[1]
