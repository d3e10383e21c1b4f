# SPDX-License-Identifier: Apache-2.0
"""A stack of pre-norm layers over flat rows with `row_kernels`, forward and backward as one function.

Activations are rows [B * L, D] from the first layer to the last, so that products, norms and kernels
agree on where values lie, and a slice of the batch is a range of rows. Every layer's input is written into one buffer
[depth + 1, slices, rows, D] and read from there by the backward pass, which computes the rest of a layer anew;
gradients of the parameters add up over slices in float32. Written as one `custom_vjp` none of this
is copied, which a scan of rematerialised layers does. Same value and gradient as `stack.scan_layers`.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import PartitionSpec as P

from medst_jax.array_types import Array
from medst_jax.models.layers import row_kernels
from medst_jax.models.layers.stack import gathered, summed_once
from medst_jax.parallel.mesh import BATCH_AXES
from medst_jax.parallel.placement import current_placement


def obstacle(layers: Any, x: jax.Array, slices: int, shards: int) -> str:
    """Why the layers cannot be run by `run_rows`; empty where they can.

    Args:
      layers: what `stack_layers` made of pre-norm layers; without dropout, rotary positions or causal masks.
      x: [B, L, D].
      slices: into how many parts each device cuts its rows.
      shards: into how many parts the batch is cut.
    """
    batch, length, _ = x.shape
    heads, size = layers.attn.out.kernel[...].shape[1:3]
    mesh = jax.sharding.get_abstract_mesh()
    if size != row_kernels.HEAD or heads % 2:
        return f"heads are an even number of {row_kernels.HEAD}, not {heads} of {size}"
    if length % 4:  # other lengths were not compiled
        return f"a length of a multiple of 4 is needed, not {length}"
    if (
        layers.attn.qkv.bias is None
        or hasattr(layers, "scale1")
        or layers.mlp.fc1.kernel[...].ndim != 3
    ):
        return "layers have biases, and neither layer scale nor a gate"
    if not mesh.empty and mesh.shape.get("tensor", 1) > 1:
        return "layers are not cut over `tensor`"
    together = row_kernels.examples_per_program(length) * shards * slices
    if batch % together:
        return f"the batch is a multiple of {together}, not {batch}"
    return ""


@dataclasses.dataclass(frozen=True)
class _Sizes:
    """What a layer's functions need besides arrays."""

    length: int
    activation: Callable[[jax.Array], jax.Array]
    epsilon: float
    interpret: bool


def run_rows(
    layers: Any,
    x: jax.Array,
    mask: Array | None,
    *,
    slices: int,
    interpret: bool = False,
) -> jax.Array:
    """Run a stack, `obstacle` being empty.

    Args:
      layers: what `stack_layers` made.
      x: [B, L, D], in the dtype in which the layers compute.
      mask: bool [B, L], true where a token may be attended to; None for all.
      slices: into how many parts each device cuts its rows; one goes through a layer after the other.
      interpret: run the kernels on any device, for tests.

    Returns:
      [B, L, D].
    """
    placement = current_placement()
    shards = placement.batch_shards()
    batch, length, width = x.shape
    graphdef, parameters = nnx.split(layers)
    sizes = _Sizes(length, layers.mlp.activation, layers.norm1.epsilon, interpret)
    own = batch * length // (shards * slices)

    def cut(values: jax.Array) -> jax.Array:
        """[B * L, w] to [slices, shards * rows, w]: a slice is a part of every device's rows."""
        parts = values.reshape(shards, slices, own, values.shape[-1])
        parts = _pin(_pin(parts, 0).swapaxes(0, 1), 1)
        return _pin(parts.reshape(slices, shards * own, values.shape[-1]), 1)

    rows = cut(x.reshape(batch * length, width))
    allowed = None
    if mask is not None:
        allowed = cut(jnp.asarray(mask, jnp.float32).reshape(batch * length, 1))
    done = _stack(functools.partial(_prepared, graphdef), sizes)(parameters, rows, allowed)
    parts = done.reshape(slices, shards, own, width).swapaxes(0, 1)
    return placement.constrain(parts.reshape(batch, length, width), ("batch", None, None))


def _pin(x: jax.Array, where: int) -> jax.Array:
    names: list[str | None] = [None] * x.ndim
    names[where] = "batch"
    return current_placement().constrain(x, names)


def _prepared(graphdef: Any, one: Any) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """One layer's matrices in the kernels' order, and its vectors in float32."""
    layer = nnx.merge(graphdef, gathered(summed_once(one)), copy=True)
    attention, mlp = layer.attn, layer.mlp
    width = layer.norm1.scale[...].shape[0]
    out, bias = attention.out.kernel[...], attention.qkv.bias[...]
    matrices = (
        row_kernels.ordered(attention.qkv.kernel[...]),
        out.reshape(-1, width),
        mlp.fc1.kernel[...],
        mlp.fc2.kernel[...],
    )
    # As in plain attention: that of the keys counts nothing, that of the values comes through.
    through = jnp.einsum("hk,hkd->d", bias[2], out)
    vectors = (
        layer.norm1.scale[...],
        layer.norm1.bias[...],
        bias[0].reshape(1, -1),
        attention.out.bias[...] + through,
        layer.norm2.scale[...],
        layer.norm2.bias[...],
        mlp.fc1.bias[...],
        mlp.fc2.bias[...],
    )
    return matrices, tuple(vector.astype(jnp.float32) for vector in vectors)


def _stack(prepared: Callable[[Any], Any], sizes: _Sizes) -> Callable[..., jax.Array]:
    """The function of (parameters, rows [slices, n, D], mask [slices, n, 1] or None) to rows."""

    @jax.custom_vjp
    def stack(parameters: Any, rows: jax.Array, mask: jax.Array | None) -> jax.Array:
        return forward(parameters, rows, mask)[0]

    def forward(parameters: Any, rows: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, Any]:
        depth, slices = _depth(parameters), len(rows)
        inputs = _pin(jax.lax.empty((depth + 1, *rows.shape), rows.dtype), 2)
        inputs = _pin(jax.lax.dynamic_update_index_in_dim(inputs, rows, 0, 0), 2)
        # Mean and 1 / deviation of the first norm, which the backward pass would read the input for.
        moments = _pin(jax.lax.empty((depth, slices, 2, rows.shape[1]), jnp.float32), 3)

        def layer(carry: Any, of_layer: Any) -> tuple[Any, None]:
            index, one = of_layer
            matrices, vectors = prepared(one)
            matrices = tuple(matrix.astype(rows.dtype) for matrix in matrices)

            def part(number: jax.Array, carry: Any) -> Any:
                inputs, moments = carry
                x = _pin(_at(inputs, index, number), 0)
                y, moment = _layer(matrices, vectors, x, _at(mask, number), sizes)
                moments = _pin(_put(moments, moment, index, number), 3)
                return _pin(_put(inputs, _pin(y, 0), index + 1, number), 2), moments

            return jax.lax.fori_loop(0, slices, part, carry), None

        (inputs, moments), _ = jax.lax.scan(
            layer, (inputs, moments), (jnp.arange(depth), parameters)
        )
        return _pin(inputs[depth], 1), (parameters, inputs, moments, mask)

    def backward(residuals: Any, gradient: jax.Array) -> Any:
        parameters, inputs, moments, mask = residuals
        slices = len(gradient)

        def layer(gradient: jax.Array, of_layer: Any) -> tuple[jax.Array, Any]:
            index, one = of_layer
            (wide, vectors), by_parameters = jax.vjp(prepared, one)
            matrices = tuple(matrix.astype(gradient.dtype) for matrix in wide)

            def part(number: jax.Array, carry: Any) -> Any:
                gradient, sums = carry
                x = _pin(_at(inputs, index, number), 0)
                of_parameters, by_x = _layer_gradient(
                    matrices,
                    vectors,
                    x,
                    _at(mask, number),
                    _at(moments, index, number),
                    _pin(_at(gradient, number), 0),
                    sizes,
                )
                sums = jax.tree.map(
                    lambda total, new: total + new.astype(jnp.float32), sums, of_parameters
                )
                return _pin(_put(gradient, _pin(by_x, 0), number), 1), sums

            zeros = jax.tree.map(lambda v: jnp.zeros(v.shape, jnp.float32), (wide, vectors))
            gradient, sums = jax.lax.fori_loop(0, slices, part, (gradient, zeros))
            cast = jax.tree.map(lambda total, v: total.astype(v.dtype), sums, (wide, vectors))
            return gradient, by_parameters(cast)[0]

        gradient, by_parameters = jax.lax.scan(
            layer, _pin(gradient, 1), (jnp.arange(_depth(parameters)), parameters), reverse=True
        )
        return by_parameters, gradient, None if mask is None else jnp.zeros_like(mask)

    stack.defvjp(forward, backward)
    return stack


def _depth(parameters: Any) -> int:
    return int(jax.tree.leaves(parameters)[0].shape[0])


def _at(values: Any, *places: Any) -> Any:
    """values[places] by one slice, None of None."""
    if values is None:
        return None
    rest = values.shape[len(places) :]
    start = (*places, *(0,) * len(rest))
    return jax.lax.dynamic_slice(values, start, (*(1,) * len(places), *rest)).reshape(rest)


def _put(values: jax.Array, new: jax.Array, *places: Any) -> jax.Array:
    """`values` with `new` at the places, written in place where the loop's own buffer is meant."""
    start = (*places, *(0,) * new.ndim)
    return jax.lax.dynamic_update_slice(values, new[(None,) * len(places)], start)


def _moments(x: jax.Array, epsilon: float) -> jax.Array:
    """Mean and 1 / deviation of each row, float32 [2, n]; in one pass where `x` is bfloat16."""
    wide = x.astype(jnp.float32)
    mean = jnp.mean(wide, axis=-1)
    if x.dtype == jnp.float32:
        variance = jnp.mean(jnp.square(wide - mean[:, None]), axis=-1)
    else:
        variance = jnp.maximum(jnp.mean(wide * wide, axis=-1) - mean * mean, 0.0)
    return jnp.stack([mean, jax.lax.rsqrt(variance + epsilon)])


def _normed(x: jax.Array, moments: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    hat = (x.astype(jnp.float32) - moments[0][:, None]) * moments[1][:, None]
    return (hat * scale + bias).astype(x.dtype)


def _normed_gradient(
    x: jax.Array, moments: jax.Array, scale: jax.Array, gradient: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """By x, scale and bias (Ba et al. 2016, arXiv:1607.06450)."""
    hat = (x.astype(jnp.float32) - moments[0][:, None]) * moments[1][:, None]
    gradient = gradient.astype(jnp.float32)
    scaled = gradient * scale
    means = [jnp.mean(each, axis=-1, keepdims=True) for each in (scaled, scaled * hat)]
    by_x = moments[1][:, None] * (scaled - means[0] - hat * means[1])
    return by_x.astype(x.dtype), jnp.sum(gradient * hat, axis=0), jnp.sum(gradient, axis=0)


def _attended(qkv: jax.Array, bias: jax.Array, mask: jax.Array | None, sizes: _Sizes) -> Any:
    """`row_kernels.forward` on every device's own rows."""

    def call(qkv: jax.Array, bias: jax.Array, mask: jax.Array | None) -> Any:
        return row_kernels.forward(qkv, bias, mask, length=sizes.length, interpret=sizes.interpret)

    return _on_own_rows(call, (_ROWS, P(), _ROWS), (_ROWS, _SUMS))(qkv, bias, mask)


def _attended_gradient(
    qkv: jax.Array,
    bias: jax.Array,
    mask: jax.Array | None,
    sums: jax.Array,
    gradient: jax.Array,
    sizes: _Sizes,
) -> tuple[jax.Array, jax.Array]:
    """`row_kernels.backward` likewise; that of the bias is summed over devices."""

    def call(*arrays: Any) -> tuple[jax.Array, jax.Array]:
        return row_kernels.backward(*arrays, length=sizes.length, interpret=sizes.interpret)

    specs = (_ROWS, P(), _ROWS, _SUMS, _ROWS)
    by_qkv, by_bias = _on_own_rows(call, specs, (_ROWS, _ROWS))(qkv, bias, mask, sums, gradient)
    return by_qkv, jnp.sum(by_bias, axis=0, keepdims=True)


_ROWS, _SUMS = P(BATCH_AXES, None), P(None, BATCH_AXES, None)


def _on_own_rows(function: Callable[..., Any], given: Any, made: Any) -> Callable[..., Any]:
    if jax.sharding.get_abstract_mesh().empty:
        return function
    return jax.shard_map(function, in_specs=given, out_specs=made, check_vma=False)


def _middle(x: jax.Array, mixed: jax.Array, out: jax.Array, bias: jax.Array) -> jax.Array:
    return x + (mixed @ out + bias.astype(x.dtype))


def _hidden(
    middle: jax.Array,
    scale: jax.Array,
    shift: jax.Array,
    matrix: jax.Array,
    bias: jax.Array,
    sizes: _Sizes,
) -> jax.Array:
    normed = _normed(middle, _moments(middle, sizes.epsilon), scale, shift)
    return normed @ matrix + bias.astype(middle.dtype)


def _layer(
    matrices: Any, vectors: Any, x: jax.Array, mask: jax.Array | None, sizes: _Sizes
) -> tuple[jax.Array, jax.Array]:
    """One layer of rows [n, D], and the moments of its input."""
    qkv_matrix, out, fc1, fc2 = matrices
    scale1, shift1, query_bias, out_bias, scale2, shift2, bias1, bias2 = vectors
    moments = _moments(x, sizes.epsilon)
    qkv = _normed(x, moments, scale1, shift1) @ qkv_matrix
    mixed, _ = _attended(qkv, query_bias, mask, sizes)
    middle = _middle(x, mixed, out, out_bias)
    hidden = _hidden(middle, scale2, shift2, fc1, bias1, sizes)
    return middle + (sizes.activation(hidden) @ fc2 + bias2.astype(x.dtype)), moments


def _layer_gradient(
    matrices: Any,
    vectors: Any,
    x: jax.Array,
    mask: jax.Array | None,
    moments: jax.Array,
    gradient: jax.Array,
    sizes: _Sizes,
) -> tuple[Any, jax.Array]:
    """By (matrices, vectors) and by x; everything but the input's moments is computed anew."""
    qkv_matrix, out, fc1, fc2 = matrices
    scale1, shift1, query_bias, out_bias, scale2, shift2, bias1, _ = vectors
    normed = _normed(x, moments, scale1, shift1)
    qkv = normed @ qkv_matrix
    mixed, sums = _attended(qkv, query_bias, mask, sizes)
    middle = _middle(x, mixed, out, out_bias)
    hidden = _hidden(middle, scale2, shift2, fc1, bias1, sizes)

    mapped, by_mapped = jax.vjp(lambda h, matrix: sizes.activation(h) @ matrix, hidden, fc2)
    by_hidden, by_fc2 = by_mapped(gradient.astype(mapped.dtype))
    # A product with ones, which needs no other layout of the gradient than the products beside it.
    ones = jnp.ones((8, len(gradient)), gradient.dtype)
    by_bias2 = jnp.dot(ones, gradient, preferred_element_type=jnp.float32)[0]
    by_middle, by_scale2, by_shift2, by_fc1, by_bias1 = jax.vjp(
        functools.partial(_hidden, sizes=sizes), middle, scale2, shift2, fc1, bias1
    )[1](by_hidden)
    by_middle = gradient + by_middle
    _, by_mixed, by_out, by_out_bias = jax.vjp(_middle, x, mixed, out, out_bias)[1](by_middle)
    by_qkv, by_query_bias = _attended_gradient(qkv, query_bias, mask, sums, by_mixed, sizes)
    by_qkv_matrix = normed.T @ by_qkv
    by_x, by_scale1, by_shift1 = _normed_gradient(x, moments, scale1, by_qkv @ qkv_matrix.T)
    by_matrices = by_qkv_matrix, by_out, by_fc1, by_fc2
    by_vectors = (by_scale1, by_shift1, by_query_bias, by_out_bias, by_scale2, by_shift2)
    return (by_matrices, (*by_vectors, by_bias1, by_bias2)), by_middle + by_x
