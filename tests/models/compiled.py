# SPDX-License-Identifier: Apache-2.0
"""Modules filled by numpy and run by one compiled call: initialisers cost seconds to compile."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def build(make: Callable[[], nnx.Module], seed: int = 0) -> Any:
    """The module that `make()` describes, with drawn kernels and almost neutral norms."""
    graphdef, state = nnx.split(nnx.eval_shape(make))
    rng = np.random.default_rng(seed)
    for path, variable in nnx.to_flat_state(state):
        shape = variable.shape
        drawn = rng.normal(size=shape)
        if path[-1] in ("scale", "var"):
            value = 1.0 + 0.1 * np.abs(drawn)
        elif path[-1] in ("bias", "mean"):
            value = 0.1 * drawn
        else:
            value = drawn / np.sqrt(max(1, np.prod(shape[:-1])))
        variable.set_value(jnp.asarray(value, jnp.float32))
    return nnx.merge(graphdef, state)


def run(module: nnx.Module, *args: Any, **extra: jax.Array) -> Any:
    """`module(*args, **extra)` in evaluation mode, with dropout where `keys` are given."""
    graphdef, state = nnx.split(module)
    call = jax.jit(lambda state, args, extra: nnx.merge(graphdef, state)(*args, **extra))
    return call(state, args, extra)
