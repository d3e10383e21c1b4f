# SPDX-License-Identifier: Apache-2.0
"""Gradient transformation and learning-rate schedule from `OptimizerOptions`."""

from collections.abc import Mapping

import optax
from flax import nnx

from medst_jax.parallel import variables_by_path
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
    parts = []
    if options.clip_norm > 0:
        parts.append(optax.clip_by_global_norm(options.clip_norm))
    if options.name == "adamw":
        parts.append(optax.scale_by_adam(options.b1, options.b2, options.eps))
    elif options.momentum > 0:
        parts.append(optax.trace(options.momentum))
    if options.weight_decay > 0:
        mask = dict(decay_mask(params, options.decay_mask))
        parts.append(optax.add_decayed_weights(options.weight_decay, mask))
    parts.append(optax.scale_by_learning_rate(schedule))
    return optax.chain(*parts), schedule
