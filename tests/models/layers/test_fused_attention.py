# SPDX-License-Identifier: Apache-2.0
"""Fused attention beside the textbook formula, and when it is taken.

The call that cuDNN gets is computed here by JAX's own reference; that the kernel itself is called
is seen where the compiler for GPUs is installed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.models.layers.attention import attend
from medst_jax.models.layers.fused_attention import choose, fused_attention, obstacle
from medst_jax.parallel.placement import UNPLACED, use_placement

HEADS, SIZE = 2, 8


def inputs(batch: int, length: int, others: int, dtype: str = "float32") -> list[jax.Array]:
    rng = np.random.default_rng(length)
    return [
        jnp.asarray(rng.normal(size=(batch, n, HEADS, SIZE)), dtype)
        for n in (length, others, others)
    ]


def masks(batch: int, length: int, others: int) -> dict[str, np.ndarray | None]:
    rng = np.random.default_rng(3)
    lengths = np.array([others, 1, others // 2])[:batch]
    each = rng.random((batch, length, others)) < 0.6
    each[..., 0] = True
    return {
        "none": None,
        "lengths": np.arange(others) < lengths[:, None],
        "holes": np.arange(others) % 2 == np.zeros((batch, 1)),
        "pairs": each,
    }


def formula(query, key, value, mask, causal: bool) -> np.ndarray:
    """Float64, one example, head and query at a time."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    result = np.zeros(query.shape)
    for b, place, h in np.ndindex(*query.shape[:3]):
        allowed = np.ones(key.shape[1], bool)
        if mask is not None:
            allowed &= mask[b] if mask.ndim == 2 else mask[b, place]
        if causal:
            allowed &= np.arange(key.shape[1]) <= place
        scores = key[b, :, h] @ query[b, place, h] / np.sqrt(query.shape[-1])
        powers = np.where(allowed, np.exp(scores - scores[allowed].max()), 0)
        result[b, place, h] = powers @ value[b, :, h] / powers.sum()
    return result


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", ["none", "lengths", "holes", "pairs"])
@pytest.mark.parametrize("batch,length", [(3, 6), (3, 7), (1, 5)])
def test_both_are_the_formula(batch: int, length: int, kind: str, causal: bool) -> None:
    given, mask = inputs(batch, length, length), masks(batch, length, length)[kind]
    expected = formula(*given, mask, causal)
    as_array = None if mask is None else jnp.asarray(mask)
    plain = attend(*given, as_array, causal=causal, implementation="einsum")
    fused = fused_attention(*given, as_array, causal=causal, backend="xla")
    np.testing.assert_allclose(plain, expected, atol=2e-6, rtol=2e-6)
    np.testing.assert_allclose(fused, expected, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("kind", ["none", "lengths", "pairs"])
@pytest.mark.parametrize("length,others", [(7, 7), (1, 5)])
@pytest.mark.parametrize("dtype,bound", [("float32", 1e-6), ("bfloat16", 2e-2)])
def test_gradients_are_equal(length, others, kind, dtype, bound) -> None:
    given, mask = inputs(3, length, others), masks(3, length, others)[kind]
    as_array = None if mask is None else jnp.asarray(mask)
    weights = jnp.asarray(np.random.default_rng(4).normal(size=given[0].shape), jnp.float32)

    def gradient(function, *arrays, **options):
        def total(*arrays):
            return jnp.sum(function(*arrays, as_array, **options).astype(jnp.float32) * weights)

        return jax.grad(total, argnums=(0, 1, 2))(*arrays)

    wanted = gradient(attend, *given, implementation="einsum")
    narrow = [x.astype(dtype) for x in given]
    found = gradient(fused_attention, *narrow, backend="xla")
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == dtype
        scale = np.linalg.norm(other) or 1.0
        error = np.linalg.norm(np.asarray(one, np.float32) - np.asarray(other))
        assert error <= bound * scale


def test_a_query_without_anything_to_attend_to_attends_to_all_alike() -> None:
    query, key, value = inputs(2, 4, 4, "bfloat16")
    mask = jnp.asarray([[False] * 4, [True] * 4])
    alike = np.asarray(value, np.float64)[0].mean(0)
    plain = np.asarray(attend(query, key, value, mask), np.float64)
    fused = np.asarray(fused_attention(query, key, value, mask, backend="xla"), np.float64)
    for found in (plain, fused):
        np.testing.assert_allclose(found[0], np.broadcast_to(alike, found[0].shape), atol=1e-2)


def test_where_cudnn_is_taken() -> None:
    def shape(size: int = 64, dtype: str = "bfloat16") -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((2, 196, 12, size), dtype)

    assert obstacle(shape(), platform="gpu") == ""
    for query, rate, platform, word in (
        (shape(), 0.0, "cpu", "cpu"),
        (shape(), 0.0, "tpu", "tpu"),
        (shape(dtype="float32"), 0.0, "gpu", "float32"),
        (shape(160), 0.0, "gpu", "160"),
        (shape(12), 0.0, "gpu", "12"),
        (shape(), 0.1, "gpu", "dropout"),
    ):
        assert word in obstacle(query, rate, platform=platform)


def test_the_platform_of_the_step_decides() -> None:
    """A step for described GPUs is traced on a host that has none."""
    query = jax.ShapeDtypeStruct((2, 4, HEADS, SIZE), jnp.bfloat16)
    assert choose("auto", query, 0.0) == "einsum"
    on_gpus = type(UNPLACED)(
        UNPLACED.constrain, UNPLACED.gather, UNPLACED.batch_shards, platform="gpu"
    )
    with use_placement(on_gpus):
        assert choose("auto", query, 0.0) == choose("cudnn", query, 0.0) == "cudnn"
        assert choose("auto", query, 0.1) == choose("einsum", query, 0.0) == "einsum"


def test_cudnn_by_name_is_refused_where_it_cannot_run() -> None:
    with pytest.raises(ValueError, match="runs on NVIDIA GPUs, not on cpu; take 'auto'"):
        attend(*inputs(2, 4, 4, "bfloat16"), implementation="cudnn")
