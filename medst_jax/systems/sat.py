# SPDX-License-Identifier: Apache-2.0
"""SAT: pairs sorted by the likeness of their reports into positives, negatives and neutral ones.

Reference: Liu et al., "Improving Medical Vision-Language Contrastive Pretraining with Semantics-aware
Triage", IEEE TMI 2023, and its release, on the encoders and
projections of ConVIRT (arXiv:2010.00747). A second text encoder, which
stays as the first begins, tells how alike two whole reports are.

Other than the release: pairs of one study or of one text are positives whatever the likeness, and its
division of each anchor's terms by one more than the number of negatives, a slip, is left out.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.losses.pairwise import Pairwise
from medst_jax.losses.selection import in_form
from medst_jax.losses.shapes import similarities
from medst_jax.losses.triage import sort_pairs, triage_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.layers.frozen import freeze
from medst_jax.options import OptionError
from medst_jax.systems.convirt import ConvirtTowerOptions, ConvirtTowers
from medst_jax.systems.parts.options import LossForm, check_chunk
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, pair_metrics, paired
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs

# Above any cosine: of pairs that are positives whatever their reports say.
_SAME = 2.0


@dataclasses.dataclass(frozen=True)
class SatOptions(ConvirtTowerOptions):
    """high, low: pairs whose reports are more alike than `high` are positives, those at most as alike as
      `low` negatives, the rest neutral. Cosines of [CLS] lie close to 1 and differ between encoders:
      `python -m experiments.report_likeness` tells which limits give which shares of pairs.
    likeness: "text": the cosine of [CLS] in a frozen copy of the text encoder's first weights; "labels": the
      cosine of the texts' labels, 0 for a text that affirms none.
    permute_likeness: the broken control: each report is as like others as the next row's report is.
    loss_form, loss_chunk: see `ContrastiveOptions`.
    """

    image_weight: float = 0.5
    high: float = 0.98
    low: float = 0.97
    likeness: Literal["text", "labels"] = "text"
    permute_likeness: bool = False
    loss_form: LossForm = "dense"
    loss_chunk: int | None = None

    def __post_init__(self) -> None:
        check_chunk("loss_chunk", self.loss_chunk, self.loss_form)
        if not -1.0 <= self.low <= self.high <= 1.0:
            raise OptionError(
                f"config.system.low is {self.low} and config.system.high {self.high}; these are "
                "cosines, low at most high"
            )


@register("sat")
class Sat(ConvirtTowers):
    """ConVIRT's towers under the triage loss."""

    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "text_labels", "text_label_mask")
    Options = SatOptions

    def __init__(self, options: SatOptions):
        super().__init__(options)
        self.high, self.low = options.high, options.low
        self.likeness, self.permute_likeness = options.likeness, options.permute_likeness
        self.loss_form = options.loss_form
        self.pair_loss = in_form(triage_loss, options.loss_form, options.loss_chunk)
        self.prepare()

    def prepare(self) -> None:
        """Copy the text encoder as it begins."""
        if self.likeness == "text":
            self.judge = freeze(nnx.clone(self.text_encoder))

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        return {**super().encode(batch, rngs=rngs), "report": self.report_vectors(batch)}

    def report_vectors(self, batch: Batch) -> jax.Array:
        """Unit vectors float32 [B, D], or [B, C], whose cosines are the likeness; no gradient."""
        if self.likeness == "labels":
            known = batch["text_label_mask"].astype(jnp.float32)
            return unit_norm(batch["text_labels"] * known)
        states = self.judge(batch["tokens"], batch["token_mask"]).hidden_states[-1]
        return jax.lax.stop_gradient(unit_norm(states[:, 0]))

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        image, text, mask = encoded["image"], encoded["text"], paired(batch)
        alike = self.report_likeness(encoded["report"], batch)
        limits = dict(high=self.high, low=self.low)
        loss = self.pair_loss(
            image,
            text,
            1 / self.temperature,
            alike,
            **limits,
            image_weight=self.image_weight,
            mask=mask,
        )
        if self.loss_form != "dense":
            return loss, {}
        return loss, {**pair_metrics(image, text, mask), **_shares(alike, mask, **limits)}

    def report_likeness(self, reports: jax.Array, batch: Batch) -> Pairwise:
        """How alike the reports of two rows are, of vectors [B, D]."""
        if self.permute_likeness:
            reports = jnp.roll(reports, 1, axis=0)
        sides = (reports, batch["study"], batch["text"])
        return Pairwise(sides, sides, _likeness)


Side = tuple[jax.Array, jax.Array, jax.Array]


def _likeness(rows: Side, columns: Side) -> jax.Array:
    (reports, study, text), (others, other_study, other_text) = rows, columns
    same = (study[:, None] == other_study[None]) | (text[:, None] == other_text[None])
    return jnp.where(same, _SAME, similarities(reports, others))


def _shares(alike: Pairwise, mask: jax.Array, high: float, low: float) -> Metrics:
    """Which parts of the pairs of two rows are positive and neutral."""
    own = jnp.eye(len(mask), dtype=bool)
    both = mask[:, None] & mask[None, :]
    positives, negatives = sort_pairs(jnp.asarray(alike.matrix()), own, both, high, low)
    pairs = jnp.sum((both & ~own) * 1.0)
    return {
        "positive_pairs": (jnp.sum((positives & ~own) * 1.0), pairs),
        "neutral_pairs": (jnp.sum((both & ~positives & ~negatives) * 1.0), pairs),
    }
