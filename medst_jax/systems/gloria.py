# SPDX-License-Identifier: Apache-2.0
"""GLoRIA: reports against images as wholes, and words against the regions they attend to.

Reference: Huang et al., "GLoRIA: A Multimodal Global-Local Representation Learning Framework for
Label-efficient Medical Image Recognition", ICCV 2021; losses as in its release (the paper's attention has
no softmax over words). Text is not projected: it lives in BERT's width, to which the image is mapped.
Cited by the papers that build on it: MGCA (arXiv:2210.06044), BioViL-L (arXiv:2204.09817).

Other than the release: [CLS] is no word of the local loss; sentences are drawn without its off-by-one.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.gloria import gloria_local_loss, some_words, word_region_cosines
from medst_jax.losses.selection import in_form
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.projection_heads import LinearHead
from medst_jax.models.layers.word_pieces import aggregate_words
from medst_jax.options import OptionError, before
from medst_jax.systems.parts.options import (
    ContrastiveOptions,
    Negatives,
    check_chunk,
    check_no_flip,
)
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, negative_pairs, paired
from medst_jax.systems.parts.towers import last_layers, region_width, regions, token_mean
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class GloriaOptions(ContrastiveOptions):
    """joint: must be the width of the text encoder.

    temperature: fixed, divides the cosines of the global loss.
    word_temperature, pool_temperature, local_scale: factors of the attention over regions, of the
      cosines that are pooled over words, and of the logits.
    global_weight, local_weight: of the two terms.
    stage: of a ResNet, whose map's cells are the regions; -1 the last.
    similarity: of an image and a text in evaluation: "both", the mean of the cosine of their embeddings
      and of the best word's similarity, as released; or "global", the cosine alone.
    local_chunk: texts and images of a block of the local loss, which has the form of `loss_form`;
      None for 4.
    local_negatives: as `negatives`, of the local loss; the releases take all.
    """

    joint: int = 768
    temperature: float = 0.1
    word_temperature: float = 4.0
    pool_temperature: float = 5.0
    local_scale: float = 10.0
    global_weight: float = 1.0
    local_weight: float = 1.0
    stage: int = -2
    similarity: Literal["both", "global"] = dataclasses.field(
        default="both", metadata=before("global")
    )
    local_chunk: int | None = None
    local_negatives: Negatives = dataclasses.field(default="other_texts", metadata=before("all"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chunk("local_chunk", self.local_chunk, self.loss_form)
        check_no_flip(self.augment)


@register("gloria")
class Gloria(ContrastiveTowers):
    """Global and local alignment in the space of the text encoder."""

    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "word_index")
    reads_words = True
    Options = GloriaOptions

    def __init__(self, options: GloriaOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)
        self.local_loss = in_form(gloria_local_loss, options.loss_form, options.local_chunk)
        self.stage = options.stage
        self.temperature, self.local_scale = options.temperature, options.local_scale
        self.word_temperature = options.word_temperature
        self.pool_temperature = options.pool_temperature
        self.global_weight, self.local_weight = options.global_weight, options.local_weight
        self.local_negatives, self.similarity = options.local_negatives, options.similarity
        if self.text_encoder.features != options.joint:
            raise OptionError(
                f"config.system.joint is {options.joint}; gloria does not project texts: it must be "
                f"{self.text_encoder.features}, the width of config.system.text"
            )
        width = region_width(self.image_encoder, options, options.stage)
        self.image_head = LinearHead(self.image_encoder.features, options.joint, rngs=rngs)
        self.region_head = LinearHead(width, options.joint, bias=False, rngs=rngs)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        images = training_images(self, batch, keys)
        output = self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"))
        tokens, mask = batch["tokens"], batch["token_mask"]
        states = last_layers(self.text_encoder, tokens, mask, purpose_keys(keys, "text"))
        words, word_mask = aggregate_words(states, batch["word_index"])
        return {
            "image": unit_norm(self.image_head(output.pooled)),
            "regions": self.region_head(regions(output, self.stage)),
            "text": unit_norm(token_mean(states, mask)),
            "words": words,
            "word_mask": word_mask,
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask, scale = paired(batch), 1 / self.temperature
        image, text = encoded["image"], encoded["text"]
        negatives = self.negative_pairs(batch)
        mean = self.pair_loss(image, text, scale, mask=mask, negative_mask=negatives)
        local = self.local_loss(
            encoded["words"],
            encoded["regions"].astype(jnp.float32),
            encoded["word_mask"] & mask[:, None],
            word_temperature=self.word_temperature,
            pool_temperature=self.pool_temperature,
            scale=self.local_scale,
            negative_mask=None if self.local_negatives == "all" else negative_pairs(batch),
        )
        # Both terms are sums over the two directions, where CLIP takes their mean.
        total = self.global_weight * 2 * mean + self.local_weight * local
        metrics = self.pair_metrics(image, text, mask)
        return total, {"global_loss": (2 * mean, 1.0), "local_loss": (local, 1.0), **metrics}

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        output = self.image_encoder(self.preprocess(images))
        local = unit_norm(self.region_head(regions(output, self.stage)))
        return Embedding(unit_norm(self.image_head(output.pooled)), local, output.pooled)

    @property
    def has_similarities(self) -> bool:
        return self.similarity == "both"

    def similarities(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        if self.similarity == "global":
            return super().similarities(images, tokens, token_mask, *words)
        output = self.image_encoder(self.preprocess(images))
        image = unit_norm(self.image_head(output.pooled))
        cells = self.region_head(regions(output, self.stage)).astype(jnp.float32)
        states = last_layers(self.text_encoder, tokens, token_mask)
        spoken, word_mask = aggregate_words(states, *words)
        mask = some_words(word_mask)

        # One image at a time: all of them at once would hold words x regions of every pair.
        def best_word(cells: jax.Array) -> jax.Array:
            cosines = word_region_cosines(
                spoken, cells[None], mask, jnp.float32(self.word_temperature)
            )
            return jnp.max(cosines[0], axis=1, where=mask, initial=-1.0)

        local = self.pool_temperature * jax.lax.map(best_word, cells)
        return 0.5 * (image @ unit_norm(token_mean(states, token_mask)).T + local)

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        return self.similarities(image, tokens, token_mask, *words)[0]

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array) -> Embedding:
        """Embed texts; `local` holds tokens, which training sums to words."""
        states = last_layers(self.text_encoder, tokens, token_mask)
        features = token_mean(states, token_mask)
        return Embedding(unit_norm(features), unit_norm(states), features)
