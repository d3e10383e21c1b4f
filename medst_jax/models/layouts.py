# SPDX-License-Identifier: Apache-2.0
"""Every known layout, and which of its kinds a module or a file is."""

from collections.abc import Collection

from flax import nnx

from medst_jax.models.kinds import Kind, LayoutError
from medst_jax.models.layout_hf_bert import HuggingFaceBert
from medst_jax.models.layout_timm import Timm
from medst_jax.models.layout_torchvision import Torchvision

# The first kind whose mark a file has is what `from_pretrained` builds; the others let one part
# of a checkpoint be loaded alone.
LAYOUTS: dict[str, tuple[Kind, ...]] = {
    "torchvision": (Torchvision(),),
    "timm": (Timm(),),
    "hf-bert": (HuggingFaceBert(),),
}


def kinds_of(layout: str) -> tuple[Kind, ...]:
    """The kinds of a layout.

    Raises:
      LayoutError: no layout has that name.
    """
    if layout not in LAYOUTS:
        raise LayoutError(f"layout {layout!r} is unknown; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[layout]


def kind_of_module(layout: str, module: nnx.Module) -> Kind:
    """The kind of the layout that names this module's tensors.

    Raises:
      LayoutError: an unknown layout, or one that has no names for such a module.
    """
    kinds = kinds_of(layout)
    for kind in kinds:
        if type(module) is kind.module:
            return kind
    known = ", ".join(sorted({kind.module.__name__ for kind in kinds}))
    raise LayoutError(f"layout {layout!r} is for {known}, not {type(module).__name__}")


def kind_of_tensors(layout: str, names: Collection[str]) -> tuple[Kind, str]:
    """The kind that a file is of, and the prefix before its names.

    Raises:
      LayoutError: an unknown layout, or a file without the mark of any of its kinds.
    """
    kinds = kinds_of(layout)
    for kind in kinds:
        for prefix in kind.prefixes:
            if prefix + kind.mark in names:
                return kind, prefix
    marks = " or ".join(kind.mark for kind in kinds)
    raise LayoutError(f"it has no tensor {marks} and is not of layout {layout!r}")
