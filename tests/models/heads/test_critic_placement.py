# SPDX-License-Identifier: Apache-2.0
"""On a mesh, a loop over the texts gathers them once, not for each of its steps."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from medst_jax.models.heads.critic import CRITICS, CriticOptions, pair_scores
from medst_jax.parallel import batch_sharding, get_rules, make_mesh, use_rules
from medst_jax.plan.collectives import collectives
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.topology import describe
from tests.plan.requirements import needs_libtpu

CHIPS, CHUNKS, WIDTH, RANK = 4, 16, 64, 128


@needs_libtpu
@pytest.mark.parametrize("name", CRITICS)
def test_texts_are_gathered_once(name: str) -> None:
    mesh = make_mesh(CHIPS, 1, 1, devices=describe("v5e:2x2").devices)
    options = CriticOptions(name=name, hidden=(RANK, 128), rank=RANK)
    graph, state = nnx.split(CRITICS[name](WIDTH, WIDTH, options, rngs=nnx.Rngs(0)))
    chunk = 32
    images, texts = (
        jax.ShapeDtypeStruct(shape, jnp.float32, sharding=batch_sharding(mesh))
        for shape in ((64, 16, WIDTH), (CHUNKS * chunk, WIDTH))
    )

    def loss(state: nnx.State, images: jax.Array, texts: jax.Array) -> jax.Array:
        return jnp.sum(pair_scores(nnx.merge(graph, state), images, texts, chunk) ** 2)

    with jax.set_mesh(mesh), use_rules(get_rules("dp")):
        step = jax.jit(jax.grad(loss, (0, 1, 2)))
        text = step.lower(state, images, texts).compile().as_text()
    found = collectives(parse_module(text), CHIPS)
    gathered = sum(c.times * c.bytes for c in found if c.kind == "all-gather")
    assert 0 < gathered <= 2 * CHUNKS * chunk * RANK * 4  # of float32 texts, whole
