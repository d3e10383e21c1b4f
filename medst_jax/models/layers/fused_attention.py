# SPDX-License-Identifier: Apache-2.0
"""Attention by cuDNN, which keeps no matrix of scores in memory, and where it can be had."""

from typing import Literal

import jax
import jax.numpy as jnp

from medst_jax.array_types import Array
from medst_jax.parallel.placement import current_placement

_DTYPES = ("bfloat16", "float16")
_LARGEST_HEAD = 128  # from Hopper on 256; cuDNN's developer guide, "Scaled Dot Product Attention"
_OLDEST = (8, 0)  # compute capability, Ampere


def obstacle(
    query: jax.Array | jax.ShapeDtypeStruct, rate: float = 0.0, *, platform: str = ""
) -> str:
    """Why cuDNN's kernel cannot compute an attention; empty where it can.

    Args:
      query: [B, L, H, d], or its shape and dtype.
      rate: of dropout of the weights, 0 where none is applied. The kernel draws by positions in the
        batch: an example's draws would depend on the layout.
      platform: where it will run; by default that of the step being traced, else JAX's own.
    """
    platform = platform or current_placement().platform or jax.default_backend()
    size = query.shape[-1]
    if platform not in ("gpu", "cuda"):
        return f"it runs on NVIDIA GPUs, not on {platform}"
    if str(query.dtype) not in _DTYPES:
        return f"it takes {' or '.join(_DTYPES)}, not {query.dtype}"
    if size > _LARGEST_HEAD or size % 8:
        return f"it takes heads of a multiple of 8 up to {_LARGEST_HEAD}, not of {size}"
    if rate:
        return f"its dropout (here {rate:g}) does not draw for each example alone"
    if jax.default_backend() == "gpu" and _capability() < _OLDEST:
        return f"it needs compute capability {_OLDEST[0]}.{_OLDEST[1]}, an A100 or newer"
    return ""


def _capability() -> tuple[int, ...]:
    capability = getattr(jax.local_devices()[0], "compute_capability", "0")
    return tuple(int(part) for part in str(capability).split(".") if part.isdigit())


def choose(
    implementation: str, query: jax.Array | jax.ShapeDtypeStruct, rate: float
) -> Literal["einsum", "cudnn"]:
    """What an attention is computed by, where `attention.Implementation` says how to choose.

    Raises:
      ValueError: cuDNN was asked for by name where it cannot; says why.
    """
    if implementation == "einsum":
        return "einsum"
    reason = obstacle(query, rate)
    if implementation == "cudnn" and reason:
        raise ValueError(
            f"attention is 'cudnn', but {reason}; take 'auto', which computes by einsum there"
        )
    return "einsum" if reason else "cudnn"


def fused_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    backend: Literal["cudnn", "xla"] = "cudnn",
) -> jax.Array:
    """Scaled dot-product attention through `jax.nn.dot_product_attention`.

    Args:
      query: [B, L, H, d], bfloat16 or float16.
      key: [B, M, H, d].
      value: [B, M, H, d].
      mask: bool [B, M] or [B, L, M], true where a token may be attended to; None for all. A query
        that may attend to nothing attends to everything alike.
      causal: a token attends to itself and those before it; L and M are equal.
      backend: "xla" computes the same call by JAX's own reference, on every device.

    Returns:
      [B, L, H, d].
    """
    if mask is None:
        return jax.nn.dot_product_attention(
            query, key, value, is_causal=causal, implementation=backend
        )
    batch, length, others = query.shape[0], query.shape[1], key.shape[1]
    allowed = mask[:, None, :] if mask.ndim == 2 else mask
    # As the whole matrix: what the library would have to broadcast is refused, or taken for a bias
    # of another shape (jax issue 28974).
    allowed = jnp.broadcast_to(allowed, (batch, length, others))
    if causal:
        allowed = allowed & jnp.tri(length, others, dtype=bool)
    # Its gradient under a mask wants even numbers of queries and keys.
    query, key, value = (_even(x) for x in (query, key, value))
    allowed = jnp.pad(allowed, [(0, 0), (0, length % 2), (0, others % 2)])
    mixed = jax.nn.dot_product_attention(
        query, key, value, mask=allowed[:, None], implementation=backend
    )
    return mixed[:, :length]


def _even(x: jax.Array) -> jax.Array:
    return jnp.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, 0), (0, 0)])
