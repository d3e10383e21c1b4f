# SPDX-License-Identifier: Apache-2.0
"""Runs that were written before an option existed, in each section, go on with it."""

import dataclasses
import json
from typing import Any

import pytest

from medst_jax.added_options import fill_current
from medst_jax.data.loader import stamp
from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.models import ResNetOptions
from medst_jax.options import before
from medst_jax.reality_check.record import config_digest
from medst_jax.systems.parts import towers
from medst_jax.train import assembly, run_records, sections
from medst_jax.train import run as training
from medst_jax.train.checkpoint import load_system
from medst_jax.train.options import TrainOptions
from medst_jax.train.workdir import WorkdirError

HORIZON = 20
DATA = {"mixture": {"m": {}}}


def later(default: str = "new") -> Any:
    return dataclasses.field(default=default, metadata=before("old"))


@dataclasses.dataclass(frozen=True)
class LaterTrain(TrainOptions):
    way: str = later()


@dataclasses.dataclass(frozen=True)
class LaterSite(DataSetOptions):
    way: str = later()


@dataclasses.dataclass(frozen=True)
class LaterData(DataOptions):
    mixture: dict[str, LaterSite]
    way: str = later()


@dataclasses.dataclass(frozen=True)
class LaterSections(sections.Sections):
    data: LaterData
    train: LaterTrain


@pytest.fixture
def version(toy, monkeypatch):
    """Call it to go on with the code in which the options exist."""

    @dataclasses.dataclass(frozen=True)
    class LaterToy(toy.ToyOptions):
        way: str = later()

    def upgrade():
        monkeypatch.setattr(toy.Toy, "Options", LaterToy)
        monkeypatch.setattr(assembly, "TrainOptions", LaterTrain)
        for module in (training, run_records):
            monkeypatch.setattr(module, "Sections", LaterSections)

    return upgrade


def train(toy, workdir, steps=HORIZON, **changes):
    """As launch/train.py does it: what a record lacks is settled before anything is opened."""
    config = toy.config(train__steps=steps, optimizer__horizon_steps=HORIZON)
    config |= {"data": DATA, "system": {"name": "toy", "width": 8}}
    for key, value in changes.items():
        section, name = key.split("__")
        config[section] = {**config[section], name: value}
    config = training.resumed_config(workdir, config)
    options = dict(config["system"])
    source = toy.source(8)
    system = {"name": options.pop("name"), "options": options}
    return training.run(workdir, config, system, source)


def recorded(workdir, file="config.json"):
    return json.loads((workdir / file).read_text())


def test_run_of_before_resumes_as_it_began(toy, version, tmp_path, caplog):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train(toy, whole)
    train(toy, halves, HORIZON // 2)
    before_it = recorded(halves)
    version()
    with caplog.at_level("INFO", "medst_jax"):
        train(toy, halves)
    for key in ("data.way", "data.mixture.m.way", "system.way", "train.way"):
        assert f"config.{key} is 'old', as before that option, not 'new'" in caplog.text
    assert (
        recorded(halves, "summary.json")["state_checksum"]
        == recorded(whole, "summary.json")["state_checksum"]
    )
    # Its records go on lacking the keys, so that it resumes once more.
    assert recorded(halves) == {**before_it, "train": {**before_it["train"], "steps": HORIZON}}
    train(toy, halves)
    loaded = load_system(halves)
    assert loaded.config["train"]["way"] == loaded.config["data"]["way"] == "old"


@pytest.mark.parametrize("section", ["data", "system", "train"])
def test_another_value_than_that_of_before_is_refused(toy, version, tmp_path, section):
    train(toy, tmp_path, HORIZON // 2)
    version()
    with pytest.raises(WorkdirError, match=rf"{section}.way = 'old' \(before .* now it is 'other'"):
        train(toy, tmp_path, **{f"{section}__way": "other"})
    train(toy, tmp_path, **{f"{section}__way": "old"})


def test_new_run_records_what_it_does(toy, version, tmp_path):
    version()
    train(toy, tmp_path, HORIZON // 2)
    config = recorded(tmp_path)
    assert config["train"]["way"] == config["data"]["way"] == config["system"]["way"] == "new"
    assert recorded(tmp_path, "system.json")["options"] == {"width": 8, "way": "new"}
    with pytest.raises(WorkdirError, match=r"data.way = 'new', now it is 'old'"):
        train(toy, tmp_path, data__way="old")
    train(toy, tmp_path)


def test_key_that_nothing_knows_is_refused(toy, tmp_path):
    train(toy, tmp_path, HORIZON // 2)
    config = recorded(tmp_path)
    config["train"]["unknown"] = 1
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WorkdirError, match=r"train.unknown = 1, now it is 'absent'"):
        train(toy, tmp_path)


def test_options_of_a_stamp_hash_as_before(monkeypatch):
    old = stamp.config_hash(DataOptions({"m": DataSetOptions()}, size=32), 0)
    monkeypatch.setattr(stamp, "DataOptions", LaterData)
    same = LaterData({"m": LaterSite(way="old")}, size=32, way="old")
    assert stamp.config_hash(same, 0) == old
    for changed in (
        dataclasses.replace(same, way="new"),
        dataclasses.replace(same, mixture={"m": LaterSite()}),
    ):
        assert stamp.config_hash(changed, 0) != old


def test_other_examples_of_the_same_options_are_named(toy, tmp_path, monkeypatch):
    """A stamp without `stream_version` is of the third; a hash that differs with it is no cause."""
    old = {"config_hash": "a"}
    values = {"config": {"seed": 0}, "system": {"name": "toy", "options": {}}}
    run_records.write_records(tmp_path, **values, stamp=old, resuming=False)
    run_records.write_records(tmp_path, **values, stamp={**old, "stream_version": 3}, resuming=True)
    run_records.write_records(tmp_path, **values, stamp=old, resuming=False)
    with pytest.raises(
        WorkdirError, match=r"stream_version = 3 .*, now it is 4; this version reads other"
    ):
        run_records.write_records(
            tmp_path, **values, stamp={"config_hash": "b", "stream_version": 4}, resuming=True
        )


def test_encoder_options_are_those_of_its_name(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class LaterResNet(ResNetOptions):
        way: str = later()

    table = {
        "resnet_small": lambda: (None, LaterResNet),
        "resnet_new": lambda: (None, lambda: LaterResNet(way="newest")),
    }
    monkeypatch.setattr(towers, "IMAGE_ENCODERS", table)

    def image(**values):
        return {"name": "image_only", "options": {"image": values}}

    def filled(record):
        return fill_current(sections.system_record(record), record)["options"]["image"]

    old = image(name="resnet_small")
    assert filled(old) == {"name": "resnet_small", "way": "new"}
    assert filled(image(name="resnet_new")) == {"name": "resnet_new", "way": "newest"}
    # A cell's digest is that of before where the option does what was done before.
    system = {"system": {"name": "image_only", "image": {"name": "resnet_small"}}}
    same = {"system": {"name": "image_only", "image": {"name": "resnet_small", "way": "old"}}}
    other = {"system": {"name": "image_only", "image": {"name": "resnet_small", "way": "new"}}}
    assert config_digest(system) == config_digest(same) != config_digest(other)
