# SPDX-License-Identifier: Apache-2.0
"""Training of a pixel-wise head on the frozen feature maps of an image encoder.

Maps are computed again in each step: stored, those of one image would take megabytes at paper size.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from medst_jax.evaluate.fitting.map_heads import HEADS
from medst_jax.evaluate.fitting.short_training import adam, in_blocks, orders
from medst_jax.evaluate.statistics.outcome import NotApplicable

_SCALING_IMAGES = 256


@dataclasses.dataclass(frozen=True)
class DenseOptions:
    """How a head is trained.

    Attributes:
      steps: of Adam, the first tenth with rising learning rate, then a cosine to zero.
      batch_size: images of a step; fewer are repeated.
      learning_rate: at its peak.
      width: channels of the U-Net's way up, a multiple of 8.

    Raises:
      ValueError: no steps, batches of nothing, or another width.
    """

    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 3e-3
    width: int = 64

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise ValueError(
                f"a head is trained for {self.steps} steps of {self.batch_size} images; both must "
                "be at least 1"
            )
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width is {self.width}; it must be a multiple of 8")


def feature_maps(system: Any, images: jax.Array) -> tuple[jax.Array, ...]:
    """Maps of a system's image encoder, fine to coarse, float32 [B, h, w, D] each.

    All stages of an encoder that has stages, else the patches laid out as a grid.

    Raises:
      NotApplicable: the encoder gives neither, or its patches are no square.
    """
    output = system.image_encoder(system.preprocess(images))
    if hasattr(output, "stages"):
        return tuple(stage.astype(jnp.float32) for stage in output.stages)
    patches = getattr(output, "patches", None)
    if patches is None:
        raise NotApplicable("this image encoder has no feature maps, only a vector")
    side = round(patches.shape[1] ** 0.5)
    if side * side != patches.shape[1]:
        raise NotApplicable(f"{patches.shape[1]} patches are no square grid; maps need one")
    return (patches.reshape(len(patches), side, side, -1).astype(jnp.float32),)


def pixel_probabilities(
    system: Any,
    head: str,
    images: np.ndarray,
    masks: np.ndarray,
    inside: np.ndarray,
    test_images: np.ndarray,
    options: DenseOptions,
    seed: int,
) -> np.ndarray:
    """Probabilities float32 [m, S, S] that each pixel of `test_images` belongs to the finding.

    Args:
      system: whose image encoder is read and stays as it is.
      head: a key of `HEADS`.
      images: uint8 [n, S, S, 1], to train on.
      masks: bool [n, S, S], where the finding is in them.
      inside: bool [n, S, S], where the image proper is and the encoder sees it; other pixels count
        for nothing.
      test_images: uint8 [m, S, S, 1].
      options: of the training.
      seed: of the head's initial values and the order of the images.

    Raises:
      NotApplicable: the encoder has no maps.
      ValueError: the loss is not finite.
    """
    cut = nnx.split(system)
    size = options.batch_size
    scales = _scales(cut, images[:_SCALING_IMAGES], size)
    widths = tuple(len(mean) for mean, _ in scales)
    begin, end = system.preprocess.window(images.shape[1])
    layers = HEADS[head](widths, end - begin, options.width, rngs=nnx.Rngs(seed))
    graph, parameters = nnx.split(layers)
    optimizer = adam(options.learning_rate, options.steps)
    state = optimizer.init(parameters)
    loss = jnp.zeros(())
    for rows in orders(len(images), size, options.steps, seed):
        batch = [jnp.asarray(array[rows]) for array in (images, masks, inside)]
        parameters, state, loss = _step(
            (cut[0], graph, optimizer), parameters, state, cut[1], scales, batch
        )
    if not np.isfinite(loss):
        raise ValueError(
            f"the loss of the {head} head is {loss} after {options.steps} steps; lower "
            f"learning_rate ({options.learning_rate})"
        )
    answer = functools.partial(_probabilities, (cut[0], graph), (cut[1], parameters, scales))
    return in_blocks(answer, (test_images,), size)


def segmentation_loss(logits: jax.Array, masks: jax.Array, inside: jax.Array) -> jax.Array:
    """Mean binary cross-entropy of the pixels, plus one minus the soft Dice of the batch.

    Args:
      logits: float [B, S, S].
      masks: bool [B, S, S].
      inside: bool [B, S, S], the pixels that count.

    Reference: Milletari et al., arXiv:1606.04797, for the second term, with the sum over all
    images of the batch, so that an image without the finding has no undefined term.
    """
    logits = logits.astype(jnp.float32)
    weight, target = inside.astype(jnp.float32), masks.astype(jnp.float32)
    entropy = optax.sigmoid_binary_cross_entropy(logits, target) * weight
    p = jax.nn.sigmoid(logits) * weight
    overlap = jnp.sum(p * target)
    soft_dice = (2 * overlap + 1.0) / (jnp.sum(p) + jnp.sum(target * weight) + 1.0)
    return jnp.sum(entropy) / jnp.maximum(jnp.sum(weight), 1.0) + 1 - soft_dice


def _scales(
    cut: tuple[Any, Any], images: np.ndarray, size: int
) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """Mean and deviation [D] of each map's channels over some training images."""
    graph, state = cut
    moments = []
    for start in range(0, len(images), size):
        block = images[np.resize(np.arange(start, min(start + size, len(images))), size)]
        moments.append(jax.device_get(_moments(graph, state, jnp.asarray(block))))
    scales = []
    for blocks in zip(*moments, strict=True):
        mean = np.mean([first for first, _ in blocks], axis=0)
        square = np.mean([second for _, second in blocks], axis=0)
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0)) + 1e-6
        scales.append((jnp.asarray(mean), jnp.asarray(deviation)))
    return tuple(scales)


@functools.partial(jax.jit, static_argnums=0)
def _moments(graph: Any, state: Any, images: jax.Array) -> Any:
    maps = feature_maps(nnx.merge(graph, state), images)
    return [(m.mean((0, 1, 2)), jnp.square(m).mean((0, 1, 2))) for m in maps]


def _logits(static: Any, encoder: Any, head: Any, scales: Any, images: jax.Array) -> jax.Array:
    graph, layers = static
    system = nnx.merge(graph, encoder)
    maps = jax.lax.stop_gradient(feature_maps(system, images))
    scaled = [(m - mean) / deviation for m, (mean, deviation) in zip(maps, scales, strict=True)]
    logits = nnx.merge(layers, head)(scaled)
    # Of what the encoder cuts off nothing is known; those pixels are no part of `inside`.
    begin, end = system.preprocess.window(images.shape[1])
    around = (begin, images.shape[1] - end)
    return jnp.pad(logits, ((0, 0), around, around))


@functools.partial(jax.jit, static_argnums=0)
def _probabilities(static: Any, state: Any, batch: Sequence[jax.Array]) -> jax.Array:
    encoder, head, scales = state
    return jax.nn.sigmoid(_logits(static, encoder, head, scales, batch[0]))


@functools.partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def _step(
    static: Any, head: Any, state: Any, encoder: Any, scales: Any, batch: Sequence[jax.Array]
) -> tuple[Any, Any, jax.Array]:
    graph, layers, optimizer = static
    images, masks, inside = batch

    def loss(head: Any) -> jax.Array:
        logits = _logits((graph, layers), encoder, head, scales, images)
        return segmentation_loss(logits, masks, inside)

    value, gradient = jax.value_and_grad(loss)(head)
    updates, state = optimizer.update(gradient, state, head)
    return optax.apply_updates(head, updates), state, value
