# SPDX-License-Identifier: Apache-2.0
"""Gradient transformation and learning-rate schedule from `OptimizerOptions`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import optax
from flax import nnx

from medst_jax.parallel.sharding import variables_by_path
from medst_jax.train.adam import Arrays, scale_by_adam
from medst_jax.train.options import OptimizerOptions, PartOptions
from medst_jax.train.parameter_groups import (
    OTHERS,
    Variables,
    decay_mask,
    learning_rate_factors,
    moving_parameters,
    parts_of,
)


def make_schedule(options: OptimizerOptions, steps: int) -> optax.Schedule:
    """Linear warm-up, then the chosen schedule up to the horizon.

    Args:
      options: `warmup_steps` counts towards the horizon; a run that is shorter stays in it.
      steps: the run's length, the horizon unless `options.horizon_steps` is set.
    """
    peak, warmup = options.learning_rate, options.warmup_steps
    horizon = max(options.horizon_steps or steps, warmup + 1)
    if options.schedule == "constant":
        after = optax.constant_schedule(peak)
    elif options.schedule == "linear":
        after = optax.linear_schedule(peak, peak * options.end_fraction, horizon - warmup)
    else:
        after = optax.cosine_decay_schedule(peak, horizon - warmup, options.end_fraction)
    rise = optax.linear_schedule(peak * options.warmup_start, peak, warmup)
    return optax.join_schedules([rise, after], [warmup])


def make_optimizer(
    options: OptimizerOptions, steps: int, params: nnx.State
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimizer for parameters held as a dict by path, and its schedule.

    Args:
      options: the section `optimizer`.
      steps: the run's length.
      params: the `nnx.Param` part of the system, abstract or concrete, for masks and patterns.

    Raises:
      OptionError: patterns or numbers that do not suit the parameters.
    """
    variables = variables_by_path(params)
    factors = learning_rate_factors(variables, options.learning_rates)
    moving = moving_parameters(variables, factors, options.frozen_layers)
    members = parts_of(variables, options.parts)
    chains = {
        name: _chain(
            _with_part(options, options.parts.get(name)),
            steps,
            {path: variables[path] for path in paths},
            {path: factors[path] for path in paths},
        )
        for name, paths in members.items()
    }
    first, last = [], []
    if options.frozen_layers or not all(factors.values()):
        # First of all, so that frozen parameters have no share in the norm.
        first.append(scale_by(moving))
    if options.clip_norm > 0:
        first.append(optax.clip_by_global_norm(options.clip_norm))
    if options.frozen_layers:
        last.append(scale_by(moving))  # they would decay
    middle = (
        [_by_part(members, {name: optax.chain(*chain) for name, chain in chains.items()})]
        if options.parts
        else chains[OTHERS]
    )
    return optax.chain(*first, *middle, *last), make_schedule(options, steps)


def scale_by(factor: Mapping[str, float | np.ndarray]) -> optax.GradientTransformation:
    """Multiply the updates, a dict by path, by a number each, or by an array that broadcasts."""

    def update(updates: Arrays, params: object = None) -> Arrays:
        return {path: value * factor[path] for path, value in updates.items()}

    return optax.stateless(update)


def _with_part(options: OptimizerOptions, part: PartOptions | None) -> OptimizerOptions:
    """The options with those that a part has of its own."""
    own = dataclasses.asdict(part) if part else {}
    changes = {k: v for k, v in own.items() if k != "pattern" and v is not None}
    return dataclasses.replace(options, **changes)


def _chain(
    options: OptimizerOptions, steps: int, variables: Variables, factors: Mapping[str, float]
) -> list[optax.GradientTransformation]:
    """From clipped gradients to updates."""
    form, chain = options.weight_decay_form, []
    mask = decay_mask(variables, options.decay_mask)
    if form == "schedule":
        mask = {path: decays and factors[path] != 0 for path, decays in mask.items()}
    decay = [optax.add_decayed_weights(options.weight_decay, mask)] * (options.weight_decay > 0)
    if form == "gradient":
        chain += decay
    if options.name == "adamw":
        chain.append(scale_by_adam(options))
    elif options.momentum > 0:
        chain.append(optax.trace(options.momentum))
    if form == "learning_rate":
        chain += decay
    if set(factors.values()) != {1.0}:
        chain.append(scale_by(factors))
    if form == "schedule":
        chain += [optax.scale(options.learning_rate), *decay]
        options = dataclasses.replace(options, learning_rate=1.0)
    chain.append(optax.scale_by_learning_rate(make_schedule(options, steps)))
    return chain


def _by_part(
    members: Mapping[str, list[str]], chains: Mapping[str, optax.GradientTransformation]
) -> optax.GradientTransformation:
    """Each part's parameters by a transformation of their own; the state is a dict by part."""

    def of(name: str, values: Arrays) -> Arrays:
        return {path: values[path] for path in members[name]}

    def init(params: Arrays) -> dict[str, Any]:
        return {name: chain.init(of(name, params)) for name, chain in chains.items()}

    def update(
        updates: Arrays, state: dict[str, Any], params: Arrays
    ) -> tuple[Arrays, dict[str, Any]]:
        updated: Arrays = {}
        states = {}
        for name, chain in chains.items():
            own, states[name] = chain.update(of(name, updates), state[name], of(name, params))
            updated |= own
        return {path: updated[path] for path in updates}, states

    return optax.GradientTransformation(init, update)
