# SPDX-License-Identifier: Apache-2.0
"""Systems that ask an image about a fixed list of findings, each a text: MedKLIP and KAD.

The list is an option, recorded with every checkpoint: queries attend to one another, so what a
system says of one finding depends on which others it is asked about. Any other text is asked beside
the whole list: it sees the list and itself, the list does not see it, and texts do not see one
another.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.projection_heads import MlpHead
from medst_jax.models.heads.query_decoder import (
    QueryDecoder,
    QueryDecoderOptions,
    QueryOutput,
    normal_linear,
)
from medst_jax.models.layers.frozen import Frozen, freeze
from medst_jax.options import OptionError
from medst_jax.systems.parts.options import ImageTextOptions, check_no_flip
from medst_jax.systems.parts.towers import region_width, regions
from medst_jax.systems.parts.training_images import purpose_keys, training_images
from medst_jax.systems.parts.two_towers import TwoTowers
from medst_jax.systems.system import Batch, Embedding

QUERY_KEYS = ("frontal", "has_frontal", "entities", "example")
Tokens = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class QueryOptions(ImageTextOptions):
    """As ImageTextOptions, with what systems of queries add; `text` is frozen.

    decoder: its sizes; its width is that of projected regions.
    hidden: inner width of the projection of regions.
    stage: of a ResNet, whose map's cells are the regions; -1 the last.
    query_text: what stands for an entity, its "description" or its "name".
    entities, places: the lists, and entity_tokens, place_tokens: their texts as token ids, without
      padding; filled in by the trainer from the data.
    text_length: tokens of a text of the lists, the longest are cut.
    """

    decoder: QueryDecoderOptions = dataclasses.field(default_factory=QueryDecoderOptions)
    hidden: int = 1024
    stage: int = -2
    query_text: Literal["description", "name"] = "description"
    entities: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    entity_tokens: Tokens = ()
    place_tokens: Tokens = ()
    text_length: int = 64

    def __post_init__(self) -> None:
        check_no_flip(self.augment)


class Queries(TwoTowers):
    """An image encoder, a frozen text encoder, and a decoder between their vectors.

    Attributes:
      entity_vectors: of the list, made once from the frozen text encoder, [Q, T].
    """

    has_text = False
    has_prototypes = True
    has_text_scores = True
    has_maps = True

    def __init__(self, options: QueryOptions, rngs: nnx.Rngs) -> None:
        if not options.entity_tokens or not options.place_tokens:
            raise OptionError(
                "config.system.entities or places is empty: this system asks about entities, which "
                "`prepare --entities` mines from the reports of a data set"
            )
        super().__init__(options, rngs)
        freeze(self.text_encoder)
        self.labels = options.entities
        self.stage = options.stage
        self.entity_tokens, self.place_tokens = options.entity_tokens, options.place_tokens
        width = region_width(self.image_encoder, options, options.stage)
        self.region_head = MlpHead(width, options.hidden, options.decoder.width, rngs=rngs)
        self.decoder = QueryDecoder(options.decoder, rngs=rngs)
        self.classifier = normal_linear(options.decoder.width, 2, rngs)

    def prepare(self) -> None:
        self.entity_vectors = Frozen(self._listed_vectors(self.entity_tokens), axes=(None, "embed"))

    def describe(self, tokens: jax.Array, token_mask: jax.Array) -> jax.Array:
        """Vectors float32 [B, T] of texts, int32 and bool [B, L], by the frozen text encoder."""
        states = self.text_encoder(tokens, token_mask).hidden_states[-1]
        return states[:, 0].astype(jnp.float32)

    def query(self, vectors: jax.Array) -> jax.Array:
        """Vectors of texts [..., T] as queries [..., D] of the decoder."""
        return vectors

    def _listed_vectors(self, listed: Tokens) -> jax.Array:
        length = max(map(len, listed))
        mask = jnp.array([[k < len(row) for k in range(length)] for row in listed])
        ids = jnp.array([[*row, *[0] * (length - len(row))] for row in listed], jnp.int32)
        return self.describe(ids, mask)

    def _trained_regions(self, batch: Batch, keys: jax.Array | None) -> jax.Array:
        """Projected regions [B, P, D] of the training forward pass."""
        images = training_images(self, batch, keys)
        output = self.image_encoder(images, train=True, keys=purpose_keys(keys, "image"))
        return self.region_head(regions(output, self.stage).astype(jnp.float32))

    def _regions(self, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Projected regions [B, P, D] of uint8 images, and features [B, F] of the same map."""
        cells = regions(self.image_encoder(self.preprocess(images)), self.stage)
        cells = cells.astype(jnp.float32)
        return self.region_head(cells), jnp.mean(cells, axis=1)

    def _answers(self, features: jax.Array) -> jax.Array:
        """Logit of presence less that of absence, [..., Q], of answers [..., Q, D]."""
        logits = self.classifier(features.astype(jnp.float32))
        return logits[..., 1] - logits[..., 0]

    def _ask(self, patches: jax.Array, asked: jax.Array, valid: jax.Array) -> QueryOutput:
        """Answers to the list and to further texts beside it.

        Args:
          patches: [B, P, D].
          asked: vectors [B, N, T] of the texts.
          valid: bool [B, N], false where there is no text.
        """
        listed = jnp.broadcast_to(
            self.entity_vectors[...], (len(patches), *self.entity_vectors[...].shape)
        )
        number = jnp.arange(listed.shape[1] + asked.shape[1])
        sees = (number[None, :] < listed.shape[1]) | (number[:, None] == number[None, :])
        there = jnp.concatenate([jnp.ones(listed.shape[:2], bool), valid], axis=1)
        return self.decoder(
            self.query(jnp.concatenate([listed, asked], axis=1)),
            patches,
            query_mask=sees[None] & there[:, None, :],
        )

    def encode_image(self, images: jax.Array, **views: jax.Array) -> Embedding:
        patches, features = self._regions(images)
        return Embedding(unit_norm(jnp.mean(patches, axis=1)), unit_norm(patches), features)

    def class_logits(self, images: jax.Array) -> jax.Array:
        patches, _ = self._regions(images)
        return self._answers(self.decoder(self.query(self.entity_vectors[...]), patches).features)

    @property
    def has_similarities(self) -> bool:
        """The decoder's answers are more than cosines."""
        return True

    def similarities(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        patches, _ = self._regions(images)
        vectors, valid = self.describe(tokens, token_mask), jnp.any(token_mask, axis=1)
        asked = jnp.broadcast_to(vectors, (len(images), *vectors.shape))
        there = jnp.broadcast_to(valid, (len(images), len(valid)))
        features = self._ask(patches, asked, there).features
        return self._answers(features)[:, -len(tokens) :]

    def text_scores(
        self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        return self.similarities(image, tokens, token_mask, *words)[0]

    def region_scores(
        self, images: jax.Array, tokens: jax.Array, token_mask: jax.Array, *words: jax.Array
    ) -> jax.Array:
        patches, _ = self._regions(images)
        asked = self.describe(tokens, token_mask)[:, None]
        return self._ask(patches, asked, jnp.any(token_mask, axis=1)[:, None]).maps[-1, :, -1]
