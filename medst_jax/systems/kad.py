# SPDX-License-Identifier: Apache-2.0
"""KAD: an image, and the findings of its report, under questions in the names of findings.

Reference: Zhang et al., "Knowledge-enhanced visual-language pre-training on chest radiology images",
Nature Communications 2023, arXiv:2302.14042, and its release (also called KED). The text is the list
of a report's findings, read by the frozen encoder of `kad_knowledge`; one decoder answers the same
questions by the image's regions and by the report's vector alone.

Other than the release: the contrastive term is CLIP's, of unit vectors under a learned scale, where the
release multiplies raw products by the logarithm of the scale; what a report does not mention is masked
(`blank`); no flips.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.records.schema import BLANK, NEGATIVE, OUTSIDE, POSITIVE, UNCERTAIN
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.query import query_loss
from medst_jax.losses.selection import in_form
from medst_jax.models.heads.contrastive import Temperature, unit_norm
from medst_jax.models.heads.projection_heads import KnowledgeHead
from medst_jax.models.heads.query_decoder import QueryDecoderOptions
from medst_jax.models.layers.frozen import freeze
from medst_jax.systems.parts.label_head import label_metrics
from medst_jax.systems.parts.options import LossForm, check_chunk
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, negative_pairs, pair_metrics, paired
from medst_jax.systems.parts.queries import Queries, QueryOptions
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class KadOptions(QueryOptions):
    """decoder: its width is that of the frozen encoder's vectors too.

    blank: what a finding counts as that the report does not mention or doubts: "mask" as the
      release's ignore index, "negative" as its default.
    text_weight, contrast_weight: of the answers by the report's vector, and of the contrastive
      term. loss_form, loss_chunk: as `ContrastiveOptions`.
    """

    decoder: QueryDecoderOptions = dataclasses.field(
        default_factory=lambda: QueryDecoderOptions(width=768, shared_norm=True)
    )
    query_text: Literal["description", "name"] = "name"
    blank: Literal["mask", "negative"] = "mask"
    text_weight: float = 1.0
    contrast_weight: float = 1.0
    loss_form: LossForm = "dense"
    loss_chunk: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chunk("loss_chunk", self.loss_chunk, self.loss_form)


@register("kad")
class Kad(Queries):
    """One decoder for both modalities, and a joint space beside it."""

    has_text = True
    shared_heads: ClassVar[tuple[str, ...]] = ("text_head",)
    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "entities")
    Options = KadOptions

    def __init__(self, options: KadOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.text_head = freeze(
            KnowledgeHead(self.text_encoder.features, options.decoder.width, rngs=rngs)
        )
        self.scale = Temperature(1 / options.temperature)
        self.blank, self.loss_form = options.blank, options.loss_form
        self.text_weight, self.contrast_weight = options.text_weight, options.contrast_weight
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)
        self.prepare()

    def describe(self, tokens: jax.Array, token_mask: jax.Array) -> jax.Array:
        return self.text_head(super().describe(tokens, token_mask))

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        patches = self._trained_regions(batch, keys)
        report = self.describe(batch["tokens"], batch["token_mask"])
        queries = self.query(self.entity_vectors[...])

        def answers(memory: jax.Array, purpose: str) -> jax.Array:
            decoded = self.decoder(queries, memory, keys=purpose_keys(keys, purpose))
            return self.classifier(decoded.features.astype(jnp.float32))

        return {
            "image_logits": answers(patches, "decoder"),
            "text_logits": answers(report[:, None], "text_decoder"),
            "image": unit_norm(jnp.mean(patches, axis=1)),
            "text": unit_norm(report),
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        codes = batch["entities"]
        if self.blank == "negative":
            unsaid = (codes == BLANK) | (codes == UNCERTAIN)
            codes = jnp.where(unsaid, jnp.int8(NEGATIVE), codes)
        seen = jnp.where(batch["has_frontal"][:, None], codes, OUTSIDE)
        read = jnp.where((batch["text_source"] > 0)[:, None], codes, OUTSIDE)
        logits = encoded["image_logits"]
        of_image = query_loss(logits, seen)
        of_text = query_loss(encoded["text_logits"], read)
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        contrast = self.pair_loss(
            image, text, self.scale(), mask=mask, negative_mask=negative_pairs(batch)
        )
        metrics = label_metrics(logits[..., 1] - logits[..., 0], seen == POSITIVE, seen >= 0)
        metrics |= {
            "image_loss": (of_image, 1.0),
            "text_loss": (of_text, 1.0),
            "contrast_loss": (contrast, 1.0),
            "scale": (self.scale(), 1.0),
        }
        if self.loss_form == "dense":
            metrics |= pair_metrics(image, text, mask)
        total = of_image + self.text_weight * of_text + self.contrast_weight * contrast
        return total, metrics

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states[-1].astype(jnp.float32)
        local = unit_norm(self.text_head(states))
        return Embedding(local[:, 0], local, states[:, 0])
