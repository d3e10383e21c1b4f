# SPDX-License-Identifier: Apache-2.0
"""LoVT: an image against its report, and their regions and sentences against what each sees of the other.

Reference: Mueller et al., "Joint Learning of Localized Representations from Medical Images and
Reports", arXiv:2112.02889. Regions attend to sentences and sentences to regions through one set of projections;
each part is to find itself in what it has read, among the parts of its own image or report. In the release
batch norms and the mean query count padded sentences; here they do not.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.convirt import convirt_loss
from medst_jax.losses.region_contrast import near_regions, region_contrast_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.pooled_attention import PooledAttention
from medst_jax.models.heads.projection_heads import BatchNormHead
from medst_jax.models.heads.shared_attention import SharedAttention
from medst_jax.options import OptionError
from medst_jax.systems.parts.options import ImageTextOptions, check_no_flip
from medst_jax.systems.parts.pairs import PAIR_KEYS, pair_metrics, paired
from medst_jax.systems.parts.sentences import sentence_maximum
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import TwoTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class LovtOptions(ImageTextOptions):
    """As ImageTextOptions.

    hidden: inner width of the projections.
    heads: of the attention that pools regions and sentences.
    sentences: M, of a report the first so many are read.
    temperature: of whole images and reports, fixed.
    image_weight: in [0, 1], of the image's choice among reports.
    local_temperature: of regions and sentences.
    local_weight: of each of the four local terms; 0 leaves them out.
    local_sentences: "own", or as a broken control "others": the local terms read the sentences of
      the next example of the batch.
    """

    hidden: int = 2048
    heads: int = 8
    sentences: int = 16
    temperature: float = 0.1
    image_weight: float = 0.75
    local_temperature: float = 0.3
    local_weight: float = 0.375
    local_sentences: Literal["own", "others"] = "own"

    def __post_init__(self) -> None:
        check_no_flip(self.augment)
        if self.sentences < 2:
            raise OptionError(
                f"config.system.sentences is {self.sentences}; a sentence is told from others of "
                "its report: at least 2 are needed"
            )


@register("lovt")
class Lovt(TwoTowers):
    """Two encoders, pooling by attention, four projections and the attention between both sides."""

    required_keys: ClassVar[tuple[str, ...]] = (*PAIR_KEYS, "sentence_index")
    Options: ClassVar[type] = LovtOptions

    def __init__(self, options: LovtOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.sentences = options.sentences
        self.temperature, self.image_weight = options.temperature, options.image_weight
        self.local_temperature = options.local_temperature
        self.local_weight, self.local_sentences = options.local_weight, options.local_sentences
        image, text = self.image_encoder.features, self.text_encoder.features
        self.image_pool = PooledAttention(image, image, options.heads, rngs=rngs)
        self.text_pool = PooledAttention(text, text, options.heads, rngs=rngs)

        def head(features: int) -> BatchNormHead:
            return BatchNormHead(
                features, options.hidden, options.joint, last_norm=False, rngs=rngs
            )

        self.image_head, self.region_head = head(image), head(image)
        self.text_head, self.sentence_head = head(text), head(text)
        self.attention = SharedAttention(options.joint, rngs=rngs)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        """Regions and sentences, what they come to as a whole, and how much each counts in it."""
        keys = example_keys(rngs, batch["example"])
        _, regions = image_features(
            self.image_encoder,
            training_images(self, batch, keys),
            train=True,
            keys=purpose_keys(keys, "image"),
        )
        states = self.text_encoder(
            batch["tokens"], batch["token_mask"], keys=purpose_keys(keys, "text")
        ).hidden_states[-1]
        sentences, there = sentence_maximum(states, batch["sentence_index"], self.sentences)
        image, region_shares = self.pooled_image(regions)
        text, sentence_shares = self.text_pool(sentences, there)
        return {
            "image": image,
            "text": text,
            "regions": regions,
            "sentences": sentences,
            "sentence_mask": there,
            "region_shares": region_shares,
            "sentence_shares": sentence_shares,
        }

    def pooled_image(self, regions: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Features [B, D] of an image from its regions [B, P, D], and the regions' shares."""
        return self.image_pool(regions, jnp.ones(regions.shape[:2], bool))

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask = paired(batch) & jnp.any(encoded["sentence_mask"], axis=1)
        image = unit_norm(self.image_head(encoded["image"], train=True, mask=mask))
        text = unit_norm(self.text_head(encoded["text"], train=True, mask=mask))
        matching = convirt_loss(image, text, self.temperature, self.image_weight, mask=mask)
        metrics = {"global_loss": (matching, 1.0), **pair_metrics(image, text, mask)}
        if self.local_weight == 0:
            return matching, metrics
        terms = self.local_terms(encoded, mask)
        metrics |= {f"{name}_loss": (term, 1.0) for name, term in terms.items()}
        return matching + self.local_weight * jnp.sum(jnp.stack([*terms.values()])), metrics

    def local_terms(self, encoded: dict[str, jax.Array], mask: jax.Array) -> dict[str, jax.Array]:
        """The four terms: regions and sentences, to what they read and from it."""
        names = ("sentences", "sentence_mask", "sentence_shares")
        text = {name: encoded[name] for name in names}
        if self.local_sentences == "others":
            text = {name: jnp.roll(value, 1, axis=0) for name, value in text.items()}
            mask = mask & jnp.roll(mask, 1)
        cells = encoded["regions"].shape[1]
        there = text["sentence_mask"] & mask[:, None]
        everywhere = jnp.broadcast_to(mask[:, None], encoded["regions"].shape[:2])
        regions = self.region_head(
            encoded["regions"].astype(jnp.float32), train=True, mask=everywhere
        )
        sentences = self.sentence_head(
            text["sentences"].astype(jnp.float32), train=True, mask=there
        )
        of_regions = self.attention(regions, sentences, there, counted=everywhere, train=True)
        of_sentences = self.attention(sentences, regions, everywhere, counted=there, train=True)
        near = near_regions(*_grid(cells))
        own = jnp.eye(self.sentences)
        pairs = {
            "region": (regions, of_regions, encoded["region_shares"], near, everywhere),
            "sentence": (sentences, of_sentences, text["sentence_shares"], own, there),
        }
        terms = {}
        for name, (one, two, shares, positives, known) in pairs.items():
            for suffix, sides in (("to", (one, two)), ("from", (two, one))):
                terms[f"{name}_{suffix}"] = region_contrast_loss(
                    *sides,
                    shares,
                    positives,
                    mask=known,
                    temperature=self.local_temperature,
                )
        return terms

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        _, regions = image_features(self.image_encoder, self.preprocess(images), train=False)
        features, _ = self.pooled_image(regions)
        local = self.region_head(regions.astype(jnp.float32))
        return Embedding(unit_norm(self.image_head(features)), unit_norm(local), features)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        """A text is read as one sentence."""
        states, sentence = self._one_sentence(tokens, token_mask)
        features, _ = self.text_pool(sentence, jnp.ones(sentence.shape[:2], bool))
        local = self.sentence_head(states.astype(jnp.float32))
        return Embedding(unit_norm(self.text_head(features)), unit_norm(local), features)

    def region_scores(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """What the attention between both sides says before its softmax."""
        _, regions = image_features(self.image_encoder, self.preprocess(images), train=False)
        _, sentence = self._one_sentence(tokens, token_mask)
        one = self.sentence_head(sentence.astype(jnp.float32))
        return self.attention.scores(one, self.region_head(regions.astype(jnp.float32)))[:, 0]

    def _one_sentence(
        self, tokens: jax.Array, token_mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """States [B, L, D] of a text, and their maximum [B, 1, D] over what is no special token."""
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        # The first and the last valid token are special ones; a text of these alone keeps them.
        place, count = jnp.arange(tokens.shape[1]), jnp.sum(token_mask, axis=1, keepdims=True)
        inside = token_mask & (place > 0) & (place < count - 1)
        inside = jnp.where(count > 2, inside, token_mask)
        sentence, _ = sentence_maximum(states, jnp.where(inside, 0, -1), 1)
        return states, sentence


def _grid(cells: int) -> tuple[int, int]:
    side = round(cells**0.5)
    if side * side != cells:
        raise ValueError(f"an image has {cells} regions, which are no square grid")
    return side, side
