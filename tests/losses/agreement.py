# SPDX-License-Identifier: Apache-2.0
"""How a loss is held against a numpy reading of it: values and gradients in both precisions."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.losses.reference import numeric_gradient


def assert_agrees(
    loss: Callable[..., Any], reference: Callable[..., float], arguments: Sequence[Any]
) -> None:
    """`loss(*arguments)` equals `reference(*arguments)`, and so does every gradient.

    In float64 to 1e-9 (gradients to what central differences give), in float32 to 1e-5.
    """
    every = tuple(range(len(arguments)))
    expected = reference(*arguments)
    gradients = [numeric_gradient(reference, list(arguments), index) for index in every]
    for dtype, tolerance, gradient_tolerance in (
        (np.float64, 1e-9, 2e-8),
        (np.float32, 1e-5, 1e-5),
    ):
        with jax.enable_x64(dtype == np.float64):
            given = [jnp.asarray(a, dtype) for a in arguments]
            value, found = jax.jit(jax.value_and_grad(loss, argnums=every))(*given)
            assert value.dtype == dtype and value.shape == ()
            np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance / 10)
            for index, (gradient, wanted) in enumerate(zip(found, gradients, strict=True)):
                size = max(1.0, float(np.max(np.abs(wanted))))
                np.testing.assert_allclose(
                    gradient, wanted, atol=gradient_tolerance * size, err_msg=f"argument {index}"
                )


def assert_silent(loss: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """`loss(*arguments)`, of which nothing is valid, is 0 with zero gradients."""
    every = tuple(range(len(arguments)))
    value, gradients = jax.jit(jax.value_and_grad(loss, argnums=every))(
        *map(jnp.asarray, arguments)
    )
    assert value == 0
    for index, gradient in enumerate(gradients):
        assert not np.any(gradient) and np.all(np.isfinite(gradient)), f"argument {index}"


def assert_bfloat16_is_computed_in_float32(
    loss: Callable[..., jax.Array], arguments: Sequence[Any]
) -> None:
    """bfloat16 arguments give what their values in float32 give, as float32."""
    low = [jnp.asarray(a, jnp.bfloat16) for a in arguments]
    both = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(low)))))
    value, gradients = both(*low)
    assert value.dtype == jnp.float32
    expected, _ = both(*(a.astype(jnp.float32) for a in low))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert all(g.dtype == jnp.bfloat16 and np.all(np.isfinite(g)) for g in gradients)
