# SPDX-License-Identifier: Apache-2.0
"""The interface by which the trainer, the evaluators and the exporter see every system."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.images.preprocess import Preprocess

Batch = Mapping[str, jax.Array]
Metrics = dict[str, tuple[jax.Array | float, jax.Array | float]]
Rngs = jax.Array | nnx.Rngs | None


_AT_ONCE = 8  # images whose scores with all texts are computed together


class Embedding(NamedTuple):
    """An image's or a text's representation, float32.

    global_: [B, E], unit norm, in the joint space.
    local: [B, P, E] of patches or [B, L, E] of tokens, unit norm.
    features: [B, D], the encoder's pooled output before any projection, for probes.
    length: [B], Euclidean length of what `global_` is the direction of; only of texts, and None
      where the system does not say.
    """

    global_: jax.Array
    local: jax.Array
    features: jax.Array
    length: jax.Array | None = None


class UnsupportedError(TypeError):
    """A system was asked for something its method does not have, such as a text encoder."""


class System(nnx.Module):
    """A pre-training method: encoders and heads, and the loss that trains them.

    Subclasses set `required_keys`, the keys of the batch they read, and define `encode` and
    `objective`; those with an image encoder also `encode_image`, those with a text encoder
    `encode_text`, those with label prototypes `class_logits`.
    """

    required_keys: ClassVar[tuple[str, ...]] = ()
    has_image: ClassVar[bool] = True
    has_text: ClassVar[bool] = True
    has_prototypes: ClassVar[bool] = False
    # Parts beside the encoders that may start from another run's (`config.init.heads`).
    shared_heads: ClassVar[tuple[str, ...]] = ()
    reads_words: bool = False  # whether `encode_text` and what compares texts take words
    restores_reports: ClassVar[bool] = False

    preprocess: Preprocess
    labels: tuple[str, ...]

    @property
    def has_maps(self) -> bool:
        """Whether `region_scores` answers: a joint space, or a critic of the system's own."""
        return self.has_image and self.has_text

    @property
    def has_text_scores(self) -> bool:
        """Whether `text_scores` answers."""
        return self.has_image and self.has_text

    def encode(self, batch: Batch, *, rngs: Rngs) -> Any:
        """The training forward pass, one example at a time but for batch norm.

        Args:
          batch: the batch contract, uint8 images.
          rngs: a typed key or `nnx.Rngs`, folded with `batch["example"]` so that no draw
            depends on an example's row; None turns augmentation and dropout off.

        Returns:
          A pytree with leading B on every leaf: what micro-batching and ring losses cut at.
        """
        raise UnsupportedError(f"{type(self).__name__} defines no encode")

    def objective(self, encoded: Any, batch: Batch) -> tuple[jax.Array, Metrics]:
        """The loss of encoded examples.

        Args:
          encoded: what `encode` gave for all rows of the batch, leading B on every leaf.
          batch: the batch contract.

        Returns:
          The loss, a float32 scalar; and metrics by name, (sum, count) pairs of scalars.
        """
        raise UnsupportedError(f"{type(self).__name__} defines no objective")

    def loss(self, batch: Batch, *, rngs: Rngs) -> tuple[jax.Array, Metrics]:
        """`objective(encode(batch), batch)`.

        Args:
          batch: the batch contract, uint8 images.
          rngs: as for `encode`.

        Returns:
          As `objective`.
        """
        return self.objective(self.encode(batch, rngs=rngs), batch)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        """Embed images in evaluation mode.

        Args:
          images: uint8 [B, S, S, 1], as in the batch.
          **views: further views that the system knows, by name, such as `lateral` and
            `has_lateral` bool [B].

        Returns:
          global_ [B, E], local [B, P, E] of patches, features [B, D].
        """
        raise UnsupportedError(f"{type(self).__name__} defines no encode_image")

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        """Embed texts in evaluation mode.

        Args:
          tokens: int32 [B, L].
          token_mask: bool [B, L], false on padding.

        Returns:
          global_ [B, E], local [B, L, E] of tokens, features [B, D].
        """
        raise UnsupportedError(
            f"{type(self).__name__} has no text encoder; evaluate it by its label prototypes"
        )

    def class_logits(self, images: jax.Array) -> jax.Array:
        """Logits of images against the label prototypes.

        Args:
          images: uint8 [B, S, S, 1], as in the batch.

        Returns:
          float32 [B, C], classes in the order of `labels`.
        """
        raise UnsupportedError(
            f"{type(self).__name__} has no label prototypes; evaluate it by text prompts"
        )

    def label_directions(self) -> jax.Array | None:
        """Label prototypes float32 [C, E] of unit norm, in the order of `labels`.

        None where `class_logits` are no cosines with such directions, times one scale.
        """
        return None

    def region_scores(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """How well each region of an image suits its own sentence: where the sentence points.

        Args:
          images: uint8 [B, S, S, 1].
          tokens: int32 [B, L], a sentence each.
          token_mask: bool [B, L].
          *words: int32 [B, L], for systems that read words.

        Returns:
          float32 [B, P], regions in row order: cosines, or the scores of the system's critic.
        """
        local = self.encode_image(images).local
        return jnp.einsum("bpe,be->bp", local, self.encode_text(tokens, token_mask, *words).global_)

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """How well each of several texts suits one image: cosines, or scores of the critic.

        Args:
          image: uint8 [1, S, S, 1].
          tokens: int32 [B, L], the texts.
          token_mask: bool [B, L].
          *words: int32 [B, L], for systems that read words.

        Returns:
          float32 [B].
        """
        return (
            self.encode_text(tokens, token_mask, *words).global_
            @ self.encode_image(image).global_[0]
        )

    @property
    def has_similarities(self) -> bool:
        """Whether images and texts are compared by more than the cosine of their embeddings.

        So they are where there is no joint space: by what `text_scores` says.
        """
        return self.has_text_scores and not self.has_text

    def similarities(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """How well each text suits each image, as the method decides which text it is.

        Args:
          images: uint8 [B, S, S, 1].
          tokens: int32 [N, L], the texts.
          token_mask: bool [N, L].
          *words: int32 [N, L], for systems that read words.

        Returns:
          float32 [B, N]; cosines, or `text_scores` where there is no joint space.
        """
        if self.has_similarities and not self.has_text:

            def scores(image: jax.Array) -> jax.Array:
                return self.text_scores(image[None], tokens, token_mask, *words)

            # Texts are encoded once for a few images, whose scores together fit in memory.
            return jax.lax.map(scores, images, batch_size=_AT_ONCE)
        texts = self.encode_text(tokens, token_mask, *words).global_
        return self.encode_image(images).global_ @ texts.T

    def masked_report_errors(
        self,
        images: jax.Array,
        tokens: jax.Array,
        token_mask: jax.Array,
        word_index: jax.Array,
        keys: jax.Array,
    ) -> jax.Array:
        """How badly hidden words of reports are restored with the help of images.

        Args:
          images: uint8 [B, S, S, 1].
          tokens: int32 [B, L], a report each.
          token_mask: bool [B, L].
          word_index: int32 [B, L], which word a token is part of, -1 for none.
          keys: [B], typed: what is hidden in an example follows from its key alone.

        Returns:
          Cross-entropy float32 [B], nats per hidden token; NaN where no token is hidden.
        """
        raise UnsupportedError(f"{type(self).__name__} restores no hidden words of reports")

    def prepare(self) -> None:
        """Compute what follows from frozen weights; called when they have been drawn or loaded."""

    def constrain_parameters(self) -> None:
        """Clamp parameters to their allowed range; called after each optimizer update.

        Asks the modules of the system that have a method of this name, such as `Temperature`.
        """
        for _, module in nnx.iter_modules(self):
            if module is not self and hasattr(module, "constrain_parameters"):
                module.constrain_parameters()
