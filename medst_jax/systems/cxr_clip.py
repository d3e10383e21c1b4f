# SPDX-License-Identifier: Apache-2.0
"""CXR-CLIP: two images and two texts of a study, all of which belong together.

Reference: You et al., "CXR-CLIP: Toward Large Scale Chest X-ray Language-Image Pre-training", MICCAI 2023,
arXiv:2310.13292: multi-view supervision over the four image-text pairs, and a contrastive loss
between the two images and between the two texts.

The second image is the lateral, or the frontal under other draws of augmentation; the texts are FINDINGS
and IMPRESSION in either order, or two draws of a text, such as of a prompt bank.

Other than the release: a report's two texts are never one section twice if it has both (there half of them
are), and their sentences are shuffled (there that has no effect); it also translates texts back and
forth.
"""

import dataclasses
import math
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.pairwise import Pairwise
from medst_jax.losses.selection import in_form
from medst_jax.models.encoders.towers import last_token
from medst_jax.models.heads.contrastive import Temperature, unit_norm
from medst_jax.models.heads.projection_heads import LinearHead
from medst_jax.options import before
from medst_jax.systems.parts.options import ContrastiveOptions, check_no_flip
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, paired
from medst_jax.systems.parts.towers import image_features
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import ContrastiveTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class CxrClipOptions(ContrastiveOptions):
    """image_weight, text_weight: of the loss between the images and of that between the texts.

    texts: "independent": the two sections in either order, or two draws of the text; "repeated": FINDINGS,
      then IMPRESSION, and one draw in place of each that is missing.
    equal_sections: of rows that share one of their two texts: "excluded", no negatives of each other;
      or "negatives", where the text that was drawn is another, such as the whole report.
    """

    image_weight: float = 1.0
    text_weight: float = 0.5
    texts: Literal["independent", "repeated"] = dataclasses.field(
        default="independent", metadata=before("repeated")
    )
    equal_sections: Literal["excluded", "negatives"] = dataclasses.field(
        default="excluded", metadata=before("negatives")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_no_flip(self.augment)


@register("cxr_clip")
class CxrClip(ContrastiveTowers):
    """Two encoders with linear projections and one learned temperature, which has no bound."""

    required_keys: ClassVar[tuple[str, ...]] = (
        *CONTRAST_KEYS,
        "lateral",
        "has_lateral",
        "findings_tokens",
        "findings_mask",
        "impression_tokens",
        "impression_mask",
        "findings_text",
        "impression_text",
        "second_tokens",
        "second_mask",
        "second_text",
    )
    Options = CxrClipOptions

    def __init__(self, options: CxrClipOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.image_weight, self.text_weight = options.image_weight, options.text_weight
        self.texts, self.equal_sections = options.texts, options.equal_sections
        self.image_head = LinearHead(self.image_encoder.features, options.joint, rngs=rngs)
        self.text_head = LinearHead(self.text_encoder.features, options.joint, rngs=rngs)
        self.scale = Temperature(1 / options.temperature, highest=math.inf)
        self.pair_loss = in_form(clip_loss, options.loss_form, options.loss_chunk)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        lateral = batch["has_lateral"][:, None, None, None]
        second = {**batch, "second": jnp.where(lateral, batch["lateral"], batch["frontal"])}
        views = (
            training_images(self, batch, keys),
            training_images(self, second, keys, "second", "augment_lateral"),
        )
        # One pass over both, so that they share the batch norm's statistics.
        features, _ = image_features(
            self.image_encoder,
            jnp.concatenate(views),
            train=True,
            keys=_repeat_keys(purpose_keys(keys, "image")),
        )
        images = jnp.split(unit_norm(self.image_head(features)), 2)
        pair = [_section(batch, name, drawn) for name, drawn in self._drawn().items()]
        order = purpose_keys(keys, "order")
        if self.texts == "independent" and order is not None:
            pair = _in_either_order(pair, jax.vmap(jax.random.bernoulli)(order))
        texts = [
            self._text(text.tokens, text.mask, purpose_keys(keys, purpose))
            for text, purpose in zip(pair, ("text", "impression"), strict=True)
        ]
        return {"images": jnp.stack(images, axis=1), "texts": jnp.stack(texts, axis=1)}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask, scale, negatives = paired(batch), self.scale(), self.negative_pairs(batch)
        images, texts = (jnp.unstack(encoded[side], axis=1) for side in ("images", "texts"))

        def contrast(one: jax.Array, other: jax.Array) -> jax.Array:
            return self.pair_loss(one, other, scale, mask=mask, negative_mask=negatives)

        crossed = [contrast(image, text) for image in images for text in texts]
        across = sum(crossed, jnp.float32(0)) / len(crossed)
        between_images, between_texts = contrast(*images), contrast(*texts)
        total = across + self.image_weight * between_images + self.text_weight * between_texts
        return total, {
            "pair_loss": (across, 1.0),
            "image_loss": (between_images, 1.0),
            "text_loss": (between_texts, 1.0),
            "scale": (scale, 1.0),
            **self.pair_metrics(images[0], texts[0], mask),
        }

    def negative_pairs(self, batch: Batch) -> Pairwise | None:
        """Pairs of rows of two studies none of whose texts is equal to one of the other's."""
        if self.equal_sections == "negatives" or self.negatives == "all":
            return super().negative_pairs(batch)
        ids = [_section(batch, name, drawn).text for name, drawn in self._drawn().items()]
        sides = batch["study"], jnp.stack(ids, axis=1)
        return Pairwise(sides, sides, _share_nothing)

    def _drawn(self) -> dict[str, str]:
        """Each section, and the prefix of the keys of what stands for it where it is missing."""
        return {"findings": "", "impression": "second_" if self.texts == "independent" else ""}

    def _text(
        self, tokens: jax.Array, token_mask: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        states = self.text_encoder(tokens, token_mask, keys=keys).hidden_states
        return unit_norm(self.text_head(last_token(states, token_mask, None)[0]))

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        features, local = image_features(self.image_encoder, self.preprocess(images), train=False)
        projected, cells = unit_norm(self.image_head(features)), unit_norm(self.image_head(local))
        return Embedding(projected, cells, features)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        states = self.text_encoder(tokens, token_mask).hidden_states
        features, local, _ = last_token(states, token_mask, None)
        projected, words = unit_norm(self.text_head(features)), unit_norm(self.text_head(local))
        return Embedding(projected, words, features)


class _Text(NamedTuple):
    """tokens and mask [B, L]; text int32 [B], equal numbers for equal texts."""

    tokens: jax.Array
    mask: jax.Array
    text: jax.Array


def _section(batch: Batch, name: str, drawn: str) -> _Text:
    """A section; of a report without it, what was drawn, whose keys begin with `drawn`."""
    there = jnp.any(batch[f"{name}_mask"], axis=1)
    mask = batch[f"{drawn}mask" if drawn else "token_mask"]
    return _Text(
        jnp.where(there[:, None], batch[f"{name}_tokens"], batch[f"{drawn}tokens"]),
        jnp.where(there[:, None], batch[f"{name}_mask"], mask),
        jnp.where(there, batch[f"{name}_text"], batch[f"{drawn}text"]),
    )


def _in_either_order(pair: list[_Text], swap: jax.Array) -> list[_Text]:
    """The same two texts, exchanged in the rows [B] where `swap` is true."""

    def choose(one: jax.Array, other: jax.Array) -> jax.Array:
        return jnp.where(swap.reshape(-1, *[1] * (one.ndim - 1)), other, one)

    return [jax.tree.map(choose, pair[k], pair[1 - k]) for k in (0, 1)]


def _share_nothing(
    rows: tuple[jax.Array, jax.Array], columns: tuple[jax.Array, jax.Array]
) -> jax.Array:
    (study, texts), (other_study, other_texts) = rows, columns
    shared = jnp.any(texts[:, None, :, None] == other_texts[None, :, None, :], axis=(2, 3))
    return (study[:, None] != other_study[None, :]) & ~shared


def _repeat_keys(keys: jax.Array | None) -> jax.Array | None:
    """Keys [2B] of which the second half draws otherwise than the first."""
    if keys is None:
        return None
    return jnp.concatenate([keys, jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys)])
