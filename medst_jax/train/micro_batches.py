# SPDX-License-Identifier: Apache-2.0
"""Exact gradients of a large batch from small ones: two passes cut at `encode`.

A contrastive loss sees all pairs of the batch, so the gradients of micro-batches do not add up
to that of the batch. Here the first pass encodes micro-batch after micro-batch and keeps the
encodings alone; the objective of all of them gives its gradient with respect to each; the second
pass encodes once more and pulls those gradients back. One forward pass more buys the activations
of one micro-batch instead of the batch's (Gao et al., "Scaling Deep Contrastive Learning Batch
Size under Memory Limited Setup", arXiv:2101.06983).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from medst_jax.options import OptionError
from medst_jax.parallel.mesh import BATCH_AXES
from medst_jax.systems.system import Metrics
from medst_jax.train.state import Arrays, Skeleton, arrays

Result = tuple[jax.Array, Metrics, Arrays, Arrays]


def check_micro_batches(batch_size: int, shards: int, count: int) -> None:
    """Raise an OptionError naming the numbers unless each shard has whole micro-batches."""
    if batch_size % (shards * count):
        raise OptionError(
            f"config.train.micro_batches is {count}: batch size {batch_size} over {shards} batch "
            f"shards leaves {batch_size / shards:g} rows a shard, which do not divide into "
            f"{count}; change config.train.batch_size or config.train.micro_batches"
        )


def gradients_in_one_pass(
    parts: Skeleton, params: Arrays, model_state: Arrays, batch: Mapping[str, Any], key: jax.Array
) -> Result:
    """Loss, metrics, new model state and gradients of a batch at once."""

    def loss_of(params: Arrays) -> tuple[jax.Array, tuple[Metrics, Arrays]]:
        module = parts.system(params, model_state)
        loss, metrics = module.loss(batch, rngs=key)
        return loss, (metrics, arrays(module)[1])

    (loss, (metrics, new_state)), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
    return loss, metrics, new_state, gradients


def gradients_in_two_passes(
    parts: Skeleton,
    params: Arrays,
    model_state: Arrays,
    batch: Mapping[str, Any],
    key: jax.Array,
    count: int,
) -> Result:
    """As `gradients_in_one_pass`, from `count` micro-batches.

    Raises:
      OptionError: the system's `encode` changes the model state, as a training batch norm does:
        its statistics would be those of a micro-batch.
    """
    rows = batch["example"].shape[0]
    shared = {k: v for k, v in batch.items() if v.shape[0] != rows}
    pieces = _split({k: v for k, v in batch.items() if v.shape[0] == rows}, count)

    def encode(params: Arrays, piece: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
        module = parts.system(params, model_state)
        encoded = module.encode({**shared, **piece}, rngs=key)
        _check_unchanged(model_state, arrays(module)[1])
        return _by_kind(encoded)

    def structure(piece: Mapping[str, Any]) -> Any:
        return parts.system(params, model_state).encode({**shared, **piece}, rngs=key)

    like = jax.eval_shape(structure, jax.tree.map(lambda leaf: leaf[0], pieces))
    floats, others = _joined(jax.lax.map(lambda piece: encode(params, piece), pieces))

    def objective(params: Arrays, floats: list[Any]) -> tuple[jax.Array, tuple[Metrics, Arrays]]:
        module = parts.system(params, model_state)
        loss, metrics = module.objective(_as_encoded(like, floats, others), batch)
        return loss, (metrics, arrays(module)[1])

    (loss, (metrics, new_state)), (direct, pulled) = jax.value_and_grad(
        objective, argnums=(0, 1), has_aux=True
    )(params, floats)

    def pull_back(total: Arrays, part: tuple[Any, list[Any]]) -> tuple[Arrays, None]:
        piece, cotangents = part
        _, transpose, _ = jax.vjp(lambda p: encode(p, piece), params, has_aux=True)
        return jax.tree.map(jnp.add, total, transpose(cotangents)[0]), None

    gradients, _ = jax.lax.scan(pull_back, direct, (pieces, _split(pulled, count)))
    return loss, metrics, new_state, gradients


def _check_unchanged(before: Arrays, after: Arrays) -> None:
    # A variable that was not written still holds the very tracer it was given.
    written = [path for path, value in after.items() if value is not before[path]]
    if written:
        raise OptionError(
            f"config.train.micro_batches: encode() updates {written[0]} and "
            f"{len(written) - 1} more, as a training batch norm does, and its statistics would be "
            "those of a micro-batch; set config.system.image.norm='frozen', use an encoder "
            "without batch norm, or set config.train.micro_batches=1"
        )


def _split(tree: Any, count: int) -> Any:
    """Leaves [B, ...] as [count, B / count, ...]; a row goes to micro-batch `row % count`.

    Neighbouring rows lie on one device, so that each device keeps its share of every
    micro-batch and nothing moves.
    """

    def one(leaf: jax.Array) -> jax.Array:
        cut = leaf.reshape(-1, count, *leaf.shape[1:])
        return _constrain(jnp.swapaxes(cut, 0, 1), P(None, BATCH_AXES))

    return jax.tree.map(one, tree)


def _joined(tree: Any) -> Any:
    """The inverse of `_split`."""

    def one(leaf: jax.Array) -> jax.Array:
        return _constrain(jnp.swapaxes(leaf, 0, 1).reshape(-1, *leaf.shape[2:]), P(BATCH_AXES))

    return jax.tree.map(one, tree)


def _constrain(leaf: jax.Array, spec: P) -> jax.Array:
    return jax.lax.with_sharding_constraint(leaf, spec)


def _is_float(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _by_kind(encoded: Any) -> tuple[list[Any], list[Any]]:
    """Leaves that have gradients, and the others."""
    leaves = jax.tree.leaves(encoded)
    return [x for x in leaves if _is_float(x)], [x for x in leaves if not _is_float(x)]


def _as_encoded(like: Any, floats: list[Any], others: list[Any]) -> Any:
    leaves, treedef = jax.tree.flatten(like)
    kinds = iter(floats), iter(others)
    return jax.tree.unflatten(treedef, [next(kinds[0 if _is_float(x) else 1]) for x in leaves])
