# SPDX-License-Identifier: Apache-2.0
"""Encoders planned by themselves: what counts as theirs, and what the compiler says of it."""

import json

import pytest

from medst_jax.configs import biovil_t, siglip_b16, unimodal
from medst_jax.plan import encoders
from medst_jax.plan.compile import Compiled, Memory
from medst_jax.plan.encoders import EncoderPlan, plan_encoders
from medst_jax.plan.report import encoders_to_json, encoders_to_text
from medst_jax.plan.topology import describe
from medst_jax.plan.workload import make_workload, sizes_of
from tests.plan.requirements import needs_libtpu

TOO_LARGE = Memory(2**34, 2**20, 0, 2**35, fits=False)


def _config(module):
    config = module.get_config("tiny")
    config.data.data_dir = "/nowhere"
    return json.loads(json.dumps(config.to_dict()))


@needs_libtpu
def test_image_and_text_share_the_parameters_with_the_heads():
    config, topology = _config(siglip_b16), describe("v5e:2x2")
    image, text = plan_encoders(config, topology, 8)
    assert (image.name, text.name) == ("image", "text")
    workload = make_workload(config, topology, sizes_of(config), 8)
    assert 0 < image.parameters and 0 < text.parameters
    assert image.parameters + text.parameters < workload.parameters
    for plan in (image, text):
        assert plan.memory.fits and plan.seconds > 0 and 0 < plan.mfu < 1
        # Gradients are made, and no moments of an optimizer are held.
        assert plan.memory.arguments < 3 * 4 * workload.parameters
    assert image.flops == workload.flops_per_example()["image"]


@needs_libtpu
def test_a_prior_is_read_and_a_system_without_text_has_one_encoder(monkeypatch):
    monkeypatch.setattr(encoders, "compile_for", lambda *_: Compiled(TOO_LARGE, "", 0.0))
    topology = describe("v5e:2x2")
    config = _config(biovil_t)
    alone = make_workload(config, topology, sizes_of(config), 4).flops_per_example()["image"]
    assert plan_encoders(config, topology, 4)[0].flops > 1.5 * alone
    assert [plan.name for plan in plan_encoders(_config(unimodal), topology, 4)] == ["image"]


def test_an_encoder_that_does_not_fit_says_what_it_needs():
    plan = EncoderPlan("image", 1_000, TOO_LARGE, 1e9, None, None, 2.0)
    assert "needs 32.0 of 16.00 GiB" in encoders_to_text([plan])
    assert encoders_to_json([plan])[0]["seconds"] is None


@needs_libtpu
def test_a_batch_that_does_not_fit_the_mesh_is_refused():
    config = _config(siglip_b16)
    config["mesh"] = {"data": 3}
    with pytest.raises(ValueError, match="3"):
        plan_encoders(config, describe("v5e:2x2"), 8)
