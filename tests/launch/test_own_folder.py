# SPDX-License-Identifier: Apache-2.0
"""A hospital's folder to a report: six commands, each as the one before it or the front page says."""

import csv
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
WORDS = {"train": "training", "val": "validation"}


@pytest.fixture
def hospital(shared, tmp_path):
    """240 real images under a spreadsheet's names: semicolons, decimal commas in ids, dates, a column a label."""
    source = shared / "data" / "nih1000_64"
    rows = list(csv.DictReader((source / "metadata.csv").read_text().splitlines()))
    rows = [row for row in rows if row["split"] == "val"] + rows[:120]
    rows = list({row["image_path"]: row for row in rows}.values())
    labels = sorted({name for row in rows for name in row["labels"].split("|")} - {"No Finding"})
    folder = tmp_path / "hospital"
    (folder / "pictures").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="", encoding="cp1252") as file:
        writer = csv.writer(file, delimiter=";")
        names = ("Filename", "Patient Number", "ViewPosition", "Gender", "StudyDate", "fold", "Ort")
        writer.writerow([*names, *labels])
        for row in rows:
            name = pathlib.Path(row["image_path"]).name
            shutil.copy(source / row["image_path"], folder / "pictures" / name)
            day = datetime.date(2015, 1, 1) + datetime.timedelta(days=30 * int(row["study_order"]))
            facts = (row["view"], row["sex"], day.strftime("%d.%m.%Y"), WORDS[row["split"]])
            has = [int(label in row["labels"].split("|")) for label in labels]
            number = f"{int(row['patient_id'][1:])},0"
            writer.writerow([f"pictures/{name}", number, *facts, "Köln", *has])
    return tmp_path


def run(folder, line, *more):
    program, *words = shlex.split(line)
    assert program == "medst"
    words = [sys.executable, "-c", "from medst_jax.cli import main; main()", *words, *more]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr + done.stdout


def test_six_commands_from_a_folder_to_a_report(hospital):
    prepare = (
        "medst prepare --dataset=image_table --name=mine --source_dir=hospital --data_dir=data"
    )
    status, told = run(hospital, f"{prepare} --dry_run")
    assert status == 1
    columns = re.search(r'"(--columns=[^"]+)"', told)[1]
    status, told = run(hospital, f'{prepare} --dry_run "{columns}"')
    assert status == 0, told
    assert "semicolon between cells" in told and "not UTF-8" in told
    labels = re.search(r'labels\? "?(--label_columns=[^"\n]+)', told)[1]
    status, told = run(hospital, f'{prepare} "{columns}" "{labels}"')
    assert status == 0, told
    status, told = run(hospital, "medst init-config mine --data=mine --data_dir=data")
    assert status == 0, told
    train, evaluate = (line.strip() for line in told.partition("next:\n")[2].splitlines())
    assert train == "medst train --config=mine.py --workdir=runs/mine"
    short = (
        "--config.train.steps=6",
        "--config.train.batch_size=8",
    )
    status, told = run(hospital, train, *short, "--config.optimizer.warmup_steps=1")
    assert status == 0, told
    assert told.splitlines()[-2:] == [
        "done: checkpoint runs/mine/checkpoints/6",
        f"next: {evaluate}",
    ]
    logged = [
        json.loads(line) for line in (hospital / "runs/mine/log.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in logged if "val/auroc" in line] == [6]  # the last, always
    status, told = run(hospital, evaluate)
    assert status == 0, told
    assert "orbax" not in told
    rows = json.loads((hospital / "runs/mine/evaluation/metrics.json").read_text())
    assert {"zero-shot"} < {row["task"] for row in rows}
    assert (hospital / "runs/mine/evaluation/report.html").is_file()
    # The export finds what the evaluation wrote.
    words = "medst export --checkpoint=runs/mine --output=card"
    status, told = run(hospital, words)
    assert status == 0, told
    assert "| mine | zero-shot | zero_shot |" in (hospital / "card/README.md").read_text()
