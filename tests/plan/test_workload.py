# SPDX-License-Identifier: Apache-2.0
"""The planner plans the step that trains: same program text, sizes from the data or assumed."""

import copy
import json

import jax
import pytest

import medst_jax.train.run as training
from medst_jax.commands.parts import training as command
from medst_jax.configs import kad_knowledge, siglip_b16
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.vocabulary import train_vocabulary
from medst_jax.parallel import MeshError
from medst_jax.plan.chips import CHIPS
from medst_jax.plan.topology import Topology
from medst_jax.plan.workload import make_workload, sizes_of


class _Stop(Exception):
    """Raised where a run would compile."""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """siglip_b16:tiny, smaller still, on a few prepared studies."""
    folder = tmp_path_factory.mktemp("data")
    write_fixture(folder, "reports", patients=12, size=32)
    train_vocabulary(folder, ["reports"], "words", 120)
    config = siglip_b16.get_config("tiny")
    config.data.mixture = {"reports": dict(text="report")}
    config.data.update(dict(data_dir=str(folder), vocabulary="words", size=32))
    config.system.image.update(dict(width=32, depth=2, heads=2, slices=2))
    config.system.preprocess.size = 32
    config.train.update(dict(batch_size=4, compilation_cache=""))
    return json.loads(json.dumps(config.to_dict()))


def _here() -> Topology:
    return Topology("here", CHIPS["v5e"], tuple(jax.devices()[:1]), 1)


def test_the_planned_program_is_the_trained_program(config, tmp_path, monkeypatch):
    lowered = []

    def record(step, spec):
        lowered.append(step.lower(spec).as_text())
        raise _Stop

    monkeypatch.setattr(training, "_compiled", record)
    with pytest.raises(_Stop):
        command.train(config, str(tmp_path / "run"))
    planned = make_workload(config, _here(), sizes_of(config)).lower().as_text()
    assert planned == lowered[0]
    other = copy.deepcopy(config)
    other["optimizer"]["b1"] = 0.8
    assert make_workload(other, _here(), sizes_of(other)).lower().as_text() != planned


def test_sizes_come_from_the_data_else_from_the_config_else_are_assumed(config):
    found = sizes_of(config)
    assert found.labels and 16 < found.vocabulary_size <= 120 and not found.notes
    absent = copy.deepcopy(config)
    absent["data"]["data_dir"] = "/nowhere"
    assumed = sizes_of(absent)
    assert (len(assumed.labels), assumed.vocabulary_size) == (14, 32_000)
    assert "not prepared" in assumed.notes[0] and "14 labels" in assumed.notes[1]
    absent["system"] |= {"vocabulary_size": 500, "labels": ["A", "B"]}
    given = sizes_of(absent)
    assert (given.labels, given.vocabulary_size) == (("A", "B"), 500)


def test_batch_per_chip_sets_the_global_batch(config):
    workload = make_workload(config, _here(), sizes_of(config), 6)
    assert workload.assembly.options.batch_size == 6
    assert workload.batch["frontal"].shape == (6, 32, 32, 1)
    assert workload.parameters == sum(
        leaf.size for leaf in jax.tree.leaves(workload.assembly.step.abstract.params)
    )


def test_a_mesh_that_does_not_fit_is_named(config):
    with pytest.raises(MeshError, match="fsdp=3"):
        make_workload({**config, "mesh": {"fsdp": 3}}, _here(), sizes_of(config))


def test_flops_per_example_do_not_depend_on_remat_or_slices(config):
    plain = copy.deepcopy(config)
    plain["system"]["image"] |= {"remat": "none", "slices": 1}
    found = [make_workload(c, _here(), sizes_of(c)).flops_per_example() for c in (config, plain)]
    assert found[0] == found[1]
    assert found[0]["total"] > found[0]["image"] + found[0]["text"]


def test_a_system_of_texts_alone_has_no_flops_of_images():
    config = json.loads(json.dumps(kad_knowledge.get_config("tiny").to_dict()))
    config["data"]["data_dir"] = "/nowhere"
    flops = make_workload(config, _here(), sizes_of(config), 2).flops_per_example()
    # Two texts of a concept are read, and one of the two costs what `encode_text` does.
    assert set(flops) == {"total", "text"} and flops["total"] > 2 * 0.9 * flops["text"] > 0
