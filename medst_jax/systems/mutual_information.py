# SPDX-License-Identifier: Apache-2.0
"""Mutual information of images and reports: global, and local by sentences and regions.

Reference: Liao et al., "Multimodal Representation Learning via Maximization of Local Mutual
Information", arXiv:2103.04537; global form from the authors' release. Two estimators: "dv"
(MINE, Donsker-Varadhan) and "infonce" (CPC, per anchor). In the release the two differ by a
constant, so their gradients are identical; here each is what the paper says.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses import donsker_varadhan_loss, info_nce_loss
from medst_jax.losses.local_information import local_donsker_varadhan_loss, local_info_nce_loss
from medst_jax.models import unit_norm
from medst_jax.models.critic import CRITICS, CriticOptions, pair_scores
from medst_jax.models.dropout import dropout
from medst_jax.models.pooler import Pooler
from medst_jax.systems.embedding import Embedding
from medst_jax.systems.options import ImageTextOptions
from medst_jax.systems.pairs import negative_mask, paired
from medst_jax.systems.registry import register
from medst_jax.systems.sentences import cut_sentences
from medst_jax.systems.system import Batch, Metrics, Rngs
from medst_jax.systems.towers import region_width, regions
from medst_jax.systems.training_images import purpose_keys, training_images
from medst_jax.systems.two_towers import TwoTowers

Estimator = Literal["dv", "infonce"]
_TEXT_DROPOUT_SITE = 1000  # sites inside the encoder are small numbers


@dataclasses.dataclass(frozen=True)
class MutualInformationOptions(ImageTextOptions):
    """estimator: "dv" or "infonce". critic: its form and sizes.

    moving_average: weight of the new batch in MINE's running mean of exp(score), which takes
      the small-batch bias out of its gradient; 1 uses the batch alone.
    text_dropout: of the pooled text, in [0, 1).
    """

    estimator: Estimator = "infonce"
    critic: CriticOptions = dataclasses.field(default_factory=CriticOptions)
    moving_average: float = 0.1
    text_dropout: float = 0.1


class _Information(TwoTowers):
    """Encoders, pooler and critic that the two forms share.

    A critic scores pairs: image and text meet in no common space, so evaluators see an image
    encoder only.
    """

    has_text = False
    has_text_scores = True

    def __init__(self, options: Any, stage: int | None):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.pooler = Pooler(self.text_encoder.features, rngs=rngs)
        self.stage = stage
        width = region_width(self.image_encoder, options, stage)
        self.critic = CRITICS[options.critic.name](
            width, self.text_encoder.features, options.critic, rngs=rngs
        )
        self.chunk = options.critic.chunk
        self.text_dropout = options.text_dropout

    def _image(self, batch: Batch, keys: jax.Array | None) -> Any:
        images = training_images(self, batch, keys)
        return self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"))

    def _pooled(
        self, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        states = self.text_encoder(tokens, token_mask, keys=keys).hidden_states[-1]
        return dropout(self.pooler(states), self.text_dropout, keys, _TEXT_DROPOUT_SITE)

    def _places(self, images: jax.Array) -> jax.Array:
        """What the critic reads of uint8 images, [B, P, D]; the best place counts."""
        output = self.image_encoder(self.preprocess(images))
        return output.pooled[:, None] if self.stage is None else regions(output, self.stage)

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        sides = self.critic.sides(self._places(image), self._pooled(tokens, token_mask))
        return jnp.max(self.critic.combine(*sides)[:, 0], axis=1)

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        output = self.image_encoder(self.preprocess(images))
        features = self._features(output)
        local = unit_norm(regions(output, self.stage))
        return Embedding(unit_norm(features), local, features)

    def _features(self, output: Any) -> jax.Array:
        """What probes read, float32 [B, D]."""
        return output.pooled


@register("mutual_information")
class MutualInformation(_Information):
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
        own = jnp.diagonal(scores) >= jnp.max(jnp.where(mask, scores, -jnp.inf), axis=1)
        hits = (jnp.sum((own & mask) * 1.0), jnp.sum(mask * 1.0))
        return loss, {"text_to_image_accuracy": hits}


class InfoNce(nnx.Module):
    """CPC's bound; it holds no state."""

    def __init__(self, options: MutualInformationOptions):
        del options

    def __call__(self, scores: jax.Array, negatives: jax.Array, mask: jax.Array) -> jax.Array:
        """See `info_nce_loss`; scores [B, B], negatives bool [B, B], mask bool [B]."""
        return info_nce_loss(scores, negatives, mask=mask)


class DonskerVaradhan(nnx.Module):
    """MINE's bound with the running mean of exp(score) over negatives, kept as its logarithm."""

    def __init__(self, options: MutualInformationOptions):
        self.weight = options.moving_average
        # The logarithm of the running mean, and whether there has been a batch yet.
        self.log_mean = nnx.BatchStat(jnp.zeros(()), axes=())
        self.started = nnx.BatchStat(jnp.zeros((), bool), axes=())

    def __call__(self, scores: jax.Array, negatives: jax.Array, mask: jax.Array) -> jax.Array:
        """See `donsker_varadhan_loss`; the running mean takes in this batch first."""
        allowed = negatives & mask[:, None] & mask[None, :] & ~jnp.eye(len(mask), dtype=bool)
        some = jnp.any(allowed)
        detached = jax.lax.stop_gradient(scores)
        count = jnp.maximum(jnp.sum(allowed), 1)
        batch = jax.nn.logsumexp(detached, where=allowed | ~some) - jnp.log(count)
        kept = jnp.log1p(-self.weight) if self.weight < 1 else -jnp.inf
        mixed = jnp.logaddexp(self.log_mean[...] + kept, batch + jnp.log(self.weight))
        log_mean = jnp.where(self.started[...], mixed, batch)
        log_mean = jnp.where(some, log_mean, self.log_mean[...])
        self.log_mean.set_value(log_mean)
        self.started.set_value(self.started[...] | some)
        return donsker_varadhan_loss(scores, negatives, log_mean=log_mean, mask=mask)


GLOBAL_BOUNDS: dict[str, type[InfoNce] | type[DonskerVaradhan]] = {
    "infonce": InfoNce,
    "dv": DonskerVaradhan,
}
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
class LocalMutualInformation(_Information):
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
