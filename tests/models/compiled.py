# SPDX-License-Identifier: Apache-2.0
"""Modules built and run by one compiled call each; eager, every operation compiles by itself."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


def build(make: Callable[[], nnx.Module]) -> Any:
    """The module that `make()` gives."""
    graphdef = nnx.graphdef(nnx.eval_shape(make))
    return nnx.merge(graphdef, jax.jit(lambda: nnx.state(make()))())


def run(module: nnx.Module, *args: Any, **kwargs: Any) -> Any:
    """`module(*args, **kwargs)` without its effects; keyword arguments are static but keys."""
    graphdef, state = nnx.split(module)
    keys = kwargs.pop("keys", None)

    def call(state, keys, *args):
        extra = {} if keys is None else {"keys": keys}
        return nnx.merge(graphdef, state)(*args, **extra, **kwargs)

    return jax.jit(call)(state, keys, *args)
