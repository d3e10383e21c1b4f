# SPDX-License-Identifier: Apache-2.0
"""An encoder with its projections, and the pair of them that a released checkpoint holds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Integer, Key

from medst_jax.array_types import Array, Mask
from medst_jax.models.layers.word_pieces import aggregate_words, word_numbers

Head = Any  # a module of projection_heads


class TowerOutput(NamedTuple):
    """What a tower gives, not normalised unless its head does so (MedCLIP's).

    features: float32 [B, D], the encoder's pooled output.
    global_: [B, E], projected.
    local: [B, P, E] of patches or [B, W, E] of tokens or words, projected.
    mask: bool [B, W], which tokens or words there are; None for images.
    """

    features: jax.Array
    global_: jax.Array
    local: jax.Array
    mask: Array | None = None


class ImageTower(nnx.Module):
    """An image encoder with a head for its pooled output and one for its patches."""

    def __init__(
        self, encoder: Any, global_head: Head, local_head: Head, *, local_stage: int | None = None
    ) -> None:
        """Put together.

        Args:
          encoder: any image encoder of this package.
          global_head: of the pooled features; None takes the mean of the projected patches, as
            BioViL does.
          local_head: of the patches; None leaves them as they are.
          local_stage: which of a ResNet's stages the patches are, None for the last.
        """
        self.encoder = encoder
        self.global_head = global_head
        self.local_head = local_head
        self.local_stage = local_stage

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *views: Any,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> TowerOutput:
        """Encode normalised images [B, h, w, c]; `views` are further inputs of the encoder."""
        output = self.encoder(images, *views, keys=keys, train=train)
        patches = output.patches
        if self.local_stage is not None:
            stage = output.stages[self.local_stage]
            patches = stage.reshape(stage.shape[0], -1, stage.shape[-1])
        local = patches if self.local_head is None else self.local_head(patches, train=train)
        if self.global_head is None:
            projected = local.astype(jnp.float32).mean(1)
        else:
            projected = self.global_head(output.pooled, train=train)
        return TowerOutput(output.pooled, projected, local)


# A pooling takes hidden states, token mask and what continues a word (or None), and gives the
# text's features [B, D], those of tokens or words [B, W, D] and their mask.
Pooled = tuple[jax.Array, jax.Array, Array]
Pooling = Callable[[tuple[jax.Array, ...], Array, Array | None], Pooled]


def first_token(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """[CLS] of the last layer: CXR-BERT."""
    return states[-1][:, 0].astype(jnp.float32), states[-1], mask


def last_token(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """The last token of the text in the last layer, [SEP]: CXR-CLIP."""
    end = jnp.maximum(mask.sum(1) - 1, 0)
    pooled = jnp.take_along_axis(states[-1], end[:, None, None], axis=1)[:, 0]
    return pooled.astype(jnp.float32), states[-1], mask


def last_position(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """The last position of the last layer, even where it is padding: SigLIP."""
    return states[-1][:, -1].astype(jnp.float32), states[-1], mask


def mean_token(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """Masked mean over the tokens of the last layer: open_clip's mean pooler."""
    return _mean(states[-1].astype(jnp.float32), mask), states[-1], mask


def three_layers(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """Masked mean over tokens of the mean of layers 1, 2 and the last: MedCLIP, DLILP.

    The releases average over padding as well; the mean here is masked.
    """
    local = jnp.stack([states[i].astype(jnp.float32) for i in (1, 2, -1)]).mean(0)
    return _mean(local, mask), local, mask


def three_layers_padded(
    states: tuple[jax.Array, ...], mask: Array, continues: Array | None
) -> Pooled:
    """As `three_layers`, averaged over all positions, padding included, as MedCLIP was released.

    A text's vector then depends on the length to which it is padded.
    """
    _, local, _ = three_layers(states, mask, continues)
    return local.mean(1), local, mask


def _mean(local: jax.Array, mask: Array) -> jax.Array:
    weights = mask.astype(jnp.float32)[..., None]
    return jnp.sum(local * weights, 1) / jnp.maximum(jnp.sum(weights, 1), 1.0)


def summed_words(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """Words of the last layer, of which [CLS] is the first and the text's: MGCA, Med-ST."""
    words, word_mask = _words(states[-1], mask, continues)
    return words[:, 0], words[:, 1:], word_mask[:, 1:]


def four_layers(states: tuple[jax.Array, ...], mask: Array, continues: Array | None) -> Pooled:
    """Words of the sum of the last four layers, averaged: GLoRIA.

    The release divides by the padded length; the mean here is over the words there are.
    """
    total = sum(state.astype(jnp.float32) for state in states[-4:])
    assert isinstance(total, jax.Array)
    words, word_mask = _words(total, mask, continues)
    count = jnp.maximum(word_mask.sum(1, keepdims=True), 1)
    return words.sum(1) / count, words, word_mask


def _words(values: jax.Array, mask: Array, continues: Array | None) -> tuple[jax.Array, jax.Array]:
    if continues is None:
        raise ValueError("words are summed of pieces: say which tokens continue a word")
    return aggregate_words(values.astype(jnp.float32), word_numbers(continues, mask))


class TextTower(nnx.Module):
    """A text encoder with a pooling, a head for the text and one for its tokens or words."""

    def __init__(self, encoder: Any, pooling: Pooling, global_head: Head, local_head: Head) -> None:
        """Heads may be None, which leaves the features as they are."""
        self.encoder = encoder
        self.pooling = pooling
        self.global_head = global_head
        self.local_head = local_head

    def __call__(
        self,
        tokens: Integer[Array, "B L"],
        token_mask: Mask[Array, "B L"],
        continues: Bool[Array, "B L"] | None = None,
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> TowerOutput:
        """Encode tokens.

        Args:
          tokens: int32 [B, L].
          token_mask: bool [B, L], false on padding.
          continues: bool [B, L], true where a piece continues the word of the token before it;
            needed by poolings that sum words.
          keys: [B] typed PRNG keys for dropout; None switches it off.
          train: for heads with a batch norm.
        """
        states = self.encoder(tokens, token_mask, keys=keys).hidden_states
        features, local, mask = self.pooling(states, token_mask, continues)
        projected = features
        if self.global_head is not None:
            projected = self.global_head(features, train=train)
        if self.local_head is not None:
            local = self.local_head(local, train=train)
        return TowerOutput(features, projected, local, mask)


class ImageTextModel(nnx.Module):
    """An image and a text tower, with what a checkpoint holds beside them."""

    def __init__(
        self, image: Any, text: Any, further: dict[str, nnx.Module | nnx.Variable] | None = None
    ) -> None:
        """`further`: temperatures, prototypes and the like by name."""
        self.image = image
        self.text = text
        self.further = nnx.Dict(further or {})
