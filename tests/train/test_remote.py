# SPDX-License-Identifier: Apache-2.0
"""Work directories in an object store: everything but the arrays, on a store held in memory."""

import io
import json
from typing import Any, ClassVar

import pytest
from etils import epath
from etils.epath import backend, gpath
from fsspec.implementations.memory import MemoryFileSystem

from medst_jax.export.errors import ExportError
from medst_jax.export.folder import CONFIG, MARK, staged
from medst_jax.train.checkpoint import CheckpointError, complete_steps, load_system
from medst_jax.train.run_records import write_records
from medst_jax.train.scalars import ScalarLog, read_log
from medst_jax.train.summary import write_summary
from medst_jax.train.workdir import (
    SUMMARY_FILE,
    SYSTEM_FILE,
    WorkdirError,
    read_json,
    workdir_path,
    write_json,
)


class Bucket(MemoryFileSystem):
    """gs:// in memory. As there, an object cannot be appended to."""

    protocol = ("gs", "gcs", "memory")
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("gs://"))

    def _open(self, path, mode="rb", **options):
        if "a" in mode:
            raise io.UnsupportedOperation("append")
        return super()._open(path, mode, **options)


@pytest.fixture
def folder(monkeypatch):
    """An empty gs:// work directory."""
    bucket = Bucket(skip_instance_cache=True)
    bucket.store.clear()
    bucket.pseudo_dirs[:] = [""]
    monkeypatch.setattr(gpath, "_is_tf_installed", lambda: False)
    monkeypatch.setattr(backend.fsspec_backend, "_get_filesystem", lambda name: bucket)
    path = workdir_path("gs://bucket/runs/one")
    path.mkdir(parents=True)
    return path


def test_remote_paths_stay_what_they_are(folder):
    assert str(folder) == "gs://bucket/runs/one" and folder.is_dir()


def test_records_are_written_and_compared(folder):
    values = {"config": {"seed": 0}, "system": {"name": "toy", "options": {}}, "stamp": {"a": 1}}
    write_records(folder, **values, resuming=False)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "input.json",
        "system.json",
    ]
    write_records(folder, **values, resuming=True)
    with pytest.raises(WorkdirError, match="seed = 0, now it is 1"):
        write_records(folder, **values | {"config": {"seed": 1}}, resuming=True)
    with pytest.raises(WorkdirError, match="gs://bucket/runs/one/summary.json is missing"):
        read_json(folder / SUMMARY_FILE)


def test_log_grows_and_is_cut_on_resume(folder):
    log = ScalarLog(folder, 0, tensorboard=False)
    for step in (1, 2, 3):
        log.write(step, {"loss": step / 2, "bad": float("nan")})
    assert read_log(folder) == [{"step": k, "loss": k / 2} for k in (1, 2, 3)]
    ScalarLog(folder, 2, tensorboard=False).write(3, {"loss": 9.0})
    assert [line["loss"] for line in read_log(folder)] == [0.5, 1.0, 9.0]


def test_a_checkpoint_without_its_mark_does_not_count(folder):
    for step in (5, 10, 15):
        (folder / "checkpoints" / str(step)).mkdir(parents=True)
        (folder / "checkpoints" / str(step) / "_METADATA").write_text("{}")
    assert complete_steps(folder / "checkpoints") == ()
    for step in (10, 5):
        (folder / "checkpoints" / str(step) / "commit_success.txt").write_text("")
    assert complete_steps(folder / "checkpoints") == (5, 10)
    write_json(folder / SYSTEM_FILE, {"name": "clip", "options": {}})
    with pytest.raises(CheckpointError, match=r"checkpoint 15; it has \[5, 10\]"):
        load_system(folder, step=15)


def test_a_summary_of_a_local_run(folder, toy, tmp_path):
    from medst_jax.train.run import run

    system = {"name": "toy", "options": {"width": 8}}
    outcome = run(tmp_path, toy.config(train__steps=5), system, toy.source(8))
    written = write_summary(folder, outcome)
    assert json.loads((folder / "summary.json").read_text()) == written


def test_an_export_takes_its_place_when_it_is_whole(folder):
    target = folder / "exported"
    for version in ("1", "2"):
        with staged(target) as place:
            (place / CONFIG).write_text(json.dumps({MARK: {"version": version}}))
        assert json.loads((target / CONFIG).read_text())[MARK] == {"version": version}
    with pytest.raises(RuntimeError), staged(target):
        raise RuntimeError
    assert json.loads((target / CONFIG).read_text())[MARK] == {"version": "2"}
    epath.Path(folder / "other").mkdir()
    (folder / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="not an earlier export"), staged(folder / "other"):
        pass
