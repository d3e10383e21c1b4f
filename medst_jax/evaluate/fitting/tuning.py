# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning of a system's encoder with a linear head, end to end.

The forward pass is that of evaluation: batch norm keeps its statistics and nothing is dropped, so
that one training image is enough and no augmentation is chosen for a system. The head reads features
standardised by the training examples and starts at zero; encoder and head have learning rates of
their own.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from medst_jax.evaluate.fitting.short_training import adam, in_blocks, orders
from medst_jax.losses.bce import masked_bce_loss

Read = Callable[..., jax.Array]  # (system, *arrays [B, ...]) -> features [B, D]


@dataclasses.dataclass(frozen=True)
class TuningOptions:
    """How an encoder is fine-tuned.

    Attributes:
      steps: of Adam, the first tenth with rising learning rate, then a cosine to zero.
      batch_size: examples of a step; fewer examples are repeated.
      learning_rate: of the encoder.
      head_learning_rate: of the head.

    Raises:
      ValueError: no steps, or batches of nothing.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(
                f"tuning has {self.steps} steps of {self.batch_size} examples; both must be at least 1"
            )


def tuned_scores(
    system: Any,
    read: Read,
    examples: Sequence[np.ndarray],
    targets: np.ndarray,
    test_examples: Sequence[np.ndarray],
    classes: int,
    options: TuningOptions,
    seed: int,
) -> np.ndarray:
    """Logits float32 [m, C] of `test_examples` by a copy of `system`, tuned on `examples`.

    Args:
      system: what `read` reads; it stays as it is.
      read: features [B, D] of a batch of `examples`, differentiable in the system's parameters.
      examples: arrays [n, ...] that `read` takes, such as images or tokens and their mask.
      targets: int [n], one of C classes each (softmax); or int8 [n, C] of 1, 0 and -1 (unknown)
        for classes that are asked one by one (sigmoid).
      test_examples: arrays [m, ...] like `examples`.
      classes: C.
      options: of the optimisation.
      seed: of the order of the examples.

    Raises:
      ValueError: the loss is not finite.
    """
    cut: tuple[Any, ...] = nnx.split(system, nnx.Param, ...)
    graph, encoder, rest = cut
    size = options.batch_size
    features = in_blocks(
        functools.partial(_features, (graph, read), (encoder, rest)), examples, size
    )
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    head = {
        "kernel": jnp.zeros((features.shape[1], classes)),
        "bias": jnp.zeros(classes),
    }
    parameters = {"encoder": encoder, "head": head}
    optimizer = _optimizer(options)
    state = optimizer.init(parameters)
    scale = (jnp.asarray(mean), jnp.asarray(deviation))
    loss = jnp.zeros(())
    for rows in orders(len(targets), size, options.steps, seed):
        batch = [jnp.asarray(array[rows]) for array in examples]
        parameters, state, loss = _step(
            (graph, read, optimizer),
            parameters,
            state,
            rest,
            scale,
            batch,
            jnp.asarray(targets[rows]),
        )
    if not np.isfinite(loss):
        raise ValueError(
            f"the loss of fine-tuning is {loss} after {options.steps} steps; lower learning_rate "
            f"({options.learning_rate}) or head_learning_rate ({options.head_learning_rate})"
        )
    return in_blocks(
        functools.partial(_logits, (graph, read), (parameters, rest, scale)), test_examples, size
    )


@functools.cache  # one object for equal options, so that runs share a compiled step
def _optimizer(options: TuningOptions) -> optax.GradientTransformation:
    rates = {"encoder": options.learning_rate, "head": options.head_learning_rate}
    return optax.partition(
        {part: adam(rate, options.steps) for part, rate in rates.items()},
        {part: part for part in rates},
    )


def _read(graph: Any, read: Read, encoder: Any, rest: Any, batch: Sequence[jax.Array]) -> jax.Array:
    return read(nnx.merge(graph, encoder, rest), *batch).astype(jnp.float32)


def _head(features: jax.Array, head: Any, scale: tuple[jax.Array, jax.Array]) -> jax.Array:
    return (features - scale[0]) / scale[1] @ head["kernel"] + head["bias"]


@functools.partial(jax.jit, static_argnums=0)
def _features(static: Any, state: Any, batch: Sequence[jax.Array]) -> jax.Array:
    (graph, read), (encoder, rest) = static, state
    return _read(graph, read, encoder, rest, batch)


@functools.partial(jax.jit, static_argnums=0)
def _logits(static: Any, state: Any, batch: Sequence[jax.Array]) -> jax.Array:
    (graph, read), (parameters, rest, scale) = static, state
    features = _read(graph, read, parameters["encoder"], rest, batch)
    return _head(features, parameters["head"], scale)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=(2,))
def _step(
    static: Any,
    parameters: Any,
    state: Any,
    rest: Any,
    scale: tuple[jax.Array, jax.Array],
    batch: Sequence[jax.Array],
    targets: jax.Array,
) -> tuple[Any, Any, jax.Array]:
    graph, read, optimizer = static

    def loss(parameters: Any) -> jax.Array:
        features = _read(graph, read, parameters["encoder"], rest, batch)
        logits = _head(features, parameters["head"], scale)
        if targets.ndim == 2:
            return masked_bce_loss(logits, targets, targets >= 0)
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    value, gradient = jax.value_and_grad(loss)(parameters)
    updates, state = optimizer.update(gradient, state, parameters)
    return optax.apply_updates(parameters, updates), state, value
