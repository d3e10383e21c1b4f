# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning of a system's encoder with a linear head, end to end, or of the head alone.

The forward pass is that of evaluation: batch norm keeps its statistics and nothing is dropped, so
that one training image is enough and no augmentation is chosen for a system. The head reads features
standardised by the training examples and starts at zero; encoder and head have learning rates of
their own. Papers train the head on features as they are, at one rate, for so many passes, and keep
the pass with the lowest loss on validation images: options say so.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from medst_jax.evaluate.fitting.short_training import adam, in_blocks, orders
from medst_jax.losses.bce import masked_bce_loss
from medst_jax.options import before

Read = Callable[..., jax.Array]  # (system, *arrays [B, ...]) -> features [B, D]


@dataclasses.dataclass(frozen=True)
class TuningOptions:
    """How an encoder is fine-tuned.

    Attributes:
      steps: of Adam, the first tenth with rising learning rate, then a cosine to zero.
      batch_size: examples of a step; fewer examples are repeated.
      learning_rate: of the encoder.
      head_learning_rate: of the head.
      encoder: "tuned" with the head, or "frozen": its features are made once.
      epochs: passes over the training examples, in place of `steps`; 0 takes `steps`.
      weight_decay: of AdamW, on all that is trained.
      schedule: of the rates; "constant" keeps them.
      standardise: whether the head reads features of mean 0 and deviation 1, or as they are.
      patience: epochs without a lower validation loss after which the training ends; the parameters
        of the epoch with the lowest loss answer. 0 trains to the end and takes the last.

    Raises:
      ValueError: no steps, batches of nothing, or patience without epochs.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-2
    encoder: Literal["tuned", "frozen"] = field(default="tuned", metadata=before("tuned"))
    epochs: int = field(default=0, metadata=before(0))
    weight_decay: float = field(default=0.0, metadata=before(0.0))
    schedule: Literal["cosine", "constant"] = field(default="cosine", metadata=before("cosine"))
    standardise: bool = field(default=True, metadata=before(True))
    patience: int = field(default=0, metadata=before(0))

    def __post_init__(self) -> None:
        if self.patience and not self.epochs:
            raise ValueError(
                f"patience is {self.patience} epochs and epochs is 0: say how many epochs at most"
            )
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
    validation: tuple[Sequence[np.ndarray], np.ndarray] | None = None,
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
      validation: examples and targets whose loss ends the training; read where `patience` is given.

    Raises:
      ValueError: the loss is not finite, or there is patience and no validation.
    """
    if options.patience and validation is None:
        raise ValueError(
            f"patience is {options.patience}: give validation images, whose loss decides"
        )
    cut: tuple[Any, ...] = nnx.split(system, nnx.Param, ...)
    graph, encoder, rest = cut
    size = options.batch_size
    featured = functools.partial(_features, (graph, read), (encoder, rest))
    if options.encoder == "frozen":
        validated = None
        if validation is not None:
            validated = in_blocks(featured, validation[0], size), validation[1]
        of_test = in_blocks(featured, test_examples, size)
        train = in_blocks(featured, examples, size)
        return head_scores(train, targets, of_test, classes, options, seed, validated)
    features = in_blocks(featured, examples, size)
    mean, deviation = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if options.standardise:
        mean, deviation = features.mean(0), features.std(0) + 1e-6
    head = {
        "kernel": jnp.zeros((features.shape[1], classes)),
        "bias": jnp.zeros(classes),
    }
    parameters = {"encoder": encoder, "head": head}
    epoch = -(-len(targets) // size)
    steps = options.epochs * epoch if options.epochs else options.steps
    optimizer = _optimizer(options, steps)
    state = optimizer.init(parameters)
    scale = (jnp.asarray(mean, jnp.float32), jnp.asarray(deviation, jnp.float32))
    logits = functools.partial(_logits, (graph, read))
    lowest, best, waited = np.inf, parameters, 0
    loss = jnp.zeros(())
    for step, rows in enumerate(orders(len(targets), size, steps, seed), 1):
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
        if options.patience and validation is not None and step % epoch == 0:
            scores = functools.partial(logits, (parameters, rest, scale))
            answers = jnp.asarray(in_blocks(scores, validation[0], size))
            now = float(_loss(answers, jnp.asarray(validation[1])))
            waited += 1
            if now < lowest:
                lowest, best, waited = now, parameters, 0
            if waited == options.patience:
                break
    if not np.isfinite(loss):
        raise ValueError(
            f"the loss of fine-tuning is {loss} after {step} steps; lower learning_rate "
            f"({options.learning_rate}) or head_learning_rate ({options.head_learning_rate})"
        )
    chosen = best if options.patience else parameters
    return in_blocks(functools.partial(logits, (chosen, rest, scale)), test_examples, size)


def head_scores(
    features: np.ndarray,
    targets: np.ndarray,
    test_features: np.ndarray,
    classes: int,
    options: TuningOptions,
    seed: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """`tuned_scores` of a head alone, on features [n, D] and [m, D] of a frozen encoder.

    `validation` holds features and targets.
    """
    validated = None if validation is None else ((validation[0],), validation[1])
    alone = dataclasses.replace(options, encoder="tuned")
    examples, tested = (features,), (test_features,)
    return tuned_scores(
        _Nothing(), _as_given, examples, targets, tested, classes, alone, seed, validated
    )


class _Nothing(nnx.Module):
    """What is left of an encoder whose features were made before."""


def _as_given(system: _Nothing, features: jax.Array) -> jax.Array:
    del system
    return features


@functools.cache  # one object for equal options, so that runs share a compiled step
def _optimizer(options: TuningOptions, steps: int) -> optax.GradientTransformation:
    rates = {"encoder": options.learning_rate, "head": options.head_learning_rate}
    return optax.partition(
        {
            part: adam(rate, steps, options.weight_decay, options.schedule)
            for part, rate in rates.items()
        },
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
        return _loss(_head(features, parameters["head"], scale), targets)

    value, gradient = jax.value_and_grad(loss)(parameters)
    updates, state = optimizer.update(gradient, state, parameters)
    return optax.apply_updates(parameters, updates), state, value


def _loss(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Of classes [B] by softmax, of classes that are asked one by one [B, C] by sigmoid."""
    if targets.ndim == 2:
        return masked_bce_loss(logits, targets, targets >= 0)
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
