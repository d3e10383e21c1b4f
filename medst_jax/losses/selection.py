# SPDX-License-Identifier: Apache-2.0
"""A loss by name and form: dense, chunked or ring."""

import functools
from collections.abc import Callable
from typing import Any

from medst_jax.losses import clip, gloria, siglip, soft_target, token_alignment, unicl
from medst_jax.losses.forms import chunked, ring

Loss = Callable[..., Any]

DENSE: dict[str, Loss] = {
    "clip": clip.clip_loss,
    "siglip": siglip.siglip_loss,
    "unicl": unicl.unicl_loss,
    "soft_target_clip": soft_target.soft_target_clip_loss,
    "gloria_local": gloria.gloria_local_loss,
    "token_alignment": token_alignment.token_alignment_loss,
}
FORMS = ("dense", "chunked", "ring")


def select(name: str, form: str, *, chunk: int | None = None) -> Loss:
    """The loss `name`: one signature, value and gradient in every form.

    Args:
      name: "clip", "siglip", "unicl", "soft_target_clip", "gloria_local" or "token_alignment";
        a trailing "_loss" is allowed.
      form: "dense": the whole matrix of pairs at once; "chunked": one block at a time; "ring":
        each device of the ambient mesh holds its rows while the columns go around.
      chunk: of the chunked and ring forms, the largest number of rows and columns taken at once;
        None for 1,024, or 4 where pairs are matrices of tokens.

    Raises:
      ValueError: an unknown name or form, a chunk below 1, or a chunk of a dense loss.
    """
    name = name.removesuffix("_loss")
    if name not in DENSE:
        raise ValueError(f"loss {name!r} comes in one form or none; known: {', '.join(DENSE)}")
    if form not in FORMS:
        raise ValueError(f"the form of loss {name!r} is {form!r}; known: {', '.join(FORMS)}")
    if form == "dense":
        if chunk is not None:
            raise ValueError(f"chunk is {chunk}, but the dense form of {name!r} has no chunks")
        return DENSE[name]
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk of loss {name!r} is {chunk}; it must be at least 1")
    module = {"chunked": chunked, "ring": ring}[form]
    return functools.partial(getattr(module, f"{name}_loss"), chunk=chunk)
