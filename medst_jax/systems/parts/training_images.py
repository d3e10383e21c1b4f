# SPDX-License-Identifier: Apache-2.0
"""Preprocessed, augmented training images and the keys that each purpose draws from."""

from typing import Protocol

import jax

from medst_jax.data.images.augment import Augment
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.systems.system import Batch

PURPOSES = {
    "augment": 0,
    "image": 1,
    "text": 2,
    "mask": 3,
    "masked_text": 4,
    "impression": 5,
    "augment_lateral": 6,
    "order": 7,
    "second_text": 8,
    "decoder": 9,
    "places": 10,
    "text_decoder": 11,
    "pair": 12,
}


class HasPreprocess(Protocol):
    """How stored images become training images."""

    @property
    def preprocess(self) -> Preprocess:
        """To the encoder's input."""

    @property
    def augment(self) -> Augment:
        """What is changed at random before."""


def purpose_keys(keys: jax.Array | None, purpose: str) -> jax.Array | None:
    """Keys [B] of one purpose, independent of those of the others; None stays None."""
    if keys is None:
        return None
    number = PURPOSES[purpose]
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def training_images(
    system: HasPreprocess,
    batch: Batch,
    keys: jax.Array | None,
    view: str = "frontal",
    purpose: str = "augment",
) -> jax.Array:
    """Float images [B, s, s, c] of one view of the batch, augmented where `keys` [B] are given.

    Views drawn for one purpose get the same geometry, so that a pair stays in register.
    """
    drawn = purpose_keys(keys, purpose)
    if drawn is None:
        return system.preprocess(batch[view])
    return system.augment.training_pixels(batch[view], drawn, system.preprocess)
