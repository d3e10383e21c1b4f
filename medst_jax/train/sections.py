# SPDX-License-Identifier: Apache-2.0
"""The sections of a configuration, and of a run's records, by the options that they hold."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from medst_jax import systems
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.options import OptionError, before, options_of
from medst_jax.train.options import InitOptions, MeshOptions, OptimizerOptions, TrainOptions


def _system_options(values: Mapping[str, Any]) -> type | None:
    try:
        options: type = systems.system_class(str(values.get("name"))).Options
    except OptionError:  # of a record; building the system says what is wrong with the name
        return None
    return options


@dataclasses.dataclass(frozen=True)
class Sections:
    """The top level of a configuration.

    Attributes:
      seed: of weights, orders and draws.
      system: the system's name and its options.
      data: the training input.
      init: weights to start from.
      train: length and output of the run.
      optimizer: the optimizer and its schedule.
      mesh: sizes of the device mesh.
      rules: name of the sharding table.
      evaluate: evaluators by name.
      execution: for which hardware recomputation, slices and attention are chosen where the encoders'
        options leave them open; "auto" for that of the run, "explicit" chooses nothing.
    """

    seed: int
    system: dict[str, Any] = dataclasses.field(metadata=options_of(_system_options))
    data: DataOptions
    train: TrainOptions
    optimizer: OptimizerOptions
    init: InitOptions = dataclasses.field(default_factory=InitOptions)
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)
    rules: str = "dp"
    evaluate: dict[str, Any] = dataclasses.field(default_factory=dict)
    execution: str = dataclasses.field(default="auto", metadata=before("explicit"))


def system_record(record: Mapping[str, Any]) -> type:
    """The dataclass of a system.json: the system's name and its options."""
    options = _system_options(record) or dict[str, Any]
    return dataclasses.make_dataclass("SystemRecord", [("name", str), ("options", options)])


def check_sections(config: Mapping[str, Any]) -> None:
    """Raise an OptionError naming a top-level key that nothing reads, or one that is missing."""
    fields = dataclasses.fields(Sections)
    for key in config:
        if key not in {field.name for field in fields}:
            known = ", ".join(field.name for field in fields)
            raise OptionError(f"config.{key} is not an option; known: {known}")
    for field in fields:
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in config:
            raise OptionError(f"config.{field.name} is required and has no value")
