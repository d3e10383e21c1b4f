# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT: a text encoder of radiology, from general text to reports, in three phases.

Reference: Boecking et al., "Making the Most of Text Semantics to Improve Biomedical
Vision-Language Processing", arXiv:2204.09817, section 3.1. Phases I and II are masked language
modelling on general and clinical text ("cxr_bert_language"); phase III adds radiology section
matching ("cxr_bert"): the findings and the impression of a report must find each other. No
training code was released; weights, dropout and temperature are the paper's where it gives them.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.systems.cxr_bert_language import CxrBertLanguage, TextOptions
from medst_jax.systems.parts.pairs import negative_mask, pair_metrics
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class CxrBertOptions(TextOptions):
    """temperature: of section matching. language_weight: of the masked language loss."""

    temperature: float = 0.5
    language_weight: float = 0.1


@register("cxr_bert")
class CxrBert(CxrBertLanguage):
    """Phase III: section matching and masked language modelling on reports."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *CxrBertLanguage.required_keys,
        "study",
        "text",
        "findings_tokens",
        "findings_mask",
        "impression_tokens",
        "impression_mask",
    )
    Options: ClassVar[type] = CxrBertOptions

    def __init__(self, options: CxrBertOptions):
        super().__init__(options)
        self.temperature = options.temperature
        self.language_weight = options.language_weight

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        encoded = super().encode(batch, rngs=rngs)
        for name, purpose in (("findings", "text"), ("impression", "impression")):
            states = self.text_encoder(
                batch[f"{name}_tokens"], batch[f"{name}_mask"], keys=purpose_keys(keys, purpose)
            ).hidden_states[-1]
            encoded[name] = unit_norm(self.text_head(states[:, 0]))
        return encoded

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        findings, impression = encoded["findings"], encoded["impression"]
        mask = jnp.any(batch["findings_mask"], axis=1) & jnp.any(batch["impression_mask"], axis=1)
        matching = clip_loss(
            findings,
            impression,
            1 / self.temperature,
            mask=mask,
            negative_mask=self._other_impressions(batch),
        )
        language, metrics = super().objective(encoded, batch)
        hits = pair_metrics(findings, impression, mask)["image_to_text_accuracy"]
        metrics |= {"matching_loss": (matching, 1.0), "section_accuracy": hits}
        return matching + self.language_weight * language, metrics

    @staticmethod
    def _other_impressions(batch: Batch) -> jax.Array:
        """Bool [B, B]: pairs of other studies with another impression ("No acute disease.")."""
        tokens = batch["impression_tokens"]
        same = jnp.all(tokens[:, None, :] == tokens[None, :, :], axis=2)
        return negative_mask(batch) & ~same
