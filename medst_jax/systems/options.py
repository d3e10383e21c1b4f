# SPDX-License-Identifier: Apache-2.0
"""Options that image-text systems share."""

import dataclasses
from typing import Any

from medst_jax.data.augment import Augment
from medst_jax.data.preprocess import Preprocess


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """An image encoder and what surrounds it; every value is plain JSON.

    image: {"name": ..., overrides of the encoder's options}.
    joint: width E of the joint space.
    temperature: initial temperature; the learned log-scale starts at log(1 / temperature).
    labels: the label vocabulary of the data, for prototypes; filled in by the trainer.
    """

    image: dict[str, Any]
    joint: int = 512
    preprocess: Preprocess = dataclasses.field(default_factory=lambda: Preprocess(size=224))
    augment: Augment = dataclasses.field(default_factory=Augment)
    temperature: float = 0.07
    labels: tuple[str, ...] = ()
    vocabulary_size: int = 0
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class ImageTextOptions(ImageOptions):
    """As ImageOptions, with the text encoder: {"name": ..., overrides of its options}."""

    text: dict[str, Any] = dataclasses.field(default_factory=dict)
