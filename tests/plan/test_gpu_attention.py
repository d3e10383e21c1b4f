# SPDX-License-Identifier: Apache-2.0
"""What attention compiles to for GPUs: cuDNN's fused call, and the memory that it saves."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.models.layers.attention import attend
from medst_jax.parallel import make_mesh, use_rules
from medst_jax.parallel.rules import get_rules
from medst_jax.plan.compile import Compiled, compile_for
from medst_jax.plan.described_cudnn import answering_for
from medst_jax.plan.gpus import GPUS
from medst_jax.plan.topology import describe
from tests.plan.requirements import needs_gpu_compiler

FORWARD, BACKWARD = "__cudnn$fmhaSoftmax", "__cudnn$fmhaSoftmaxBackward"


def _compiled(implementation: str, tokens: int, masked: bool = False) -> Compiled:
    """Gradients of one attention, batch 64, 12 heads of 64."""
    topology = describe("h100:1")
    mesh = make_mesh(devices=topology.devices)
    rows = NamedSharding(mesh, P("data"))
    x = jax.ShapeDtypeStruct((64, tokens, 12, 64), jnp.bfloat16, sharding=rows)
    mask = jax.ShapeDtypeStruct((64, tokens), jnp.bool_, sharding=rows)

    def loss(q, k, v, mask):
        mixed = attend(q, k, v, mask if masked else None, implementation=implementation)
        return jnp.sum(mixed.astype(jnp.float32) ** 2)

    def lower():
        with jax.set_mesh(mesh), use_rules(get_rules("dp"), "cuda"):
            return jax.jit(jax.grad(loss, argnums=(0, 1, 2))).lower(x, x, x, mask)

    return compile_for(topology, lower, 0)


@needs_gpu_compiler
@pytest.mark.slow
def test_fused_attention_needs_a_tenth_of_the_memory():
    plain, fused = _compiled("einsum", 784), _compiled("auto", 784)
    assert "fmha" not in plain.text
    assert FORWARD in fused.text and BACKWARD in fused.text
    assert plain.memory.temporaries > 2 * 2**30
    assert fused.memory.temporaries < plain.memory.temporaries / 10


@needs_gpu_compiler
@pytest.mark.slow
def test_a_mask_and_an_odd_length_are_fused_as_well():
    # The mask goes in as a bias.
    assert "__cudnn$fmhaScaleBiasSoftmaxBackward" in _compiled("auto", 197, masked=True).text


@pytest.mark.parametrize(("name", "newer"), [("a100", False), ("h100", True), ("b200", True)])
def test_a_described_gpu_answers_for_itself(name, newer):
    from jax._src.cudnn import fused_attention_stablehlo as attention

    before = attention.check_compute_capability
    with answering_for(GPUS[name]):
        assert attention.check_compute_capability("8.0")
        assert attention.check_compute_capability("9.0") is newer
        assert attention.check_cudnn_version() >= 91_000
    assert attention.check_compute_capability is before
