# SPDX-License-Identifier: Apache-2.0
"""Costs of a training from its records."""

import importlib
import json

import pytest
from etils import epath

from medst_jax import systems
from medst_jax.plan.chips import CHIPS
from medst_jax.reality_check.costs import COST, cost_of
from medst_jax.systems.parts.query_texts import assumed_values

WIDTHS = (4, 8)


def _write(folder: epath.Path, steps: int) -> None:
    image = dict(name="resnet_small", widths=WIDTHS, blocks=(1, 1), strides=(2, 2), stem_width=4)
    options = dict(
        image=image,
        joint=8,
        preprocess=dict(size=16, mean=0.5, std=0.25, channels=1),
        labels=("Edema", "No Finding"),
        vocabulary_size=20,
    )
    data = dict(data_dir="nowhere", mixture={"a": {}}, size=16, vocabulary="v")
    config = dict(data=data, train=dict(batch_size=4, steps=steps))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "system.json").write_text(json.dumps(dict(name="unimodal", options=options)))


def test_costs_are_counted_once_and_kept(tmp_path) -> None:
    folder = epath.Path(tmp_path)
    assert cost_of(folder) == {}, "a contestant that was not trained here costs nothing"
    _write(folder, steps=10)
    cost = cost_of(folder)
    assert cost["parameters"] > 9 * 4 * 4 and cost["flops_per_example"] > 1e4
    examples = cost["chip_hours"] * 3600 * CHIPS["v5e"].peak_flops / cost["flops_per_example"]
    assert round(examples) == 40
    assert json.loads((folder / COST).read_text()) == cost
    _write(folder, steps=20)
    assert cost_of(folder) == cost


@pytest.mark.parametrize("name", ["kad", "medklip"])
def test_systems_that_ask_entities_are_counted(name, tmp_path) -> None:
    config = importlib.import_module(f"medst_jax.configs.{name}").get_config("tiny").to_dict()
    options = {k: v for k, v in config.pop("system").items() if k != "name"}
    options |= {"labels": ("Edema", "No Finding"), "vocabulary_size": 300}
    # As a training records them: every entity and place with its text.
    options |= assumed_values(systems.system_class(name).Options)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "system.json").write_text(json.dumps({"name": name, "options": options}))
    assert cost_of(epath.Path(tmp_path))["flops_per_example"] > 1e5
