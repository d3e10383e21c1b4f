# SPDX-License-Identifier: Apache-2.0
"""Gradient transformation and learning-rate schedule from `OptimizerOptions`."""

import re
from collections.abc import Mapping, Sequence

import jax
import optax
from flax import nnx

from medst_jax.options import OptionError
from medst_jax.parallel.sharding import variables_by_path
from medst_jax.train.options import OptimizerOptions


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
    else:
        after = optax.cosine_decay_schedule(peak, horizon - warmup, options.end_fraction)
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), after], [warmup])


def decay_mask(params: nnx.State, which: str) -> Mapping[str, bool]:
    """Which parameters decay, by path; see `OptimizerOptions.decay_mask`."""
    mask = {}
    for path, variable in variables_by_path(params).items():
        axes = variable.get_metadata().get("axes") or (None,) * variable.get_value().ndim
        mask[path] = which == "all" or len([a for a in axes if a != "layers"]) >= 2
    return mask


def learning_rate_factors(
    params: nnx.State, pairs: Sequence[tuple[str, float]]
) -> Mapping[str, float]:
    """What each parameter's learning rate is multiplied by, by path.

    Raises:
      OptionError: a pattern that is no regular expression or fits no parameter.
    """
    by_path = dict.fromkeys(variables_by_path(params), 1.0)
    for pattern, factor in reversed(pairs):
        try:
            fitting = [path for path in by_path if re.search(pattern, path)]
        except re.error as error:
            raise OptionError(
                f"config.optimizer.learning_rates: {pattern!r} is no regular expression ({error})"
            ) from None
        if not fitting:
            raise OptionError(
                f"config.optimizer.learning_rates: {pattern!r} fits no parameter; paths begin "
                f"with {', '.join(sorted({path.split('/')[0] for path in by_path}))}"
            )
        by_path |= dict.fromkeys(fitting, factor)
    return by_path


def make_optimizer(
    options: OptimizerOptions, steps: int, params: nnx.State
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimizer for parameters held as a dict by path, and its schedule.

    Args:
      options: the section `optimizer`.
      steps: the run's length.
      params: the `nnx.Param` part of the system, abstract or concrete, for the decay mask.
    """
    schedule = make_schedule(options, steps)
    factor = learning_rate_factors(params, options.learning_rates)
    parts = []
    if not all(factor.values()):
        # First of all, so that frozen parameters have no share in the norm.
        parts.append(scale_by({path: float(value != 0) for path, value in factor.items()}))
    if options.clip_norm > 0:
        parts.append(optax.clip_by_global_norm(options.clip_norm))
    if options.name == "adamw":
        adam = optax.scale_by_adam(
            options.b1, options.b2, options.eps, mu_dtype=options.moment_dtype
        )
        parts.append(adam)
    elif options.momentum > 0:
        parts.append(optax.trace(options.momentum))
    if options.weight_decay > 0:
        mask = dict(decay_mask(params, options.decay_mask))
        parts.append(optax.add_decayed_weights(options.weight_decay, mask))
    if set(factor.values()) != {1.0}:
        parts.append(scale_by(factor))
    parts.append(optax.scale_by_learning_rate(schedule))
    return optax.chain(*parts), schedule


def scale_by(factor: Mapping[str, float]) -> optax.GradientTransformation:
    """Multiply the updates, a dict by path, by a number each."""

    def update(updates: dict[str, jax.Array], params: object = None) -> dict[str, jax.Array]:
        return {path: value * factor[path] for path, value in updates.items()}

    return optax.stateless(update)
