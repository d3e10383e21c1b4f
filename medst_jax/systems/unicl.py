# SPDX-License-Identifier: Apache-2.0
"""UniCL: CLIP's encoders, with every pair that shares a positive label as a positive.

Reference: Yang et al., arXiv:2204.03610, as the UniCL baseline of arXiv:2504.05227: images
carry their study's labels, texts those of the drawn sentence or prompt.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from medst_jax.losses.selection import in_form
from medst_jax.losses.unicl import unicl_loss
from medst_jax.systems.clip import Clip
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.parts.pairs import paired
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics


@register("unicl")
class UniCL(Clip):
    """As CLIP, trained on image-text-label space."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *Clip.required_keys,
        "labels",
        "label_mask",
        "text_labels",
        "text_label_mask",
    )

    def __init__(self, options: ContrastiveOptions):
        super().__init__(options)
        self.pair_loss = in_form(unicl_loss, options.loss_form, options.loss_chunk)

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        labels = (
            jnp.where(batch["label_mask"], batch["labels"], 0.0),
            jnp.where(batch["text_label_mask"], batch["text_labels"], 0.0),
        )
        scale, negatives = self.scale(), self.negative_pairs(batch)
        loss = self.pair_loss(image, text, scale, *labels, mask=mask, negative_mask=negatives)
        return loss, {**self.pair_metrics(image, text, mask), "scale": (scale, 1.0)}
