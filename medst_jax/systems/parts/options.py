# SPDX-License-Identifier: Apache-2.0
"""Options that image-text systems share."""

import dataclasses
from typing import Any, Literal

from medst_jax.data.images.augment import Augment
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.options import OptionError, before, options_of

LossForm = Literal["dense", "chunked", "ring"]
Negatives = Literal["other_texts", "all"]
# Of the encoder that a mapping names.
ENCODER = "medst_jax.systems.parts.towers:encoder_defaults"


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """An image encoder and what surrounds it; every value is plain JSON.

    image: {"name": ..., overrides of the encoder's options}.
    joint: width E of the joint space.
    temperature: initial temperature; the learned log-scale starts at log(1 / temperature).
    labels: the label vocabulary of the data, for prototypes; filled in by the trainer.
    """

    image: dict[str, Any] = dataclasses.field(metadata=options_of(ENCODER))
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
    """

    text: dict[str, Any] = dataclasses.field(default_factory=dict, metadata=options_of(ENCODER))


@dataclasses.dataclass(frozen=True)
class ContrastiveOptions(ImageTextOptions):
    """As ImageTextOptions, for systems whose loss compares all pairs of a batch.

    loss_form: how the loss over all pairs is computed; "ring" needs the memory of a device's own
      rows alone, "chunked" that of one block, "dense" that of the whole matrix. Same value.
    loss_chunk: rows and columns of a block of the ring and chunked forms; None for 1,024.
    negatives: "other_texts": rows of another study with another text; "all": every other row, as
      most releases take them.
    """

    loss_form: LossForm = "dense"
    loss_chunk: int | None = None
    negatives: Negatives = dataclasses.field(default="other_texts", metadata=before("other_texts"))

    def __post_init__(self) -> None:
        check_chunk("loss_chunk", self.loss_chunk, self.loss_form)


def check_chunk(name: str, chunk: int | None, form: LossForm) -> None:
    """Raise an OptionError where a form cannot be cut into blocks of that size."""
    if chunk is not None and (chunk < 1 or form == "dense"):
        raise OptionError(
            f"config.system.{name} is {chunk} with loss_form {form!r}; "
            "it must be at least 1, of the chunked or the ring form"
        )


def check_image(image: dict[str, Any], prefix: str | tuple[str, ...], needs: str) -> None:
    """Raise an OptionError unless the image encoder's name begins with `prefix`, or one of several.

    `needs` says why.
    """
    name = str(image.get("name", ""))
    if not name.startswith(prefix):
        raise OptionError(f"config.system.image.name is {name!r}; {needs}")


def check_no_flip(augment: Augment) -> None:
    """Raise an OptionError where images are mirrored that are read with reports."""
    if augment.flip != "none":
        raise OptionError(
            f"config.system.augment.flip is {augment.flip!r}; reports name sides: use none"
        )
