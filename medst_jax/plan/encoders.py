# SPDX-License-Identifier: Apache-2.0
"""Each encoder of a configuration by itself: its forward and backward pass, compiled and read."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.parallel.rules import use_rules
from medst_jax.parallel.sharding import batch_sharding
from medst_jax.plan.compile import Memory, compile_for
from medst_jax.plan.estimate import program_seconds
from medst_jax.plan.flops import forward_flops
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.topology import Topology
from medst_jax.plan.workload import Workload, make_workload, sizes_of
from medst_jax.train.state import skeleton

_VIEWS = ("lateral", "has_lateral", "prior_frontal", "has_prior")


@dataclasses.dataclass(frozen=True)
class EncoderPlan:
    """An encoder on a topology.

    Attributes:
      name: "image" or "text".
      parameters: of the encoder, without the heads of the system.
      memory: of a device; no optimizer, but gradients.
      flops: of a forward and backward pass per example.
      seconds: a device's computation per example; None when the program does not fit.
      mfu: of that computation; likewise.
      compile_seconds: wall time.
    """

    name: str
    parameters: int
    memory: Memory
    flops: float
    seconds: float | None
    mfu: float | None
    compile_seconds: float


def plan_encoders(
    config: Mapping[str, Any], topology: Topology, per_chip_batch: int | None = None
) -> list[EncoderPlan]:
    """Compile the gradient of every encoder's features, as evaluation asks for them.

    Args:
      config: the full configuration, `check_sections` passed.
      topology: the devices.
      per_chip_batch: examples per chip; the configuration's global batch by default.

    Raises:
      ValueError: an option, or a mesh or batch that the topology does not fit.
    """
    workload = make_workload(config, topology, sizes_of(config), per_chip_batch)
    system, batch = workload.assembly.template, workload.batch
    plans = []
    if system.has_image:
        views = {key: batch[key] for key in _VIEWS if key in batch}
        inputs = ({"images": batch["frontal"], **views},)
        plans.append(_plan("image", _image_features, inputs, workload, topology))
    if system.has_text:
        texts = (batch["tokens"], batch["token_mask"])
        plans.append(_plan("text", _text_features, texts, workload, topology))
    return plans


def _image_features(system: Any, views: Mapping[str, jax.Array]) -> jax.Array:
    return system.encode_image(**views).features


def _text_features(system: Any, tokens: jax.Array, token_mask: jax.Array) -> jax.Array:
    return system.encode_text(tokens, token_mask).features


def _plan(
    name: str,
    features: Callable[..., jax.Array],
    inputs: tuple[Any, ...],
    workload: Workload,
    topology: Topology,
) -> EncoderPlan:
    step, parts = workload.assembly.step, skeleton(workload.assembly.template)
    params, state = step.abstract.params, step.abstract.model_state
    # Gradients go to the encoder alone; the rest of the system is an input like the batch.
    own = {path: leaf for path, leaf in params.items() if path.startswith(f"{name}_encoder/")}
    rest = {path: leaf for path, leaf in params.items() if path not in own}

    def gradient(own: Any, rest: Any, state: Any, *inputs: Any) -> Any:
        def loss(own: Any) -> jax.Array:
            # Any scalar will do: the squares need a gradient for every feature.
            output = features(parts.system(own | rest, state), *inputs)
            return jnp.mean(jnp.square(output.astype(jnp.float32)))

        return jax.grad(loss)(own)

    def lower() -> Any:
        placed = jax.tree.map(lambda leaf: leaf.sharding, (own, rest, state))
        rows = (batch_sharding(step.mesh),) * len(inputs)
        jitted = jax.jit(gradient, in_shardings=(*placed, *rows), out_shardings=placed[0])
        with jax.set_mesh(step.mesh), use_rules(step.rules, step.platform):
            return jitted.lower(own, rest, state, *inputs)

    compiled = compile_for(topology, lower, workload.argument_bytes)
    rows, devices = workload.assembly.options.batch_size, step.mesh.size
    forward = forward_flops(lambda h, *i: features(parts.system(*h), *i), (params, state), *inputs)
    flops = 3.0 * forward / rows
    seconds = mfu = None
    if compiled.memory.fits:
        per_device, _ = program_seconds(parse_module(compiled.text), topology)
        seconds = per_device * devices / rows
        mfu = flops / topology.chip.peak_flops / seconds
    parameters = sum(leaf.size for leaf in own.values())
    return EncoderPlan(name, parameters, compiled.memory, flops, seconds, mfu, compiled.seconds)
