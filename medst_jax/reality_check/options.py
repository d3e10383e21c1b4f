# SPDX-License-Identifier: Apache-2.0
"""What a reality check compares, as a suite's `cells` declare it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from medst_jax.options import OptionError, parse


@dataclasses.dataclass(frozen=True)
class ControlOptions:
    """A row that no system should lose to.

    Attributes:
      system: the config that is trained.
      mixture: what it is trained on.
      flags: further flags of `launch/train.py`, such as a shuffle.
    """

    system: str
    mixture: str
    flags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class CheckOptions:
    """A reality check.

    Attributes:
      systems: files of `configs/`, all with the variant `variant`.
      mixtures: name to the simulated sites that are trained on, in order.
      seeds: of training.
      variant: of the configs: equal steps, batches and image encoders.
      columns: the table's columns: task, as the predictions name it, to metric.
      controls: rows by name, beside the systems.
      baselines: pixels as features, by name.
      family: columns whose comparisons are corrected together (Holm); all by default.
      reference: the control that every row is compared with.
      seconds: expected time of one cell on two cores, for the budget.
    """

    systems: tuple[str, ...]
    mixtures: dict[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    variant: str
    columns: dict[str, str]
    controls: dict[str, ControlOptions]
    reference: str
    baselines: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    seconds: float = 180.0


def parse_check(values: Mapping[str, Any]) -> CheckOptions:
    """Options of a check.

    Raises:
      OptionError: an unknown key, or a name that nothing of the check has.
    """
    if not values:
        raise OptionError("the suite declares no cells: a reality check needs suite.cells")
    options = parse(CheckOptions, values, "suite.cells")
    for name, control in options.controls.items():
        if control.mixture not in options.mixtures:
            raise OptionError(
                f"suite.cells.controls.{name}.mixture is {control.mixture!r}; "
                f"known: {', '.join(options.mixtures)}"
            )
    if options.reference not in options.controls:
        raise OptionError(
            f"suite.cells.reference is {options.reference!r}; it must be a control: "
            f"{', '.join(options.controls)}"
        )
    unknown = set(options.family) - set(options.columns)
    if unknown:
        raise OptionError(f"suite.cells.family has no such columns: {sorted(unknown)}")
    return options
