# SPDX-License-Identifier: Apache-2.0
"""BioViL-L: BioViL with a local loss between words and patches.

Reference: Boecking et al., arXiv:2204.09817, section 4.5: the local loss is GLoRIA's (Huang et
al., ICCV 2021), on projected words and patches.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from medst_jax.losses.gloria import gloria_local_loss
from medst_jax.losses.selection import in_form
from medst_jax.options import before
from medst_jax.systems.biovil import Biovil, BiovilOptions
from medst_jax.systems.parts.options import Negatives, check_chunk
from medst_jax.systems.parts.pairs import negative_pairs, paired
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics


@dataclasses.dataclass(frozen=True)
class BiovilLOptions(BiovilOptions):
    """local_weight: of the local loss.

    word_temperature, pool_temperature, local_temperature: divisors of the attention over
    patches, of the cosines that are pooled over words, and of the logits.
    local_chunk: texts and images of a block of the local loss, which has the form of `loss_form`;
      None for 4.
    local_negatives: as `negatives`, of the local loss; the releases take all.
    """

    local_weight: float = 1.0
    word_temperature: float = 0.25
    pool_temperature: float = 0.2
    local_temperature: float = 0.1
    local_chunk: int | None = None
    local_negatives: Negatives = dataclasses.field(default="other_texts", metadata=before("all"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_chunk("local_chunk", self.local_chunk, self.loss_form)


@register("biovil_l")
class BiovilL(Biovil):
    """Global and local alignment and masked language modelling."""

    Options: ClassVar[type] = BiovilLOptions

    def __init__(self, options: BiovilLOptions):
        super().__init__(options)
        self.local_weight = options.local_weight
        self.word_temperature = options.word_temperature
        self.pool_temperature = options.pool_temperature
        self.local_temperature = options.local_temperature
        self.local_negatives = options.local_negatives
        self.local_loss = in_form(gloria_local_loss, options.loss_form, options.local_chunk)

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        total, metrics = super().objective(encoded, batch)
        words = (batch["word_index"] >= 0) & paired(batch)[:, None]
        local = self.local_loss(
            encoded["text"].astype(jnp.float32),
            encoded["patches"].astype(jnp.float32),
            words,
            word_temperature=1 / self.word_temperature,
            pool_temperature=1 / self.pool_temperature,
            # A pair's similarity is pool_temperature * log sum exp(cosine / pool_temperature).
            scale=self.pool_temperature / self.local_temperature,
            negative_mask=None if self.local_negatives == "all" else negative_pairs(batch),
        )
        return total + self.local_weight * local, {**metrics, "local_loss": (local, 1.0)}
