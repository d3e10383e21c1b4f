# SPDX-License-Identifier: Apache-2.0
"""UniCL: CLIP's encoders, with every pair that shares a positive label as a positive.

Reference: Yang et al., arXiv:2204.03610, as the UniCL baseline of arXiv:2504.05227: images
carry their study's labels, texts those of the drawn sentence or prompt.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp

from medst_jax.systems.clip import Clip
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

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text = encoded["image"], encoded["text"]
        mask = paired(batch)
        labels = (
            jnp.where(batch["label_mask"], batch["labels"], 0.0),
            jnp.where(batch["text_label_mask"], batch["text_labels"], 0.0),
        )
        loss, metrics = self.contrast(
            "unicl", image, text, self.scale(), *labels, mask=mask, batch=batch
        )
        return loss, {**metrics, "scale": (self.scale(), 1.0)}
