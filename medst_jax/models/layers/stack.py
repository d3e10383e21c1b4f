# SPDX-License-Identifier: Apache-2.0
"""A stack of identical layers: one module with stacked parameters, run by `jax.lax.scan`."""

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.parallel.placement import by_example, current_placement

Layer = TypeVar("Layer", bound=nnx.Module)
Remat = Literal["none", "full", "dots"]

_POLICIES = {
    "full": jax.checkpoint_policies.nothing_saveable,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
}


def stack_layers(make: Callable[[nnx.Rngs], Layer], depth: int, rngs: nnx.Rngs) -> Layer:
    """Build `depth` layers as one, with a leading dimension of logical name "layers"."""
    keys = jax.random.split(rngs.params(), depth)
    layers = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    for _, node in nnx.iter_graph(layers):
        if isinstance(node, nnx.Variable):
            node.set_metadata(axes=("layers", *node.get_metadata("axes")))
    return layers


def scan_layers(
    layers: Layer,
    apply: Callable[[Layer, jax.Array, jax.Array, Any], jax.Array],
    x: jax.Array,
    rows: Any = None,
    *,
    remat: Remat = "none",
    unroll: int = 1,
    slices: int = 1,
    every: bool = False,
) -> tuple[jax.Array, jax.Array | None]:
    """Run a stack: `apply(layer, index, x, rows) -> x` once per layer, in order.

    Args:
      layers: what `stack_layers` made; its layers hold parameters only, no changing state.
      apply: receives the layer, its index (int32 scalar), activations and `rows`; treats every
        example alone.
      x: the activations [B, ...], same shape and dtype before and after every layer.
      rows: a pytree of arrays [B, ...] that every layer reads: masks, keys of dropout.
      remat: what the backward pass recomputes: nothing, all of a layer ("full"), or all but
        the results of matrix products ("dots").
      unroll: layers per iteration of the loop; more compile longer and run a little faster.
      slices: into how many parts each device cuts its rows inside a layer; one part after the
        other goes through the layer, so that its intermediate values stay in on-chip memory.
      every: whether to return every layer's activations.

    Returns:
      the last activations, and those after every layer [depth, B, ...] or None.

    Raises:
      ValueError: the rows of a device are not divisible by `slices`.
    """
    graphdef, parameters = nnx.split(layers)
    depth = jax.tree.leaves(parameters)[0].shape[0]

    def one_layer(one: Any, index: jax.Array, x: jax.Array, rows: Any) -> jax.Array:
        return apply(nnx.merge(graphdef, gathered(one), copy=True), index, x, rows)

    if remat != "none":
        # The scan already keeps XLA from merging the recomputation with the forward pass. Each
        # slice is a unit of its own, or recomputing a layer would hold all slices at once.
        one_layer = jax.checkpoint(one_layer, policy=_POLICIES[remat], prevent_cse=False)

    def body(x: jax.Array, inputs: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        index, one = inputs
        one = summed_once(one)
        x = map_slices(lambda x, rows: one_layer(one, index, x, rows), slices, x, rows)
        x = by_example(x)
        return x, x if every else None

    return jax.lax.scan(body, by_example(x), (jnp.arange(depth), parameters), unroll=unroll)


def map_slices(
    function: Callable[[jax.Array, Any], jax.Array], slices: int, x: jax.Array, rows: Any
) -> jax.Array:
    """`function(x, rows)`, computed in `slices` parts of the rows that each device holds.

    Parts save the memory of a training step; a model on its own, which may be given a batch of
    any size, computes the whole at once.

    Args:
      function: treats every example alone; [b, ...] and `rows` of b examples to [b, ...].
      slices: number of parts.
      x: [B, ...].
      rows: a pytree of arrays [B, ...].

    Raises:
      ValueError: a device's rows are not divisible by `slices`; names both numbers.
    """
    placement = current_placement()
    if slices == 1 or not placement.places:
        return function(x, rows)
    shards = placement.batch_shards()
    own = x.shape[0] // shards
    if own % slices:
        raise ValueError(
            f"{own} examples per device are not divisible by slices={slices}; change the "
            "encoder's option slices or the batch size"
        )

    def cut(value: jax.Array) -> jax.Array:
        # [B] is contiguous per device: splitting it as (device, slice, row) and taking the slice
        # moves nothing between devices.
        parts = value.reshape(shards, slices, own // slices, *value.shape[1:])
        return _pin(parts.swapaxes(0, 1), 1)

    def run(part: tuple[jax.Array, Any]) -> jax.Array:
        x, rows = jax.tree.map(lambda v: by_example(v.reshape(-1, *v.shape[2:])), part)
        result = function(x, rows)
        return result.reshape(shards, -1, *result.shape[1:])

    done = _pin(jax.lax.map(run, (cut(x), jax.tree.map(cut, rows))), 1)
    return by_example(done.swapaxes(0, 1).reshape(x.shape[0], *done.shape[3:]))


def _pin(x: jax.Array, where: int) -> jax.Array:
    """Dimension `where` of `x` counts the batch's shards; nothing else is cut."""
    names = [None] * x.ndim
    return current_placement().constrain(x, [*names[:where], "batch", *names[where + 1 :]])


def gathered(one: Any) -> Any:
    """One layer's parameters as it computes with them; gathered anew when it is recomputed."""
    return _each(current_placement().gather, one)


def summed_once(one: Any) -> Any:
    """One layer's parameters, whose gradient is whole where slices add to it.

    Cut there, as the parameters are, it would be exchanged between devices slice by slice. A model
    on its own is left as it is, differentiable in forward mode too.
    """
    return _each(_whole_gradient, one) if current_placement().places else one


def _each(place: Callable[[jax.Array, Any], jax.Array], one: Any) -> Any:
    def replaced(variable: nnx.Variable) -> nnx.Variable:
        # Of ("layers", ...) the scan has taken the first.
        return variable.replace(place(variable.get_value(), variable.get_metadata("axes")[1:]))

    return jax.tree.map(replaced, one, is_leaf=lambda node: isinstance(node, nnx.Variable))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _whole_gradient(x: jax.Array, names: tuple[str | None, ...]) -> jax.Array:
    return x


_whole_gradient.defvjp(
    lambda x, names: (x, None),
    lambda names, _, gradient: (current_placement().gather(gradient, names),),
)
