# SPDX-License-Identifier: Apache-2.0
"""Mutual information of images and reports: global, and local by sentences and regions.

Reference: Liao et al., "Multimodal Representation Learning via Maximization of Local Mutual
Information", arXiv:2103.04537; global form from the authors' release. Two estimators: "dv"
(MINE, Donsker-Varadhan) and "infonce" (CPC, per anchor). In the release the two differ by a
constant, so their gradients are identical; here each is what the paper says.
"""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.mutual_information import donsker_varadhan_loss, info_nce_loss
from medst_jax.models.heads.critic import pair_scores
from medst_jax.systems.parts.information import Information, MutualInformationOptions
from medst_jax.systems.parts.pairs import negative_mask, own_is_highest, paired
from medst_jax.systems.parts.running_mean import RunningMean
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@register("mutual_information")
class MutualInformation(Information):
    """Global: the image's features against the whole text's."""

    required_keys: ClassVar[tuple[str, ...]] = (
        "frontal",
        "has_frontal",
        "tokens",
        "token_mask",
        "text_source",
        "example",
        "study",
        "text",
    )
    Options = MutualInformationOptions

    def __init__(self, options: MutualInformationOptions):
        super().__init__(options, stage=None)
        self.bound = GLOBAL_BOUNDS[options.estimator](options)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        text = self._pooled(batch["tokens"], batch["token_mask"], purpose_keys(keys, "text"))
        return {"image": self._image(batch, keys).pooled, "text": text}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask = paired(batch)
        scores = pair_scores(self.critic, encoded["image"], encoded["text"], self.chunk)
        loss = self.bound(scores, negative_mask(batch), mask)
        return loss, {"text_to_image_accuracy": own_is_highest(scores, mask)}


class InfoNce(nnx.Module):
    """CPC's bound; it holds no state."""

    def __init__(self, options: MutualInformationOptions):
        del options

    def __call__(self, scores: jax.Array, negatives: jax.Array, mask: jax.Array) -> jax.Array:
        """See `info_nce_loss`; scores [B, B], negatives bool [B, B], mask bool [B]."""
        return info_nce_loss(scores, negatives, mask=mask)


class DonskerVaradhan(RunningMean):
    """MINE's bound with the running mean of exp(score) over negatives."""

    def __init__(self, options: MutualInformationOptions):
        super().__init__(options.moving_average)

    def __call__(self, scores: jax.Array, negatives: jax.Array, mask: jax.Array) -> jax.Array:
        """See `donsker_varadhan_loss`; the running mean takes in this batch first."""
        allowed = negatives & mask[:, None] & mask[None, :] & ~jnp.eye(len(mask), dtype=bool)
        log_mean = self.updated(scores, allowed)
        return donsker_varadhan_loss(scores, negatives, log_mean=log_mean, mask=mask)


GLOBAL_BOUNDS: dict[str, type[InfoNce] | type[DonskerVaradhan]] = {
    "infonce": InfoNce,
    "dv": DonskerVaradhan,
}
