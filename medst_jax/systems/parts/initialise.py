# SPDX-License-Identifier: Apache-2.0
"""Initialising a module as one compiled program, compiled for speed of compiling."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

M = TypeVar("M", bound=nnx.Module)


def compiler_options() -> dict[str, int] | None:
    """Options for a program that runs once: on CPUs, LLVM's optimiser costs more than it saves."""
    return {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None


def initialise(make: Callable[[], M]) -> M:
    """`make()`, its random draws in one program; under an outer trace they join that program."""
    if isinstance(jnp.zeros(()), jax.core.Tracer):
        return make()
    graphdef = nnx.split(nnx.eval_shape(make))[0]
    arrays = jax.jit(lambda: nnx.split(make())[1], compiler_options=compiler_options())()
    return nnx.merge(graphdef, arrays)
