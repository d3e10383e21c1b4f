# SPDX-License-Identifier: Apache-2.0
"""Local mutual information: sentences of a report and regions of its image.

Reference: Liao et al., "Multimodal Representation Learning via Maximization of Local Mutual
Information", arXiv:2103.04537; estimators as in `mutual_information`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from medst_jax.data.batch import example_keys
from medst_jax.losses.local_information import local_donsker_varadhan_loss, local_info_nce_loss
from medst_jax.models.heads.critic import pair_scores
from medst_jax.systems.mutual_information import MutualInformation
from medst_jax.systems.parts.information import Information, MutualInformationOptions
from medst_jax.systems.parts.pairs import negative_mask, paired
from medst_jax.systems.parts.sentences import cut_sentences
from medst_jax.systems.parts.towers import regions
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs

LOCAL_BOUNDS: dict[str, Callable[..., jax.Array]] = {
    "infonce": local_info_nce_loss,
    "dv": local_donsker_varadhan_loss,
}


@dataclasses.dataclass(frozen=True)
class LocalMutualInformationOptions(MutualInformationOptions):
    """stage: of the encoder, whose map's cells are the regions; -1 the last.

    sentences: M kept of a report. sentence_length: K tokens of each, [CLS] included.
    """

    stage: int = -2
    sentences: int = 8
    sentence_length: int = 24


@register("local_mutual_information")
class LocalMutualInformation(Information):
    """Local: every sentence against the region of the image that suits it best."""

    required_keys: ClassVar[tuple[str, ...]] = (*MutualInformation.required_keys, "sentence_index")
    has_maps = True
    Options = LocalMutualInformationOptions

    def __init__(self, options: LocalMutualInformationOptions):
        super().__init__(options, stage=options.stage)
        self.bound = LOCAL_BOUNDS[options.estimator]
        self.sentences, self.sentence_length = options.sentences, options.sentence_length

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
