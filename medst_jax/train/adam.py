# SPDX-License-Identifier: Apache-2.0
"""Adam's step, with or without the correction of its young moments."""

import jax
import jax.numpy as jnp
import optax

from medst_jax.train.options import OptimizerOptions

Arrays = dict[str, jax.Array]


def scale_by_adam(options: OptimizerOptions) -> optax.GradientTransformation:
    """The first moment over the root of the second, arXiv:1412.6980, algorithm 1.

    Args:
      options: b1, b2, eps and moment_dtype; without `bias_correction` the moments are taken as
        they are (the AdamW of BERT's release): the first steps are about
        (1 - b1) / sqrt(1 - b2) times as long, which a warm-up makes up for.
    """
    b1, b2, eps, dtype = options.b1, options.b2, options.eps, options.moment_dtype
    adam = optax.scale_by_adam(b1, b2, eps, mu_dtype=dtype)
    if options.bias_correction:
        return adam

    def update(
        updates: Arrays, state: optax.ScaleByAdamState, params: object = None
    ) -> tuple[Arrays, optax.ScaleByAdamState]:
        first = optax.tree.update_moment(updates, state.mu, b1, 1)
        second = optax.tree.update_moment_per_elem_norm(updates, state.nu, b2, 2)
        steps = {path: m / (jnp.sqrt(second[path]) + eps) for path, m in first.items()}
        moments = optax.tree.cast(first, jnp.dtype(dtype)), second
        return steps, optax.ScaleByAdamState(optax.safe_increment(state.count), *moments)

    return optax.GradientTransformation(adam.init, update)
