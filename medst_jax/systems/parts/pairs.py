# SPDX-License-Identifier: Apache-2.0
"""Which rows of a batch pair up, and which pairs may serve as negatives."""

import jax
import jax.numpy as jnp

from medst_jax.losses.pairwise import Pairwise
from medst_jax.systems.system import Batch, Metrics

# What the forward pass of an image and its text reads, and what tells pairs apart.
PAIR_KEYS = ("frontal", "has_frontal", "tokens", "token_mask", "text_source", "example")
CONTRAST_KEYS = (*PAIR_KEYS, "study", "text")


def negative_pairs(batch: Batch) -> Pairwise:
    """The bool matrix [B, B] that is false for pairs of one study or with identical text.

    Two images of one study share a report, and a prompt is drawn many times over: such pairs
    are no evidence that image and text disagree.
    """
    ids = (batch["study"], batch["text"])
    return Pairwise(ids, ids, _differ)


def paired(batch: Batch) -> jax.Array:
    """bool [B], the rows that have an image and a text."""
    return batch["has_frontal"] & (batch["text_source"] > 0)


def negative_mask(batch: Batch) -> jax.Array:
    """`negative_pairs` written out."""
    return jnp.asarray(negative_pairs(batch).matrix())


def _differ(rows: tuple[jax.Array, jax.Array], columns: tuple[jax.Array, jax.Array]) -> jax.Array:
    (study, text), (other_study, other_text) = rows, columns
    return (study[:, None] != other_study[None, :]) & (text[:, None] != other_text[None, :])


def pair_metrics(image: jax.Array, text: jax.Array, mask: jax.Array) -> Metrics:
    """Share of valid images whose most similar valid text is their own or an equal one."""
    return {"image_to_text_accuracy": own_is_highest(image @ text.T, mask)}


def own_is_highest(scores: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Valid rows of [B, B] in which no valid column is above the diagonal; and all valid rows."""
    scores = jnp.where(mask[None, :], scores, -jnp.inf)
    hit = mask & (jnp.diagonal(scores) >= jnp.max(scores, axis=1))
    return jnp.sum(hit * 1.0), jnp.sum(mask * 1.0)
