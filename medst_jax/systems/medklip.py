# SPDX-License-Identifier: Apache-2.0
"""MedKLIP: findings of a report as questions to the image, whether each is there and where.

Reference: Wu et al., "MedKLIP: Medical Knowledge Enhanced Language-Image Pre-Training in Radiology", ICCV
2023, arXiv:2301.02228, and its release. Entities are descriptions, read by a frozen text encoder; of a
present entity one true place is told from seven that are not.

Other than the release: no flips, which leave left and right places as they were; validation images
are not augmented.
"""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.data.batch import example_keys
from medst_jax.data.records.schema import OUTSIDE, POSITIVE
from medst_jax.losses.query import place_loss, place_loss_all, query_loss
from medst_jax.models.heads.query_decoder import normal_linear
from medst_jax.models.layers.frozen import Frozen
from medst_jax.options import OptionError
from medst_jax.systems.parts.label_head import label_metrics
from medst_jax.systems.parts.queries import QUERY_KEYS, Queries, QueryOptions
from medst_jax.systems.parts.training_images import purpose_keys
from medst_jax.systems.registry import register
from medst_jax.systems.system import Batch, Metrics, Rngs


@dataclasses.dataclass(frozen=True)
class MedklipOptions(QueryOptions):
    """place_form: "drawn" offers `choices` places, the true one among them; "all" every place but
      further true ones.
    choices: places offered to an entity.
    place_weight: of the loss over places; 0 leaves them out.
    """

    place_form: Literal["drawn", "all"] = "drawn"
    choices: int = 8
    place_weight: float = 1.0


@register("medklip")
class Medklip(Queries):
    """Queries made of descriptions, a head for presence and one for places."""

    required_keys: ClassVar[tuple[str, ...]] = (*QUERY_KEYS, "entity_place", "entity_places")
    Options = MedklipOptions

    def __init__(self, options: MedklipOptions):
        rngs = nnx.Rngs(options.seed)
        super().__init__(options, rngs)
        if not 2 <= options.choices <= len(options.places):
            raise OptionError(
                f"config.system.choices is {options.choices}; it must be at least 2 and at most "
                f"the {len(options.places)} places"
            )
        width, words = options.decoder.width, self.text_encoder.features
        self.query_projection = normal_linear(words, width, rngs)
        self.place_head = normal_linear(width, words, rngs)
        self.place_form, self.choices = options.place_form, options.choices
        self.place_weight = options.place_weight
        self.prepare()

    def prepare(self) -> None:
        super().prepare()
        self.place_vectors = Frozen(self._listed_vectors(self.place_tokens), axes=(None, "embed"))

    def query(self, vectors: jax.Array) -> jax.Array:
        return self.query_projection(vectors)

    def encode(self, batch: Batch, *, rngs: Rngs) -> dict[str, jax.Array]:
        keys = example_keys(rngs, batch["example"])
        patches = self._trained_regions(batch, keys)
        answers = self.decoder(
            self.query(self.entity_vectors[...]), patches, keys=purpose_keys(keys, "decoder")
        )
        choices = draw_places(
            batch["entity_place"],
            batch["entity_places"],
            self.choices,
            purpose_keys(keys, "places"),
        )
        return {"answers": answers.features, "choices": choices}

    def objective(self, encoded: dict[str, jax.Array], batch: Batch) -> tuple[jax.Array, Metrics]:
        answers = encoded["answers"].astype(jnp.float32)
        codes = jnp.where(batch["has_frontal"][:, None], batch["entities"], OUTSIDE)
        logits = self.classifier(answers)
        presence = query_loss(logits, codes)
        located, positions = self.place_head(answers), self.place_vectors[...]
        if self.place_form == "drawn":
            places = place_loss(located, positions, encoded["choices"], codes)
        else:
            place, true = batch["entity_place"], batch["entity_places"]
            places = place_loss_all(located, positions, place, codes, candidates=~true)
        metrics = label_metrics(logits[..., 1] - logits[..., 0], codes == POSITIVE, codes >= 0)
        metrics |= {"presence_loss": (presence, 1.0), "place_loss": (places, 1.0)}
        return presence + self.place_weight * places, metrics


def draw_places(
    place: jax.Array, places: jax.Array, choices: int, keys: jax.Array | None
) -> jax.Array:
    """The true place of each entity and others that are not true of it.

    Args:
      place: int [B, Q], the true one, -1 for none.
      places: bool [B, Q, K], all true ones.
      choices: M, of which M - 1 are drawn; where fewer are left, true ones fill up.
      keys: [B] typed keys, one per example; None takes the first ones.

    Returns:
      int32 [B, Q, M], the true one first.
    """
    if keys is None:
        order = jnp.broadcast_to(-jnp.arange(places.shape[2], dtype=jnp.float32), places.shape)
    else:
        order = jax.vmap(lambda key: jax.random.uniform(key, places.shape[1:]))(keys)
    _, others = jax.lax.top_k(jnp.where(places, -jnp.inf, order), choices - 1)
    return jnp.concatenate([place[..., None].astype(jnp.int32), others], axis=2)
