# SPDX-License-Identifier: Apache-2.0
"""What a tracker is told: scalars and the configuration, and no place of a disk."""

import json
import sys
import types

import pytest

from medst_jax.options import OptionError
from medst_jax.train.scalars import ScalarLog
from medst_jax.train.writers import Wandb, without_paths

CONFIG = {
    "seed": 3,
    "data": {"data_dir": "mine", "mixture": {"mine": {"weight": 1.0}}, "exclude": "all"},
    "init": {"image": "/home/anna/w.safetensors", "text": "~/b", "layout": "timm"},
    "train": {"compilation_cache": "cache", "profile": None},
    "evaluate": {"val": {"task": {"classes": ["Edema", "C:\\\\secret"]}}},
}


class Recorder(types.ModuleType):
    """A tracker that remembers what it was given."""

    def __init__(self):
        super().__init__("wandb")
        self.__spec__ = types.SimpleNamespace(name="wandb")
        self.calls = []

    def Settings(self, **values):
        return values

    def init(self, **values):
        self.calls.append(("init", values))
        return self

    def log(self, scalars, step):
        self.calls.append(("log", step, scalars))

    def finish(self):
        self.calls.append(("finish",))


def test_a_tracker_gets_scalars_and_the_configuration_alone(tmp_path, monkeypatch):
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", recorder)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    log = ScalarLog(tmp_path, 0, tensorboard=False, trackers=[Wandb("x-rays")])
    log.write(5, {"loss": 0.5, "val/auroc": float("nan")})
    log.close()
    (_, given), *rest = recorder.calls
    assert given.keys() == {"project", "config", "settings"} and given["project"] == "x-rays"
    assert rest == [("log", 5, {"loss/loss": 0.5}), ("finish",)]
    sent = json.dumps(given["config"])
    assert not any(part in sent for part in ("anna", "secret", "~", str(tmp_path), '"cache"'))
    assert given["config"]["data"]["mixture"] == {"mine": {"weight": 1.0}}
    assert given["config"]["init"]["layout"] == "timm" and given["config"]["seed"] == 3
    off = ("disable_code", "disable_git", "x_disable_meta", "x_disable_machine_info")
    assert all(given["settings"][name] for name in off)


def test_paths_are_taken_out_and_nothing_else():
    removed = without_paths(CONFIG)
    assert removed["data"]["data_dir"] == removed["init"]["text"] == "(path removed)"
    assert removed["evaluate"]["val"]["task"]["classes"] == ["Edema", "(path removed)"]
    assert removed["train"]["profile"] is None


def test_a_tracker_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(OptionError, match="pip install wandb"):
        Wandb("x-rays")
