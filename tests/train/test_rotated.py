# SPDX-License-Identifier: Apache-2.0
"""A checkpoint that its training removes between the listing and the reading is never called damaged."""

import shutil

import pytest

from medst_jax.train import checkpoint
from medst_jax.train.checkpoint import CheckpointError, RotatedError, load_system
from medst_jax.train.run import run


@pytest.fixture
def workdir(toy, tmp_path, monkeypatch):
    """A training of ten steps, with checkpoints of steps 5 and 10."""
    config = toy.config(train__steps=10, train__checkpoint_every=5, train__keep=2)
    run(tmp_path, config, {"name": "toy", "options": {"width": 8}}, toy.source(8))
    assert checkpoint.complete_steps(tmp_path / "checkpoints") == (5, 10)
    monkeypatch.setattr(checkpoint, "_REMOVAL", 0.01)
    return tmp_path


def rotating(workdir, monkeypatch, rotations: int) -> list[int]:
    """Each reading but the last ones finds that training went on five steps and kept the newest alone.

    Gives the list that the steps of all readings are appended to.
    """
    read, load = [], checkpoint._load

    def load_late(source, target):
        step = int(source.name)
        read.append(step)
        if len(read) <= rotations:
            newest = checkpoint.complete_steps(source.parent)[-1]
            shutil.copytree(source, source.parent / str(newest + 5))
            shutil.rmtree(source)
        return load(source, target)

    monkeypatch.setattr(checkpoint, "_load", load_late)
    return read


def test_the_newer_one_is_read_instead(workdir, monkeypatch) -> None:
    read = rotating(workdir, monkeypatch, 2)
    assert load_system(workdir).step == 20
    assert read == [10, 15, 20]


def test_one_that_was_named_is_not_replaced(workdir, monkeypatch) -> None:
    read = rotating(workdir, monkeypatch, 1)
    with pytest.raises(RotatedError, match="5 was removed while it was read.*--step"):
        load_system(workdir, step=5)
    assert read == [5]


def test_tries_come_to_an_end(workdir, monkeypatch) -> None:
    read = rotating(workdir, monkeypatch, 99)
    with pytest.raises(RotatedError, match="run the command again"):
        load_system(workdir)
    assert read == [10, 15, 20, 25, 30]


def test_one_that_is_there_and_cannot_be_read_is_damaged(workdir) -> None:
    for file in (workdir / "checkpoints" / "10" / "model").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(CheckpointError, match="damaged") as raised:
        load_system(workdir)
    assert not isinstance(raised.value, RotatedError)
