# SPDX-License-Identifier: Apache-2.0
"""Which parameters decay, move, and at which rate, by patterns of their paths."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from flax import nnx

from medst_jax.options import OptionError
from medst_jax.train.options import PartOptions

Variables = Mapping[str, nnx.Variable]
OTHERS = "others"  # the part of all parameters that no part names


def decay_mask(variables: Variables, which: str) -> dict[str, bool]:
    """Which parameters decay, by path; see `OptimizerOptions.decay_mask`."""
    return {path: _decays(path, variable, which) for path, variable in variables.items()}


def _decays(path: str, variable: nnx.Variable, which: str) -> bool:
    name = path.rpartition("/")[2]
    if which == "weights":
        return name not in ("bias", "scale")
    if which == "named_kernels":
        return name == "kernel"
    return which == "all" or sum(axis != "layers" for axis in _axes(variable)) >= 2


def _axes(variable: nnx.Variable) -> tuple[str | None, ...]:
    return variable.get_metadata().get("axes") or (None,) * variable.get_value().ndim


def learning_rate_factors(
    paths: Iterable[str], pairs: Sequence[tuple[str, float]]
) -> dict[str, float]:
    """What each parameter's learning rate is multiplied by, by path.

    Raises:
      OptionError: a pattern that is no regular expression or fits no parameter.
    """
    by_path = dict.fromkeys(paths, 1.0)
    for pattern, factor in reversed(pairs):
        by_path |= dict.fromkeys(_fitting(pattern, by_path, "learning_rates"), factor)
    return by_path


def moving_parameters(
    variables: Variables, factors: Mapping[str, float], layers: Sequence[tuple[str, int]]
) -> dict[str, float | np.ndarray]:
    """0 for parameters that are frozen and 1 for others; of stacks an array by layer.

    Args:
      variables: by path.
      factors: of the learning rates, by path.
      layers: `OptimizerOptions.frozen_layers`.

    Raises:
      OptionError: a pattern that fits no parameter, or none of stacked layers; a number of
        layers that is not in [1, those of the stack].
    """
    moving: dict[str, float | np.ndarray] = {
        path: float(factor != 0) for path, factor in factors.items()
    }
    for pattern, count in layers:
        where = "frozen_layers"
        stacks = [p for p in _fitting(pattern, variables, where) if "layers" in _axes(variables[p])]
        if not stacks:
            raise OptionError(f"config.optimizer.{where}: {pattern!r} fits no stacked layers")
        for path in stacks:
            axis, shape = _axes(variables[path]).index("layers"), variables[path].get_value().shape
            if not 1 <= count <= shape[axis]:
                raise OptionError(
                    f"config.optimizer.{where} freezes {count} layers of {path}, which has "
                    f"{shape[axis]}; give a number in [1, {shape[axis]}]"
                )
            later = np.arange(shape[axis]) >= count
            by_layer = later.reshape([-1 if n == axis else 1 for n in range(len(shape))])
            moving[path] = moving[path] * by_layer.astype(np.float32)
    return moving


def parts_of(paths: Iterable[str], parts: Mapping[str, PartOptions]) -> dict[str, list[str]]:
    """The paths of each part, and of `OTHERS` where some are left; no part is empty.

    Raises:
      OptionError: a pattern that is no regular expression or fits no parameter, a parameter that
        two parts claim, or a part whose name is taken.
    """
    left, claimed = list(paths), dict[str, str]()
    if OTHERS in parts:
        raise OptionError(f"config.optimizer.parts.{OTHERS} is the rest; choose another name")
    for name, part in parts.items():
        for path in _fitting(part.pattern, left, f"parts.{name}.pattern"):
            if path in claimed:
                raise OptionError(
                    f"config.optimizer.parts: {path} is in {claimed[path]} and in {name}; make "
                    "their patterns differ"
                )
            claimed[path] = name
    members: dict[str, list[str]] = {}
    for path in left:
        members.setdefault(claimed.get(path, OTHERS), []).append(path)
    return members


def _fitting(pattern: str, paths: Iterable[str], where: str) -> list[str]:
    paths = list(paths)
    try:
        fitting = [path for path in paths if re.search(pattern, path)]
    except re.error as error:
        raise OptionError(
            f"config.optimizer.{where}: {pattern!r} is no regular expression ({error})"
        ) from None
    if not fitting:
        raise OptionError(
            f"config.optimizer.{where}: {pattern!r} fits no parameter; paths begin "
            f"with {', '.join(sorted({path.split('/')[0] for path in paths}))}"
        )
    return fitting
