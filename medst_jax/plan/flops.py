# SPDX-License-Identifier: Apache-2.0
"""FLOPs of a traced function: matrix products and convolutions, counted from their shapes.

Not XLA's cost analysis, which counts the body of a scanned stack once.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters.partial_eval import dce_jaxpr


def forward_flops(function: Callable[..., Any], *arguments: Any) -> int:
    """FLOPs of one call, multiplications and additions counted apart; unused results are free.

    Args:
      function: anything that JAX can trace.
      *arguments: arrays or `ShapeDtypeStruct`s.
    """
    traced = jax.make_jaxpr(function)(*arguments).jaxpr
    used, _ = dce_jaxpr(traced, [True] * len(traced.outvars))
    return _jaxpr_flops(used)


def _jaxpr_flops(jaxpr: Jaxpr) -> int:
    return sum(_equation_flops(equation) for equation in jaxpr.eqns)


def _equation_flops(equation: Any) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        depth = math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
        return 2 * depth * math.prod(equation.outvars[0].aval.shape)
    if name == "conv_general_dilated":
        kernel, numbers = equation.invars[1].aval.shape, params["dimension_numbers"]
        outputs = kernel[numbers.rhs_spec[0]]
        return 2 * math.prod(kernel) // outputs * math.prod(equation.outvars[0].aval.shape)
    times = params["length"] if name == "scan" else 1
    # The body of a shard_map sees one shard: it runs on every device of the axes that it maps.
    if name == "shard_map":
        times = math.prod(params["mesh"].shape[axis] for axis in params["newly_manual_axes"])
    inner = [_jaxpr_flops(jaxpr) for value in params.values() for jaxpr in _jaxprs(value)]
    # One branch of a conditional runs: the dearest is counted.
    return times * (max(inner, default=0) if name == "cond" else sum(inner))


def _jaxprs(value: Any) -> list[Jaxpr]:
    if isinstance(value, ClosedJaxpr):
        return [value.jaxpr]
    if isinstance(value, Jaxpr):
        return [value]
    if isinstance(value, (tuple, list)):
        return [jaxpr for item in value for jaxpr in _jaxprs(item)]
    return []
