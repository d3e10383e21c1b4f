# SPDX-License-Identifier: Apache-2.0
"""Dropout whose masks depend on the example and the layer, never on the place in the batch."""

import jax
import jax.numpy as jnp


def fold_keys(keys: jax.Array | None, data: int | jax.Array) -> jax.Array | None:
    """Derive one key per example from `keys` [B] and `data`, a layer index or a site number."""
    if keys is None:
        return None
    return jax.vmap(jax.random.fold_in, (0, None))(keys, data)


def dropout(x: jax.Array, rate: float, keys: jax.Array | None, site: int) -> jax.Array:
    """Zero each element with probability `rate` and rescale the rest (inverted dropout).

    Args:
      x: [B, ...].
      rate: in [0, 1).
      keys: [B] typed PRNG keys, one per example; None switches dropout off.
      site: number that sets apart the dropouts which share `keys`.

    Returns:
      [B, ...], in the dtype of `x`.
    """
    keys = fold_keys(keys, site)
    if keys is None or rate == 0.0:
        return x
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - rate, x.shape[1:]))(keys)
    return jnp.where(keep, x / (1.0 - rate), jnp.zeros_like(x))


def drop_path(x: jax.Array, rate: float, keys: jax.Array | None, site: int) -> jax.Array:
    """Zero whole examples of a residual branch with probability `rate` and rescale the rest.

    Args:
      x: [B, ...].
      rate: in [0, 1).
      keys: as for `dropout`.
      site: as for `dropout`.

    Source: Huang et al. 2016 (arXiv:1603.09382).
    """
    keys = fold_keys(keys, site)
    if keys is None or rate == 0.0:
        return x
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - rate))(keys)
    keep = keep.reshape(-1, *(1,) * (x.ndim - 1))
    return jnp.where(keep, x / (1.0 - rate), jnp.zeros_like(x))
