# SPDX-License-Identifier: Apache-2.0
"""CARZero: how well image and text agree, as a decoder says that lets each question the other's parts.

Reference: Lai et al., "CARZero: Cross-Attention Alignment for Radiology Zero-Shot Classification",
CVPR 2024, arXiv:2402.17417, and its release. A text asks the regions of every image and an image the
words of every text; a perceptron makes each answer a score, and both matrices of scores enter CLIP's
loss. There is no joint space: texts are compared with images by the decoder alone.

Other than the release: padding is no word, special tokens are none either, the decoder has no dropout,
and no image is mirrored.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.losses.mutual_information import symmetric_info_nce_loss
from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.pair_decoder import PairDecoder, PairDecoderOptions, decoded_pairs
from medst_jax.models.heads.projection_heads import LinearHead, Unprojected
from medst_jax.models.layers.word_pieces import aggregate_words
from medst_jax.options import OptionError
from medst_jax.systems.parts.options import ImageTextOptions, Negatives, check_no_flip
from medst_jax.systems.parts.pairs import CONTRAST_KEYS, negative_mask, own_is_highest, paired
from medst_jax.systems.parts.towers import last_layers, region_width, regions, token_mean
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import TwoTowers
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Embedding, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class CarzeroOptions(ImageTextOptions):
    """joint: must be the width of the text encoder, and of a ViT's, which is not projected.

    decoder: its sizes; its width is `joint`.
    stage: of a ResNet, whose map's cells are the regions; -1 the last.
    negatives: "other_texts": rows of another study with another text; "all": every other row, as released.
    """

    joint: int = 768
    decoder: PairDecoderOptions = dataclasses.field(default_factory=PairDecoderOptions)
    stage: int = -2
    negatives: Negatives = "other_texts"

    def __post_init__(self) -> None:
        check_no_flip(self.augment)


@register("carzero")
class Carzero(TwoTowers):
    """Two encoders and one decoder, which image and text share as questions and as answers."""

    required_keys: ClassVar[tuple[str, ...]] = (*CONTRAST_KEYS, "word_index")
    has_text = False
    has_text_scores = True
    has_maps = True
    reads_words = True
    Options = CarzeroOptions

    def __init__(self, options: CarzeroOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        self.stage, self.negatives = options.stage, options.negatives
        self.chunk = options.decoder.chunk
        image, text = self.image_encoder.features, self.text_encoder.features
        if text != options.joint:
            raise OptionError(
                f"config.system.joint is {options.joint}; carzero does not project texts: it must be "
                f"{text}, the width of config.system.text"
            )
        self.image_head: LinearHead | Unprojected
        self.region_head: LinearHead | Unprojected
        if str(options.image["name"]).startswith("vit"):
            if image != options.joint:
                raise OptionError(
                    f"config.system.image has width {image}; carzero does not project a ViT: it must "
                    f"be {options.joint}, the width of config.system.text"
                )
            self.image_head, self.region_head = Unprojected(), Unprojected()
        else:
            width = region_width(self.image_encoder, options, options.stage)
            self.image_head = LinearHead(image, options.joint, rngs=rngs)
            self.region_head = LinearHead(width, options.joint, bias=False, rngs=rngs)
        self.decoder = PairDecoder(options.joint, options.decoder, rngs=rngs)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        output = self.image_encoder(
            training_images(self, batch, keys), train=True, keys=purpose_keys(keys, "image")
        )
        return {
            **self._seen(output),
            **self._read(
                batch["tokens"],
                batch["token_mask"],
                batch["word_index"],
                purpose_keys(keys, "text"),
            ),
        }

    def _seen(self, output: Any) -> dict[str, jax.Array]:
        """An image as a whole [B, E] and its regions [B, P, E], of its encoder's output."""
        return {
            "image": self.image_head(output.pooled.astype(jnp.float32)),
            "regions": self.region_head(regions(output, self.stage).astype(jnp.float32)),
        }

    def _read(
        self,
        tokens: jax.Array,
        token_mask: jax.Array,
        words: jax.Array,
        keys: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        """A text as a whole [B, E], its words [B, L, E] and where there are any."""
        states = last_layers(self.text_encoder, tokens, token_mask, keys)
        spoken, there = aggregate_words(states, words)
        return {"text": token_mean(states, token_mask), "words": spoken, "word_mask": there}

    def _scores(self, encoded: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """Every text's questions to every image [N, B], and every image's to every text [B, N]."""
        of_images, of_texts = _with_whole(encoded, "image"), _with_whole(encoded, "text")
        by_text = decoded_pairs(self.decoder, encoded["text"], *of_images, self.chunk)
        by_image = decoded_pairs(self.decoder, encoded["image"], *of_texts, self.chunk)
        return by_text, by_image

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        mask = paired(batch)
        negatives = None if self.negatives == "all" else negative_mask(batch)
        by_text, by_image = self._scores(encoded)
        of_texts = symmetric_info_nce_loss(by_text, negatives, mask=mask)
        of_images = symmetric_info_nce_loss(by_image, negatives, mask=mask)
        return of_texts + of_images, {
            "text_questions_loss": (of_texts, 1.0),
            "image_questions_loss": (of_images, 1.0),
            "image_to_text_accuracy": own_is_highest(by_text.T + by_image, mask),
        }

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        output = self.image_encoder(self.preprocess(images))
        seen = self._seen(output)
        return Embedding(unit_norm(seen["image"]), unit_norm(seen["regions"]), output.pooled)

    def similarities(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """The mean of both directions' scores, as released."""
        seen = self._seen(self.image_encoder(self.preprocess(images)))
        by_text, by_image = self._scores({**seen, **self._read(tokens, token_mask, *words)})
        return 0.5 * (by_text.T + by_image)

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        return self.similarities(image, tokens, token_mask, *words)[0]

    def region_scores(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        """What a sentence attends to, the mean over layers, without what goes to the image as a whole."""
        seen = self._seen(self.image_encoder(self.preprocess(images)))
        asked = self._read(tokens, token_mask, *words)["text"][:, None]
        return self.decoder.maps(asked, *_with_whole(seen, "image"))[:, 0, 1:]


_PARTS = {"image": "regions", "text": "words"}


def _with_whole(encoded: dict[str, jax.Array], side: str) -> tuple[jax.Array, jax.Array]:
    """The parts of one side behind the whole of it, [B, 1 + P, E], and which of them there are."""
    whole, parts = encoded[side], encoded[_PARTS[side]]
    known = encoded["word_mask"] if side == "text" else jnp.ones(parts.shape[:2], bool)
    first = jnp.ones_like(known[:, :1])
    return (
        jnp.concatenate([whole[:, None], parts], axis=1),
        jnp.concatenate([first, known], axis=1),
    )
