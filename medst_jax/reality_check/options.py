# SPDX-License-Identifier: Apache-2.0
"""What a reality check compares, as a suite's `cells` declare it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from etils import epath

from medst_jax import hub
from medst_jax.options import OptionError, parse

# Metrics of which less is better.
FALLING = ("calibration_error", "median_rank", "squared_error")


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


_OF_WEIGHTS = ("weights", "layout", "size", "channels", "fit", "crop_from")
_OF_PIXELS = ("mean", "std")


@dataclasses.dataclass(frozen=True)
class ExternalOptions:
    """A contestant that was trained elsewhere: weights of a known layout, or a file of features.

    Attributes:
      features: an `.npz` of image_id and features.
      weights: file or folder of safetensors, or `hf-hub:owner/name`.
      layout: a key of `models.LAYOUTS`; empty for what the files beside the weights say.
      size, channels, fit, mean, std, crop_from: what the encoder takes, see `Preprocess`; None for
        what the files beside the weights say.
      trained_on: as `--trained_on` of `launch/evaluate.py`.
    """

    features: str = ""
    weights: str = ""
    layout: str = ""
    size: int | None = None
    channels: int | None = None
    fit: Literal["pad", "crop", "stretch"] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    crop_from: int | None = None
    trained_on: str = ""

    def flags(self) -> tuple[str, ...]:
        """Flags of `launch/evaluate.py`: those that have a value."""
        told = [f"--trained_on={self.trained_on}"] if self.trained_on else []
        if self.features:
            return (f"--features={self.features}", *told)
        values = {name: getattr(self, name) for name in (*_OF_WEIGHTS, *_OF_PIXELS)}
        values |= {
            name: ",".join(map(str, values[name]))
            for name in _OF_PIXELS
            if values[name] is not None
        }
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return (*(f"--{name}={value}" for name, value in given.items()), *told)


@dataclasses.dataclass(frozen=True)
class CheckOptions:
    """A reality check.

    Attributes:
      systems: files of `configs/`, all with the variant `variant`.
      mixtures: name to the data sets that are trained on, in order.
      fixed: further systems, each with the one mixture that its config can take.
      seeds: of training.
      variant: of the configs: equal steps and batches, image encoders of one kind.
      flags: of `launch/train.py`, for every training.
      columns: the table's columns: task, as the predictions name it, to metric.
      order: columns that come first, in this order; a config's mapping forgets its own.
      controls: rows by name, beside the systems.
      baselines: pixels as features, by name.
      externals: rows of encoders that were trained elsewhere, by name.
      outside: task over findings outside the labels, whose values by finding are drawn against
        how often the reports of the mixture mention it; empty for none.
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
    fixed: dict[str, str] = dataclasses.field(default_factory=dict)
    flags: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    externals: dict[str, ExternalOptions] = dataclasses.field(default_factory=dict)
    outside: str = ""
    family: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    seconds: float = 180.0

    @property
    def contestants(self) -> tuple[str, ...]:
        """Names of all rows that are no controls."""
        return (*self.systems, *self.fixed, *self.externals)


def parse_check(values: Mapping[str, Any]) -> CheckOptions:
    """Options of a check.

    Raises:
      OptionError: an unknown key, or a name that nothing of the check has.
    """
    if not values:
        raise OptionError("the suite declares no cells: a reality check needs suite.cells")
    options = parse(CheckOptions, values, "suite.cells")
    for name, mixture in options.fixed.items():
        if mixture not in options.mixtures or name in options.systems:
            raise OptionError(
                f"suite.cells.fixed.{name} is {mixture!r}; it must be one of "
                f"{', '.join(options.mixtures)}, and the system not among suite.cells.systems"
            )
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
    for name, external in options.externals.items():
        given = [path for path in (external.features, external.weights) if path]
        if len(given) != 1:
            raise OptionError(
                f"suite.cells.externals.{name} needs one of features and weights, not {len(given)}"
            )
        if not given[0].startswith(hub.PREFIX) and not epath.Path(given[0]).exists():
            raise OptionError(
                f"suite.cells.externals.{name}: there is no {given[0]}; correct the path or leave "
                "the contestant out"
            )
        if external.features and any(
            getattr(external, key) not in (None, "") for key in (*_OF_WEIGHTS, *_OF_PIXELS)
        ):
            raise OptionError(
                f"suite.cells.externals.{name} is of features: leave out what weights take"
            )
    for name, metric in options.columns.items():
        if metric.partition("/")[0] in FALLING:
            raise OptionError(
                f"suite.cells.columns.{name} is {metric!r}, which falls as a system gets better; a "
                "table ranks from high to low: leave it to the task's own report"
            )
    for name in ("family", "order"):
        unknown = set(getattr(options, name)) - set(options.columns)
        if unknown:
            raise OptionError(f"suite.cells.{name}: there are no columns {sorted(unknown)}")
    ordered = dict.fromkeys((*options.order, *options.columns))
    return dataclasses.replace(options, columns={name: options.columns[name] for name in ordered})
