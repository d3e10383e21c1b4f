# SPDX-License-Identifier: Apache-2.0
"""The dense, chunked or ring form of a loss, from its dense function or by name."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

Loss = Callable[..., Any]

# Name of a loss with several forms, to the file of its dense form.
FILES = {
    "clip": "clip",
    "siglip": "siglip",
    "unicl": "unicl",
    "soft_target_clip": "soft_target",
    "triage": "triage",
    "gloria_local": "gloria",
    "token_alignment": "token_alignment",
}
FORMS = ("dense", "chunked", "ring")


@functools.cache
def in_form(dense: Loss, form: str, chunk: int | None = None) -> Loss:
    """A loss in one of its forms: one signature, value and gradient.

    The same arguments give the same function, so that two systems with equal options are equal.

    Args:
      dense: such as `clip_loss`; the other forms are functions of its name in `losses/forms/`.
      form: "dense": the whole matrix of pairs at once; "chunked": one block at a time; "ring":
        each device of the ambient mesh holds its rows while the columns go around.
      chunk: of the chunked and ring forms, the largest number of rows and columns taken at once;
        None for 1,024, or 4 where pairs are matrices of tokens.

    Raises:
      ValueError: a loss of one form, an unknown form, a chunk below 1, or one of a dense loss.
    """
    name = dense.__name__.removesuffix("_loss")
    if name not in FILES:
        raise ValueError(f"loss {name!r} comes in one form or none; known: {', '.join(FILES)}")
    if form not in FORMS:
        raise ValueError(f"the form of loss {name!r} is {form!r}; known: {', '.join(FORMS)}")
    if form == "dense":
        if chunk is not None:
            raise ValueError(f"chunk is {chunk}, but the dense form of {name!r} has no chunks")
        return dense
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk of loss {name!r} is {chunk}; it must be at least 1")
    # Loaded here: a system with a dense loss reads none of the machinery of blocks.
    module = importlib.import_module(f"medst_jax.losses.forms.{form}")
    blockwise: Loss = getattr(module, dense.__name__)

    @functools.wraps(dense)
    def loss(*args: Any, **kwargs: Any) -> Any:
        return blockwise(*args, chunk=chunk, **kwargs)

    return loss


def select(name: str, form: str, *, chunk: int | None = None) -> Loss:
    """The loss `name`: one signature, value and gradient in every form.

    Args:
      name: "clip", "siglip", "unicl", "soft_target_clip", "triage", "gloria_local" or
        "token_alignment";
        a trailing "_loss" is allowed.
      form, chunk: see `in_form`.

    Raises:
      ValueError: an unknown name or form, a chunk below 1, or a chunk of a dense loss.
    """
    name = name.removesuffix("_loss")
    if name not in FILES:
        raise ValueError(f"loss {name!r} comes in one form or none; known: {', '.join(FILES)}")
    module = importlib.import_module(f"medst_jax.losses.{FILES[name]}")
    return in_form(getattr(module, f"{name}_loss"), form, chunk)
