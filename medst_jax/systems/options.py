# SPDX-License-Identifier: Apache-2.0
"""Options that image-text systems share."""

import dataclasses
from typing import Any, Literal

from medst_jax.data.augment import Augment
from medst_jax.data.preprocess import Preprocess
from medst_jax.options import OptionError


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
    """As ImageOptions, with what image-text systems add.

    text: the text encoder, {"name": ..., overrides of its options}.
    loss_form: how the loss over all pairs is computed; "ring" needs the memory of a device's own
      rows alone, "chunked" that of one block, "dense" that of the whole matrix. Same value.
    loss_chunk: rows and columns of a block of the ring and chunked forms; None for 1,024.
    """

    text: dict[str, Any] = dataclasses.field(default_factory=dict)
    loss_form: Literal["dense", "chunked", "ring"] = "dense"
    loss_chunk: int | None = None

    def __post_init__(self) -> None:
        if self.loss_chunk is not None and (self.loss_chunk < 1 or self.loss_form == "dense"):
            raise OptionError(
                f"config.system.loss_chunk is {self.loss_chunk} with loss_form {self.loss_form!r}; "
                "it must be at least 1, of the chunked or the ring form"
            )
