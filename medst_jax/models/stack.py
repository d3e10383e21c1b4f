# SPDX-License-Identifier: Apache-2.0
"""A stack of identical layers: one module with stacked parameters, run by `jax.lax.scan`."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

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
    apply: Callable[[Layer, jax.Array, jax.Array], tuple[jax.Array, Any]],
    x: jax.Array,
    *,
    remat: Remat = "none",
    unroll: int = 1,
) -> tuple[jax.Array, Any]:
    """Run a stack: `apply(layer, index, x) -> (x, output)` once per layer, in order.

    Args:
      layers: what `stack_layers` made; its layers hold parameters only, no changing state.
      apply: receives the layer, its index (int32 scalar) and the activations.
      x: the activations, same shape and dtype before and after every layer.
      remat: what the backward pass recomputes: nothing, all of a layer ("full"), or all but
        the results of matrix products ("dots").
      unroll: layers per iteration of the loop; more compile longer and run a little faster.

    Returns:
      the last activations and the outputs with a leading dimension of the depth.
    """
    graphdef, parameters = nnx.split(layers)
    depth = jax.tree.leaves(parameters)[0].shape[0]

    def body(x: jax.Array, inputs: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        index, one = inputs
        return apply(nnx.merge(graphdef, one, copy=True), index, x)

    if remat != "none":
        # The scan already keeps XLA from merging the recomputation with the forward pass.
        body = jax.checkpoint(body, policy=_POLICIES[remat], prevent_cse=False)
    return jax.lax.scan(body, x, (jnp.arange(depth), parameters), unroll=unroll)
