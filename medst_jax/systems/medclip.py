# SPDX-License-Identifier: Apache-2.0
"""MedCLIP: an image and a text may be anybody's; how alike their labels are says how well they match.

Reference: Wang et al., "MedCLIP: Contrastive Learning from Unpaired Medical Images and Text",
arXiv:2210.10163, equations 3-6. An image carries its study's labels, a text those of the drawn sentence
or prompt. The paper compares label vectors by their cosine, the release by the plain product.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from medst_jax.data.batch import example_keys
from medst_jax.losses.pairwise import Pairwise
from medst_jax.losses.selection import in_form
from medst_jax.losses.soft_target import soft_target_clip_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.options import OptionError, before
from medst_jax.systems.clip import Clip
from medst_jax.systems.parts.options import ContrastiveOptions
from medst_jax.systems.parts.pairs import PAIR_KEYS, paired
from medst_jax.systems.parts.towers import text_features
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class MedclipOptions(ContrastiveOptions):
    """similarity: of label vectors, whose softmax is the target.

    second_text: whether a second draw of the text, with its own labels, gives a second loss; the mean
      of both counts. The release alters the words of the first one, with its labels, which loses
      a "no" at times.
    """

    similarity: Literal["product", "cosine"] = "product"
    second_text: bool = dataclasses.field(default=True, metadata=before(False))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.negatives != "other_texts":
            raise OptionError(
                f"config.system.negatives is {self.negatives!r}; medclip has no negatives: how alike "
                "labels are says how well any two rows match"
            )


@register("medclip")
class Medclip(Clip):
    """CLIP's encoders under the semantic matching loss."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *PAIR_KEYS,
        "labels",
        "label_mask",
        "text_labels",
        "text_label_mask",
        "second_tokens",
        "second_mask",
        "second_labels",
        "second_label_mask",
    )
    Options = MedclipOptions

    def __init__(self, options: MedclipOptions):
        super().__init__(options)
        self.similarity, self.second_text = options.similarity, options.second_text
        self.pair_loss = in_form(soft_target_clip_loss, options.loss_form, options.loss_chunk)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        encoded = super().encode(batch, rngs=rngs)
        if not self.second_text:
            return encoded
        keys = purpose_keys(example_keys(rngs, batch["example"]), "second_text")
        pooled, _ = text_features(
            self.text_encoder, batch["second_tokens"], batch["second_mask"], keys
        )
        return {**encoded, "second_text": self.text_projection(pooled)}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        loss = self._matching(encoded["image"], encoded["text"], "text_", batch)
        if self.second_text:
            second = self._matching(encoded["image"], encoded["second_text"], "second_", batch)
            loss = 0.5 * (loss + second)
        return loss, {"scale": (self.scale(), 1.0)}

    def _matching(self, image: jax.Array, text: jax.Array, drawn: str, batch: Batch) -> jax.Array:
        """The loss of one text of each row, whose labels' keys begin with `drawn`."""
        sides = (
            (batch["labels"], batch["label_mask"]),
            (batch[f"{drawn}labels"], batch[f"{drawn}label_mask"]),
        )
        # Without any known label a target would be uniform, which says that nothing fits anything.
        known = [jnp.any(mask, axis=1) for _, mask in sides]
        rows, columns = (self._directions(jnp.where(mask, x, 0.0)) for x, mask in sides)
        return self.pair_loss(
            image,
            text,
            self.scale(),
            Pairwise(rows, columns, _products),
            mask=paired(batch) & known[0] & known[1],
        )

    def _directions(self, labels: jax.Array) -> jax.Array:
        return unit_norm(labels) if self.similarity == "cosine" else labels


def _products(rows: jax.Array, columns: jax.Array) -> jax.Array:
    return rows @ columns.T
