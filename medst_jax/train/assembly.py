# SPDX-License-Identifier: Apache-2.0
"""A configuration to its train step on a mesh: what a run trains and what the planner compiles."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optax

from medst_jax import systems
from medst_jax.options import parse
from medst_jax.parallel.mesh import batch_shards, check_batch_size, check_sequences, make_mesh
from medst_jax.train.execution import Hardware, device_hardware, with_execution
from medst_jax.train.micro_batches import check_micro_batches
from medst_jax.train.optimizer import make_optimizer
from medst_jax.train.options import MeshOptions, OptimizerOptions, TrainOptions
from medst_jax.train.state import abstract_system, split
from medst_jax.train.step import TrainStep, make_train_step


@dataclasses.dataclass(frozen=True)
class Assembly:
    """The parts of a run that need neither data nor a workdir.

    Attributes:
      options: the section `train`.
      build: makes the system.
      template: the system with shapes in place of arrays.
      optimizer: of parameters by path.
      rules: name of the sharding table.
      step: the train step, not compiled; it holds the mesh.
      execution: what every stack of layers runs by, see `execution`.
    """

    options: TrainOptions
    build: Callable[[], systems.System]
    template: systems.System
    optimizer: optax.GradientTransformation
    rules: str
    step: TrainStep
    execution: Mapping[str, Mapping[str, Any]]


def assemble(
    config: Mapping[str, Any],
    system: Mapping[str, Any],
    devices: Sequence[Any] | None = None,
    hardware: Callable[[], Hardware] | None = None,
) -> Assembly:
    """Build the train step of a configuration.

    Args:
      config: `seed`, `train`, `optimizer`, `mesh`, `rules`, `execution` and `data.text_length` are
        read.
      system: {"name", "options"} for `systems.build`.
      devices: real or described ones; `jax.devices()` by default.
      hardware: gives what one device is where `devices` are described; by default they are asked.

    Raises:
      ValueError: an option, or a mesh or batch that the devices do not fit.
    """
    options = parse(TrainOptions, config["train"], "config.train")
    sizes = parse(MeshOptions, config.get("mesh", {}), "config.mesh")
    mesh = make_mesh(**dataclasses.asdict(sizes), devices=devices)
    check_batch_size(options.batch_size, mesh)
    check_micro_batches(options.batch_size, batch_shards(mesh), options.micro_batches)

    system, execution = with_execution(
        config, system, batch_shards(mesh), hardware or device_hardware(mesh)
    )

    def build() -> systems.System:
        return systems.build(system["name"], **system["options"])

    template = abstract_system(build)
    if "sequence_rows" in template.required_keys:
        check_sequences(options.batch_size, mesh)
    optimizer, schedule = make_optimizer(
        parse(OptimizerOptions, config["optimizer"], "config.optimizer"),
        options.steps,
        split(template)[1],
    )
    rules = config.get("rules", "dp")
    step = make_train_step(
        template,
        optimizer,
        mesh,
        rules,
        seed=config["seed"],
        ema=options.ema,
        schedule=schedule,
        micro_batches=options.micro_batches,
    )
    return Assembly(options, build, template, optimizer, rules, step, execution)
