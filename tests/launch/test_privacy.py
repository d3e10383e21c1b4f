# SPDX-License-Identifier: Apache-2.0
"""From a table to an export: what names a patient stays in `private`, reports stay in the records."""

import pathlib

import pytest

from tests.data_pipelines.tables import write_table
from tests.launch.test_chain import ROOT, command

# So long that random bytes do not spell them by chance.
ID, WORD = "PATIENT-OF-THE-WARD-{:05d}", "UNREPEATABLEWORDOFREPORT{:05d}"
SUITE = """
from ml_collections import ConfigDict


def get_config(arg=None):
    suite = ConfigDict(dict(draws=20, seed=0))
    task = dict(dataset="mine", split="test", classes=("Edema", "Mass"))
    suite.tasks = {
        "text": dict(protocol="zero_shot", task=task, mode="text"),
        "reports": dict(protocol="retrieval", dataset="mine", split="test"),
    }
    return suite
"""


def _table(folder: pathlib.Path) -> None:
    splits = ["train"] * 16 + ["val"] * 4 + ["test"] * 12
    write_table(
        folder,
        [
            {
                "image_path": f"{k}.jpg",
                "patient_id": ID.format(k),
                "labels": ("Edema", "Mass")[k % 2],
                "report": f"{('Edema', 'A mass')[k % 2]} is seen. {WORD.format(k)}.",
                "split": split,
            }
            for k, split in enumerate(splits)
        ],
    )


@pytest.mark.slow
def test_ids_and_reports_leave_no_trace(tmp_path) -> None:
    _table(tmp_path / "raw")
    (tmp_path / "suite.py").write_text(SUITE)
    prepare = ("prepare.py", "--data_dir=data")
    train = (
        *("train.py", f"--config={ROOT}/configs/dlilp.py:tiny,mine", "--workdir=run"),
        *("--config.data.data_dir=data", "--config.data.vocabulary=mine"),
        *("--config.train.steps=2", "--config.train.checkpoint_every=2"),
        *("--config.train.batch_size=8", "--config.optimizer.warmup_steps=1"),
    )
    said = [
        command(*arguments, cwd=tmp_path)
        for arguments in (
            (*prepare, "--dataset=image_table", "--name=mine", "--source_dir=raw", "--workers=1"),
            (*prepare, "--vocabulary=mine", "--datasets=mine", "--vocabulary_size=100"),
            train,
            ("evaluate.py", "--checkpoint=run", "--suite=suite.py", "--output=evaluation"),
            ("export.py", "--checkpoint=run", "--output=export"),
        )
    ]
    ids = [ID.format(k).encode() for k in range(32)]
    words = [WORD.format(k).encode() for k in range(32)]
    files = [p for p in tmp_path.rglob("*") if p.is_file() and "raw" not in p.parts]
    assert any("private" in file.parts for file in files) and len(files) > 30
    for file in files:
        content = file.read_bytes()
        if "private" not in file.parts:
            assert not any(one in content for one in ids), file
        if "data" not in file.relative_to(tmp_path).parts:
            assert not any(one in content for one in words), file
            assert b"PATIENT-OF-THE-WARD" not in content
    for output in said:
        assert "PATIENT-OF-THE-WARD" not in output and "UNREPEATABLEWORD" not in output
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "Images and texts are not shown" in page
