# SPDX-License-Identifier: Apache-2.0
"""Heads of joint embedding systems: projection, class prototypes, temperature."""

import math

import jax
import jax.numpy as jnp
from flax import nnx


def unit_norm(x: jax.Array) -> jax.Array:
    """Divide rows [..., E] by their Euclidean norm, in float32; a zero row stays zero.

    >>> unit_norm(jnp.array([3.0, 4.0])).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), 1e-24))


def lengths(x: jax.Array) -> jax.Array:
    """Euclidean length of rows [..., E], float32 [...].

    >>> lengths(jnp.array([3.0, 4.0])).item()
    5.0
    """
    return jnp.sqrt(jnp.square(x.astype(jnp.float32)).sum(-1))


class Projection(nnx.Module):
    """Linear map without bias to the unit sphere of the joint space."""

    def __init__(self, features: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs) -> None:
        """`features` D in, `size` E out; initialised as torch.nn.Linear."""
        self.linear = nnx.Linear(
            features,
            size,
            use_bias=False,
            dtype=dtype,
            kernel_init=nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
            kernel_metadata={"axes": ("embed", "joint")},
            rngs=rngs,
        )

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> float32 [..., E] of unit norm."""
        del train  # accepted for the interface shared with BatchNormHead
        return unit_norm(self.linear(x))


class Prototypes(nnx.Module):
    """One learned direction per label, of unit norm at every use (Kaiming-normal init)."""

    def __init__(self, labels: int, size: int, *, rngs: nnx.Rngs) -> None:
        """`labels` C, `size` E."""
        init = nnx.initializers.variance_scaling(2.0, "fan_in", "normal", in_axis=1, out_axis=0)
        self.kernel = nnx.Param(
            init(rngs.params(), (labels, size), jnp.float32), axes=("labels", "joint")
        )

    def __call__(self) -> jax.Array:
        """float32 [C, E] of unit norm."""
        return unit_norm(self.kernel[...])


class Temperature(nnx.Module):
    """A learned logit scale exp(s), s clamped in value to [0, log highest].

    The gradient passes as if unclamped, and the stored value is clamped after each update (the
    released codes clamp the data in place), so that a scale at its bound comes back at once.
    """

    def __init__(self, initial: float = 1 / 0.07, *, highest: float = 100.0) -> None:
        """`initial` is the scale itself, in [1, highest]; infinite `highest` clamps nothing."""
        self.log_scale = nnx.Param(jnp.log(jnp.float32(initial)), axes=())
        self.highest = highest

    def __call__(self) -> jax.Array:
        """The scale, float32 scalar."""
        raw = self.log_scale[...]
        # Stored values of files and of earlier runs may lie outside.
        return jnp.exp(raw + jax.lax.stop_gradient(self._clamped() - raw))

    def constrain_parameters(self) -> None:
        """Clamp the stored value."""
        self.log_scale[...] = self._clamped()

    def _clamped(self) -> jax.Array:
        raw = self.log_scale[...]
        return raw if math.isinf(self.highest) else jnp.clip(raw, 0.0, math.log(self.highest))
