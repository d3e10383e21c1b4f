# SPDX-License-Identifier: Apache-2.0
"""Local mutual information: sentences of a report and regions of its image.

Reference: Liao et al., "Multimodal Representation Learning via Maximization of Local Mutual
Information", arXiv:2103.04537; estimators as in `mutual_information`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp

from medst_jax.data.batch import example_keys
from medst_jax.losses.local_information import (
    local_donsker_varadhan_loss,
    local_info_nce_loss,
    local_negatives,
)
from medst_jax.models.heads.critic import pair_scores
from medst_jax.options import before
from medst_jax.systems.mutual_information import MutualInformation
from medst_jax.systems.parts.information import Information, MutualInformationOptions
from medst_jax.systems.parts.pairs import negative_mask, paired
from medst_jax.systems.parts.running_mean import RunningMean
from medst_jax.systems.parts.sentences import cut_sentences
from medst_jax.systems.parts.towers import regions
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class LocalMutualInformationOptions(MutualInformationOptions):
    """stage: of the encoder, whose map's cells are the regions; -1 the last.

    sentences: M kept of a report.
    sentence_length: K tokens of each, [CLS] included.
    denominator: of the gradient of "dv": "moving_average", or the mean of "batch", which earlier
      runs took whatever their `moving_average`.
    """

    stage: int = -2
    sentences: int = 8
    sentence_length: int = 24
    denominator: Literal["moving_average", "batch"] = dataclasses.field(
        default="moving_average", metadata=before("batch")
    )


class LocalDonskerVaradhan(RunningMean):
    """MINE's bound of sentences and images with its running mean."""

    def __call__(
        self, scores: jax.Array, sentence_mask: jax.Array, negatives: jax.Array
    ) -> jax.Array:
        """See `local_donsker_varadhan_loss`; the running mean takes in this batch first."""
        allowed = local_negatives(sentence_mask, negatives)
        log_mean = self.updated(jnp.where(allowed, scores, 0.0), allowed)
        return local_donsker_varadhan_loss(scores, sentence_mask, negatives, log_mean=log_mean)


@register("local_mutual_information")
class LocalMutualInformation(Information):
    """Local: every sentence against the region of the image that suits it best."""

    required_keys: ClassVar[tuple[str, ...]] = (*MutualInformation.required_keys, "sentence_index")
    has_maps = True
    Options = LocalMutualInformationOptions

    def __init__(self, options: LocalMutualInformationOptions):
        super().__init__(options, stage=options.stage)
        self.bound = self._bound(options)
        self.sentences, self.sentence_length = options.sentences, options.sentence_length

    @staticmethod
    def _bound(options: LocalMutualInformationOptions) -> Callable[..., jax.Array]:
        if options.estimator == "infonce":
            return local_info_nce_loss
        if options.denominator == "batch":
            return local_donsker_varadhan_loss
        return LocalDonskerVaradhan(options.moving_average)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        length = min(self.sentence_length, batch["tokens"].shape[1])  # no sentence is longer
        cut = cut_sentences(batch["tokens"], batch["sentence_index"], self.sentences, length)
        text_keys = purpose_keys(keys, "text")
        if text_keys is not None:
            number = jnp.arange(self.sentences)
            fold = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (0, None))
            text_keys = fold(text_keys, number).reshape(-1)
        flat = (-1, length)
        pooled = self._pooled(cut.tokens.reshape(flat), cut.token_mask.reshape(flat), text_keys)
        return {
            "regions": regions(self._image(batch, keys), self.stage),
            "sentences": pooled.reshape(len(cut.mask), self.sentences, -1),
            "sentence_mask": cut.mask,
        }

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        pairs = paired(batch)
        mask = encoded["sentence_mask"] & pairs[:, None]
        sentences = encoded["sentences"]
        flat = sentences.reshape(-1, sentences.shape[-1])
        scores = pair_scores(self.critic, encoded["regions"], flat, self.chunk)
        scores = scores.reshape(*mask.shape, len(mask))
        loss = self.bound(scores, mask, negative_mask(batch))
        own = jnp.take_along_axis(scores, jnp.arange(len(mask))[:, None, None], axis=2)[..., 0]
        hit = mask & (own >= jnp.max(jnp.where(pairs, scores, -jnp.inf), axis=2))
        return loss, {"sentence_to_image_accuracy": (jnp.sum(hit * 1.0), jnp.sum(mask * 1.0))}

    def _features(self, output: Any) -> jax.Array:
        # The mean region: what lies behind the regions' stage is not trained.
        return jnp.mean(regions(output, self.stage).astype(jnp.float32), axis=1)

    def region_scores(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        sides = self.critic.sides(self._places(images), self._pooled(tokens, token_mask))
        return jax.vmap(lambda image, text: self.critic.combine(image[None], text[None])[0, 0])(
            *sides
        )
