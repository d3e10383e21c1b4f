# SPDX-License-Identifier: Apache-2.0
"""Writes that fail half-way: a full disk, leftovers of a kill, a damaged checkpoint."""

import shutil

import pytest

from medst_jax.train.checkpoint import CheckpointError, Checkpoints, complete_steps, load_system
from medst_jax.train.run import run

SYSTEM = {"name": "toy", "options": {"width": 8}}


def test_full_disk_is_a_clear_error_and_leaves_older_checkpoints(toy, start_toy, tmp_path):
    # A limit on file size fails writes as a full disk does, without needing one.
    run(tmp_path, toy.config(train__steps=0, optimizer__horizon_steps=20), SYSTEM, toy.source(8))
    limited = ("prlimit", "--fsize=2000")
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit of util-linux is not installed")
    process = start_toy(
        tmp_path,
        "optimizer__horizon_steps=20",
        "train__steps=20",
        prefix=limited,
        JAX_ENABLE_COMPILATION_CACHE="false",
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "checkpoint 5 could not be written" in errors, errors
    assert "checkpoints [0] are intact" in errors
    # Not what the writer says of it when it is closed. Its threads may still report the write that
    # they were left with, in any order, so only lines of the error that ends the run are read.
    error = "medst_jax.train.checkpoint.CheckpointError"
    ends = [line for line in errors.splitlines() if line.startswith(f"{error}: ")]
    assert ends and ends[-1].startswith(f"{error}: checkpoint 5 ")
    assert load_system(tmp_path).step == 0
    outcome = run(
        tmp_path, toy.config(train__steps=20, optimizer__horizon_steps=20), SYSTEM, toy.source(8)
    )
    assert int(outcome.state.step) == 20


def test_closing_does_not_replace_what_was_told_of_a_failed_write(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=1)
    release = checkpoints._checkpointer.close

    def close():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints._checkpointer, "close", close)
    with pytest.raises(CheckpointError, match="No space left on device; there is no older one"):
        checkpoints.close()
    checkpoints.close()
    release()


def test_unfinished_checkpoint_is_ignored_and_removed(toy, tmp_path):
    config = toy.config(train__steps=10, optimizer__horizon_steps=20)
    run(tmp_path, config, SYSTEM, toy.source(8))
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "10", folder / "15.orbax-checkpoint-tmp")
    (folder / "15.orbax-checkpoint-tmp" / "_CHECKPOINT_METADATA").unlink()
    assert load_system(tmp_path).step == 10
    config = toy.config(train__steps=12, optimizer__horizon_steps=20)
    run(tmp_path, config, SYSTEM, toy.source(8))
    assert complete_steps(folder) == (10, 12)
    assert not list(folder.glob("*tmp*"))


def test_a_checkpoint_of_another_width_is_named(toy, tmp_path):
    run(tmp_path, toy.config(train__steps=5), SYSTEM, toy.source(8))
    record = tmp_path / "system.json"
    record.write_text(record.read_text().replace('"width": 8', '"width": 6'))
    with pytest.raises(CheckpointError, match=r"norm/mean.*\(8,\) in the checkpoint and \(6,\)"):
        load_system(tmp_path)


def test_a_damaged_checkpoint_is_named(toy, start_toy, tmp_path):
    # In a process of its own: the restoring library abandons its other reads when one fails, and
    # they would warn of that in whichever test runs when they are collected.
    run(tmp_path, toy.config(train__steps=5, optimizer__horizon_steps=20), SYSTEM, toy.source(8))
    for file in (tmp_path / "checkpoints" / "5" / "model").rglob("d/*"):
        file.write_bytes(file.read_bytes()[:10])
    process = start_toy(tmp_path, "train__steps=10", "optimizer__horizon_steps=20")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CheckpointError" in errors, errors
    assert (
        "5 cannot be restored: its files are damaged or cannot be read; move that folder" in errors
    )


def test_damaged_compiled_program_is_compiled_again_and_replaced(toy, compiled, tmp_path):
    def train(name):
        run(tmp_path / name, toy.config(train__steps=1), SYSTEM, toy.source(8))

    train("first")
    entries = list(compiled.glob("jit_step-*-cache"))
    assert entries
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:100])
    train("second")
    assert not any(entry.exists() for entry in entries)
    train("third")
    assert any(entry.stat().st_size > 100 for entry in compiled.glob("jit_step-*-cache"))
