# SPDX-License-Identifier: Apache-2.0
"""MGCA: reports and images aligned as wholes, by words and regions, and by clusters of diseases.

Reference: Wang et al., "Multi-Granularity Cross-modal Alignment for Generalized Medical Visual
Representation Learning", arXiv:2210.06044: `L = w1 L_ita + w2 L_cta + w3 L_cpa`. Words weigh what
[CLS] pays attention to; so do the patches of a ViT, while the regions of a ResNet all weigh the same.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.prototype import prototype_loss
from medst_jax.losses.selection import in_form
from medst_jax.losses.token_alignment import token_alignment_loss
from medst_jax.models.heads.contrastive import Prototypes, lengths, unit_norm
from medst_jax.models.heads.projection_heads import (
    BatchNormHead,
    HeadForm,
    LinearHead,
    aligning_head,
)
from medst_jax.models.heads.token_weights import clipped_shares
from medst_jax.models.layers.word_pieces import aggregate_words, distinct_words
from medst_jax.options import OptionError, before
from medst_jax.systems.parts.aligned_tokens import aligned_tokens
from medst_jax.systems.parts.options import ContrastiveOptions, check_image, check_no_flip
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, paired
from medst_jax.systems.parts.towers import region_width, regions
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class MgcaOptions(ContrastiveOptions):
    """heads: "batch_norm", the paper's; or "linear", for few steps from random weights, see
      `models.aligning_head`.
    hidden: inner width of heads with batch norm.
    temperature, local_temperature, prototype_temperature: fixed, of the three terms.
    global_weight, local_weight, prototype_weight: of the three terms.
    prototypes: number of clusters K.
    epsilon, iterations: of the assignment to them (Sinkhorn-Knopp).
    prototype_start: steps in which the clusters stay as they are; the release's first epoch.
    stage: of a ResNet, whose map's cells are the regions; -1 the last. A ViT's are its patches.
    local_negatives: "other_words": an equal word of the text is no negative of a word; "all": it is, as
      released.
    """

    joint: int = 128
    heads: HeadForm = "batch_norm"
    hidden: int = 2048
    temperature: float = 0.07
    local_temperature: float = 0.1
    prototype_temperature: float = 0.2
    global_weight: float = 1.0
    local_weight: float = 1.0
    prototype_weight: float = 1.0
    prototypes: int = 500
    epsilon: float = 0.05
    iterations: int = 3
    prototype_start: int = 0
    stage: int = -2
    local_negatives: Literal["other_words", "all"] = dataclasses.field(
        default="other_words", metadata=before("all")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_no_flip(self.augment)
        reads = (
            "mgca reads the map of a ResNet (resnet50, resnet_small), or the patches of a ViT "
            "(vit_b16, vit_small) and what its class token attends to"
        )
        check_image(self.image, ("resnet", "vit"), reads)
        if self.image.get("pooling", "cls") != "cls":
            raise OptionError(f"config.system.image.pooling is {self.image['pooling']!r}; {reads}")


@register("mgca")
class Mgca(ContrastiveTowers):
    """Global, token-wise and prototype-wise alignment."""

    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "word_index")
    Options = MgcaOptions

    def __init__(self, options: MgcaOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)
        self.temperature = options.temperature
        self.local_temperature = options.local_temperature
        self.prototype_temperature = options.prototype_temperature
        self.global_weight, self.local_weight = options.global_weight, options.local_weight
        self.prototype_weight = options.prototype_weight
        self.local_negatives = options.local_negatives
        self.epsilon, self.iterations = options.epsilon, options.iterations
        self.prototype_start, self.stage = options.prototype_start, options.stage
        self.weighs_patches = str(options.image["name"]).startswith("vit")

        def head(features: int) -> BatchNormHead | LinearHead:
            return aligning_head(options.heads, features, options.hidden, options.joint, rngs=rngs)

        self.image_head = head(self.image_encoder.features)
        self.region_head = head(region_width(self.image_encoder, options, options.stage))
        self.text_head = head(self.text_encoder.features)
        self.word_head = head(self.text_encoder.features)
        self.prototypes = Prototypes(options.prototypes, options.joint, rngs=rngs)
        self.steps = nnx.BatchStat(jnp.zeros((), jnp.int32), axes=())

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        asked = {"attention": True} if self.weighs_patches else {}
        output = self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"), **asked)
        mask, numbers = batch["token_mask"], batch["word_index"]
        encoded = self.text_encoder(batch["tokens"], mask, keys=purpose_keys(keys, "text"))
        states = encoded.hidden_states[-1]
        words, word_mask = aggregate_words(states, numbers)
        # Of [CLS], which is no word itself; how it weighs the words is not trained.
        attention = jnp.mean(self.text_encoder.attention(encoded, mask)[:, :, 0], axis=1)
        shares, _ = aggregate_words(jax.lax.stop_gradient(attention), numbers)
        seen = {}
        if self.weighs_patches:
            weights = jax.lax.stop_gradient(output.attention)
            seen["patch_weights"] = clipped_shares(weights, jnp.ones_like(weights, bool))
        return {
            **seen,
            "image": output.pooled,
            "patches": regions(output, self.stage),
            "text": states[:, 0],
            "words": words,
            "word_mask": word_mask,
            "word_weights": clipped_shares(shares, word_mask),
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask, scale = paired(batch), 1 / self.temperature
        image = unit_norm(self.image_head(encoded["image"], train=True, mask=mask))
        text = unit_norm(self.text_head(encoded["text"], train=True, mask=mask))
        negatives = self.negative_pairs(batch)
        mean = self.pair_loss(image, text, scale, mask=mask, negative_mask=negatives)
        alignment = 2 * mean  # the paper sums both directions where CLIP takes their mean
        word_mask = encoded["word_mask"] & mask[:, None]
        region_mask = jnp.broadcast_to(mask[:, None], encoded["patches"].shape[:2])
        words, patches = aligned_tokens(
            self.word_head, self.region_head, encoded, word_mask, region_mask
        )
        patch_weights = encoded.get("patch_weights")
        if patch_weights is None:
            patch_weights = jnp.full(region_mask.shape, 1 / region_mask.shape[1])
        word_term, patch_term = token_alignment_loss(
            words,
            patches,
            word_mask,
            region_mask,
            encoded["word_weights"],
            patch_weights,
            temperature=self.local_temperature,
            negative_mask=None
            if self.local_negatives == "all"
            else distinct_words(batch["tokens"], batch["word_index"]),
        )
        clusters = prototype_loss(
            image,
            text,
            self._prototypes(),
            temperature=self.prototype_temperature,
            epsilon=self.epsilon,
            iterations=self.iterations,
            mask=mask,
        )
        total = (
            self.global_weight * alignment
            + self.local_weight * (word_term + patch_term)
            + self.prototype_weight * clusters
        )
        return total, {
            "global_loss": (alignment, 1.0),
            "word_loss": (word_term, 1.0),
            "patch_loss": (patch_term, 1.0),
            "prototype_loss": (clusters, 1.0),
            **self.pair_metrics(image, text, mask),
        }

    def _prototypes(self) -> jax.Array:
        """[K, E]; without a gradient in the first steps."""
        kernel = self.prototypes.kernel[...]
        if not self.prototype_start:
            return kernel
        before = self.steps[...]
        self.steps.set_value(before + 1)
        trains = before >= self.prototype_start
        return jnp.where(trains, kernel, jax.lax.stop_gradient(kernel))

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        output = self.image_encoder(self.preprocess(images))
        local = unit_norm(self.region_head(regions(output, self.stage)))
        return Embedding(unit_norm(self.image_head(output.pooled)), local, output.pooled)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        """Embed texts; `local` holds tokens, which training sums to words."""
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        features = states[:, 0].astype(jnp.float32)
        local = unit_norm(self.word_head(states))
        report = self.text_head(features)
        return Embedding(unit_norm(report), local, features, lengths(report))
