# SPDX-License-Identifier: Apache-2.0
"""The planner's answer: JSON alone where JSON is asked for, and what to try where nothing fits."""

import json
import pathlib
from types import SimpleNamespace

import jax
import pytest

from medst_jax.commands.parts import planning as command
from medst_jax.commands.parts.planning import Request, answer
from medst_jax.plan.chips import CHIPS
from medst_jax.plan.compile import Memory
from medst_jax.plan.planning import _remedy
from medst_jax.plan.topology import Topology
from tests.configs.expanded import paper_size

GIB = 2**30
MODULE = pathlib.Path(__file__).parent / "data" / "scan_dp.hlo"


@pytest.fixture(autouse=True)
def here(monkeypatch) -> Topology:
    """This machine's device under the name of a TPU's."""
    topology = Topology("here", CHIPS["v5e"], tuple(jax.devices()[:1]), 1)
    monkeypatch.setattr(command, "describe", lambda name, slices: topology)
    return topology


def test_shardings_in_json() -> None:
    config = paper_size("siglip_b16")
    config["system"] |= {"labels": ["Edema"], "vocabulary_size": 300}
    config["system"]["image"] |= {"width": 32, "depth": 1, "heads": 2}
    config["system"]["text"] |= {"width": 32, "depth": 1, "heads": 2}
    config["data"]["data_dir"] = "nowhere"
    rows = json.loads(answer(config, Request("here", json=True, shardings=True)))["shardings"]
    assert all(set(row) == {"path", "shape", "axes", "partition", "kept"} for row in rows)
    table = answer(config, Request("here", shardings=True)).splitlines()
    assert [line.split()[0] for line in table] == [row["path"] for row in rows]


def test_the_dearest_places_in_json(monkeypatch) -> None:
    plan = SimpleNamespace(text=MODULE.read_text(), per_chip_batch=4)
    monkeypatch.setattr(command, "_plan", lambda *_: plan)
    monkeypatch.setattr(command, "to_json", lambda plan: {"fits": True})
    monkeypatch.setattr(command, "to_text", lambda plan: "a table")
    config = paper_size("siglip_b16")
    found = json.loads(answer(config, Request("here", json=True, breakdown=3)))
    costs = [row["ms_per_example"] for row in found["breakdown"]]
    assert found["fits"] and len(costs) == 3 and costs == sorted(costs, reverse=True) and costs[0]
    lines = answer(config, Request("here", breakdown=3)).splitlines()
    assert lines[0] == "a table" and len(lines) == 4
    assert found["breakdown"][0]["origin"] in lines[1]
    assert "breakdown" not in json.loads(answer(config, Request("here", json=True)))


def remedy(here: Topology, arguments: float, micro_batches: int = 1, **image: object) -> str:
    """What is tried for a step of 16 examples that needs 30 of 16 GiB."""
    options = SimpleNamespace(batch_size=16, micro_batches=micro_batches)
    mesh = SimpleNamespace(shape={"fsdp": 1})
    step = SimpleNamespace(mesh=mesh)
    text = {"remat": "full", "slices": 8, "attention": "auto"}
    execution = {"image": {"remat": "full", "slices": 2, "attention": "auto"} | image, "text": text}
    assembly = SimpleNamespace(step=step, options=options, execution=execution)
    memory = Memory(16 * GIB, int(arguments * GIB), 0, 30 * GIB, False)
    return _remedy(SimpleNamespace(assembly=assembly), memory, here)


def test_slices_are_named_where_they_are_the_cure(here) -> None:
    both = "try --config.system.image.slices=4 --config.system.text.slices=16;"
    assert both in remedy(here, 1.0)
    # Slices of a micro batch's eight rows: sixteen of them there are not.
    assert "try --config.system.image.slices=4;" in remedy(here, 1.0, micro_batches=2)
    # Kept activations are not cut by slices, nor is the state.
    kept = remedy(here, 1.0, remat="none")
    assert "try remat='full' in config.system.image;" in kept
    assert "image.slices" not in kept and "text.slices=16" in kept
    assert "slices" not in remedy(here, 25.0)
