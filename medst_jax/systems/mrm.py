# SPDX-License-Identifier: Apache-2.0
"""MRM: an image with hidden patches and its report with hidden words restore both.

Reference: Zhou et al., "Advancing Radiograph Representation Learning with Masked Record
Modeling", arXiv:2301.13155, sections 3.1 to 3.3. The encoder sees a quarter of the patches; a decoder predicts the
pixels of the others at twice the resolution, and a BERT predicts the hidden words of the report,
the mean of the visible patches joined to each of its tokens. The release averages the words' loss
over all tokens, padding too; here it is that of hidden tokens. It flips images; reports name sides,
so nothing is flipped here.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.images.augment import Augment
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.losses.masked_language import token_errors
from medst_jax.losses.masked_patch import patch_errors
from medst_jax.losses.shapes import masked_mean
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.masked_language import MaskedLanguageHead
from medst_jax.models.heads.patch_decoder import PatchDecoder, PatchDecoderOptions
from medst_jax.options import OptionError
from medst_jax.systems.parts.masked_words import (
    MaskOptions,
    gather_predicted,
    mask_words,
    predicted_slots,
)
from medst_jax.systems.parts.options import ImageTextOptions, check_image, check_no_flip
from medst_jax.systems.parts.pairs import PAIR_KEYS, paired
from medst_jax.systems.parts.towers import image_encoder, text_encoder
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs, System


@dataclasses.dataclass(frozen=True)
class MrmOptions(ImageTextOptions):
    """As ImageTextOptions.

    visible: share of the patches that the encoder sees.
    magnification: side of the predicted image over that of the encoder's.
    normalise: whether the pixels of each patch are predicted less their mean, over their
      deviation.
    decoder: of the pixels.
    mask: which words are hidden, and what they show.
    text_weight: of the words' loss beside that of the pixels; 0 leaves the report out.
    """

    visible: float = 0.25
    magnification: int = 2
    normalise: bool = True
    decoder: PatchDecoderOptions = dataclasses.field(default_factory=PatchDecoderOptions)
    mask: MaskOptions = dataclasses.field(
        default_factory=lambda: MaskOptions(rate=0.5, show="mask")
    )
    text_weight: float = 1.0

    def __post_init__(self) -> None:
        check_image(self.image, "vit_sincos", "MRM hides patches of a ViT with fixed positions")
        check_no_flip(self.augment)
        if not 0 < self.visible < 1:
            raise OptionError(
                f"config.system.visible is {self.visible}; it must lie between 0 and 1: some "
                "patches must be seen and some hidden"
            )
        if self.magnification < 1:
            raise OptionError(
                f"config.system.magnification is {self.magnification}; it must be at least 1"
            )


@dataclasses.dataclass(frozen=True)
class _Pictures:
    """How the images that are predicted are made: as the encoder's, at their own size."""

    preprocess: Preprocess
    augment: Augment


@register("mrm")
class Mrm(System):
    """A ViT that sees some patches, a decoder of pixels and a BERT that is told what they show."""

    required_keys: ClassVar[tuple[str, ...]] = (*PAIR_KEYS, "word_index")
    has_text = False
    restores_reports = True
    Options: ClassVar[type] = MrmOptions

    def __init__(self, options: MrmOptions):
        rngs = nnx.Rngs(options.seed)
        self.preprocess, self.labels = options.preprocess, options.labels
        self.magnification, self.normalise = options.magnification, options.normalise
        self.mask, self.text_weight = options.mask, options.text_weight
        size = options.preprocess.size * options.magnification
        self.pictures = _Pictures(
            dataclasses.replace(options.preprocess, size=size), options.augment
        )
        self.image_encoder = image_encoder(options, rngs=rngs)
        vit = self.image_encoder.options
        self.patch = vit.patch * options.magnification
        self.visible = max(1, int(vit.patches * options.visible))
        self.decoder = PatchDecoder(
            options.decoder,
            vit.width,
            vit.image_size // vit.patch,
            self.patch**2 * vit.channels,
            rngs=rngs,
        )
        self.text_encoder = text_encoder(options, rngs=rngs)
        self.image_to_text = nnx.Linear(
            vit.width,
            self.text_encoder.features,
            kernel_init=nnx.initializers.xavier_uniform(),
            kernel_metadata={"axes": ("embed", "mlp")},
            bias_metadata={"axes": ("mlp",)},
            rngs=rngs,
        )
        self.language_head = MaskedLanguageHead(self.text_encoder.options, rngs=rngs)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        """float32 [B] each: `pixel_error`, the mean over hidden patches; `token_error`, the sum over
        predicted tokens; `token_count`; `token_hits`, of those predicted right.

        Without `rngs` nothing is hidden, and all are 0.
        """
        keys = example_keys(rngs, batch["example"])
        pictures = training_images(self.pictures, batch, keys)
        seen = self.seen(len(pictures), purpose_keys(keys, "mask"))
        tokens = self.encoded_patches(pictures, seen, purpose_keys(keys, "image"))
        pixels = self.decoder(tokens, seen)
        rows = jnp.arange(len(seen))[:, None]
        hidden = jnp.ones(pixels.shape[:2], bool).at[rows, seen].set(False)
        errors = patch_errors(pixels, pictures, hidden, patch=self.patch, normalise=self.normalise)
        count = jnp.maximum(jnp.sum(hidden, axis=1), 1)
        words = self.word_errors(
            tokens,
            batch["tokens"],
            batch["token_mask"],
            jnp.where(paired(batch)[:, None], batch["word_index"], -1),
            purpose_keys(keys, "masked_text"),
            purpose_keys(keys, "text"),
        )
        return {"pixel_error": jnp.sum(errors, axis=1) / count, **words}

    def seen(self, rows: int, keys: jax.Array | None) -> jax.Array:
        """Patches that the encoder sees, int32 [B, V] in row order; all without keys."""
        patches = self.image_encoder.options.patches
        if keys is None:
            return jnp.broadcast_to(jnp.arange(patches, dtype=jnp.int32), (rows, patches))
        uniform = jax.vmap(lambda key: jax.random.uniform(key, (patches,)))(keys)
        return jnp.sort(jnp.argsort(uniform, axis=1)[:, : self.visible], axis=1).astype(jnp.int32)

    def encoded_patches(
        self, pictures: jax.Array, seen: jax.Array, keys: jax.Array | None
    ) -> jax.Array:
        """Tokens [B, 1 + V, D] of the patches `seen` of images at the size that is predicted."""
        size = self.preprocess.size
        shape = (len(pictures), size, size, pictures.shape[-1])
        images = pictures
        if self.magnification > 1:
            images = jax.image.resize(pictures, shape, "cubic", antialias=True)
        return self.image_encoder(images, visible=seen, keys=keys, train=True).tokens

    def word_errors(
        self,
        patches: jax.Array,
        tokens: jax.Array,
        token_mask: jax.Array,
        word_index: jax.Array,
        mask_keys: jax.Array | None,
        keys: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """What the hidden words of each report cost, float32 [B], given its image's tokens.

        `mask_keys` draw the words, `keys` dropout.
        """
        vocabulary = self.text_encoder.options.vocabulary_size
        shown, chosen = mask_words(tokens, word_index, mask_keys, vocabulary, self.mask)
        image = jnp.mean(self.image_to_text(patches[:, 1:].astype(jnp.float32)), axis=1)
        states = self.text_encoder(shown, token_mask, added=image, keys=keys).hidden_states[-1]
        # Texts of one word per token: half the tokens, and half as many again for the draw.
        slots = predicted_slots(tokens.shape[1], self.mask.rate)
        hidden = gather_predicted(states, tokens, chosen, slots)
        logits = self.language_head(hidden["hidden"], self.text_encoder.word_embeddings[...])
        mask = hidden["hidden_mask"]
        right = mask & (jnp.argmax(logits, axis=-1) == hidden["hidden_tokens"])
        return {
            "token_error": jnp.sum(token_errors(logits, hidden["hidden_tokens"], mask), axis=1),
            "token_count": jnp.sum(mask, axis=1).astype(jnp.float32),
            "token_hits": jnp.sum(right, axis=1).astype(jnp.float32),
        }

    def masked_report_errors(
        self,
        images: jax.Array,
        tokens: jax.Array,
        token_mask: jax.Array,
        word_index: jax.Array,
        keys: jax.Array,
    ) -> jax.Array:
        # As in training: a part of the patches, the same ones whatever image is given.
        seen = self.seen(len(tokens), purpose_keys(keys, "mask"))
        patches = self.encoded_patches(self.pictures.preprocess(images), seen, None)
        masked = purpose_keys(keys, "masked_text")
        errors = self.word_errors(patches, tokens, token_mask, word_index, masked)
        return errors["token_error"] / errors["token_count"]

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        pixels = masked_mean(encoded["pixel_error"], batch["has_frontal"])
        count = jnp.sum(encoded["token_count"])
        words = jnp.sum(encoded["token_error"]) / jnp.maximum(count, 1.0)
        return pixels + self.text_weight * words, {
            "pixel_loss": (pixels, 1.0),
            "language_loss": (words, 1.0),
            "word_accuracy": (jnp.sum(encoded["token_hits"]), count),
        }

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        """All patches are seen; features are their mean, as the release fine-tunes it."""
        patches = self.image_encoder(self.preprocess(images)).patches.astype(jnp.float32)
        features = jnp.mean(patches, axis=1)
        return Embedding(unit_norm(features), unit_norm(patches), features)
