# SPDX-License-Identifier: Apache-2.0
"""BioViL-T: an image is read together with the patient's prior image, where there is one.

Reference: Bannur et al., "Learning to Exploit Temporal Structure for Biomedical Vision-Language
Processing", arXiv:2301.04558: hybrid image encoder, global and local alignment, and hidden words
predicted from the text and the image. There, cross-attention sits in every layer of the text
encoder; here one layer follows the encoder, so that the text is encoded by the same function
with and without an image. No training code was released.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.encoders.hybrid_temporal_encoder import HybridTemporalOptions
from medst_jax.models.layers.cross_attention import CrossAttention
from medst_jax.options import options_of
from medst_jax.systems.biovil_l import BiovilL, BiovilLOptions
from medst_jax.systems.parts.masked_words import MaskOptions
from medst_jax.systems.parts.towers import temporal_encoder
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding


@dataclasses.dataclass(frozen=True)
class BiovilTOptions(BiovilLOptions):
    """pooler: overrides of `HybridTemporalOptions` other than its backbone, which is `image`."""

    mask: MaskOptions = dataclasses.field(default_factory=lambda: MaskOptions(rate=0.45))
    pooler: dict[str, Any] = dataclasses.field(
        default_factory=dict, metadata=options_of(lambda _: HybridTemporalOptions)
    )


@register("biovil_t")
class BiovilT(BiovilL):
    """BioViL-L with a prior image and image-guided masked language modelling."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *BiovilL.required_keys,
        "prior_frontal",
        "has_prior",
    )
    Options: ClassVar[type] = BiovilTOptions

    def __init__(self, options: BiovilTOptions):
        super().__init__(options)
        text = self.text_encoder.options
        self.guide = CrossAttention(
            text.width,
            options.joint,
            text.heads,
            text.mlp,
            rate=text.dropout,
            dtype=text.dtype,
            rngs=nnx.Rngs(options.seed + 1),
        )

    def make_image_encoder(self, options: Any, rngs: nnx.Rngs) -> Any:
        return temporal_encoder(options, options.pooler, rngs=rngs)

    def training_patches(self, batch: Batch, keys: jax.Array | None) -> jax.Array:
        current = training_images(self, batch, keys)
        # One draw of geometry for both, so that what moved is the patient.
        prior = training_images(self, batch, keys, "prior_frontal")
        has_prior = batch["has_prior"]
        # An absent prior must not enter the batch statistics as a black image.
        prior = jnp.where(has_prior[:, None, None, None], prior, current)
        output = self.image_encoder(
            current, prior, has_prior, train=True, keys=purpose_keys(keys, "image")
        )
        return output.patches

    def attend_to_image(
        self, states: jax.Array, patches: jax.Array, keys: jax.Array | None
    ) -> jax.Array:
        return self.guide(states, patches.astype(states.dtype), keys=keys)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        """Embed images, with `prior_frontal` uint8 [B, S, S, 1] and `has_prior` bool [B] if given."""
        current = self.preprocess(images)
        if "prior_frontal" not in views:
            return self._embedding(self.image_encoder(current))
        prior = self.preprocess(views["prior_frontal"])
        return self._embedding(self.image_encoder(current, prior, views.get("has_prior")))
