# SPDX-License-Identifier: Apache-2.0
"""SigLIP: CLIP's encoders, every image-text pair a binary classification of its own.

Reference: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", arXiv:2303.15343. The
logit of a pair is scale * cosine + bias, both learned; the scale starts at 10 and is not bounded
from above, the bias at -10, so that the many negatives weigh little at the start.
"""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.losses.selection import in_form
from medst_jax.losses.siglip import siglip_loss
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.systems.clip import Clip
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.parts.pairs import paired
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics


@dataclasses.dataclass(frozen=True)
class SiglipOptions(ContrastiveOptions):
    """bias: initial value of the logits' bias."""

    temperature: float = 0.1
    bias: float = -10.0


@register("siglip")
class Siglip(Clip):
    """As CLIP, with a bias and the sigmoid loss."""

    required_keys: ClassVar[tuple[str, ...]] = Clip.required_keys
    Options = SiglipOptions

    def __init__(self, options: SiglipOptions):
        super().__init__(options)
        self.scale = Temperature(1 / options.temperature, highest=math.inf)
        self.bias = nnx.Param(jnp.float32(options.bias), axes=())
        self.pair_loss = in_form(siglip_loss, options.loss_form, options.loss_chunk)

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        scale, bias, negatives = self.scale(), self.bias[...], self.negative_pairs(batch)
        loss = self.pair_loss(image, text, scale, bias, mask=mask, negative_mask=negatives)
        metrics = self.pair_metrics(image, text, mask)
        return loss, {**metrics, "scale": (scale, 1.0), "bias": (bias, 1.0)}
