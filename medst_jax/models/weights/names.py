# SPDX-License-Identifier: Apache-2.0
"""Names of a file brought to those of its layout: old names of norms, a trainer's prefix.

Trainers wrap a model before they save it: "module." of DataParallel, "_orig_mod." of
torch.compile, "student.backbone." of a self-supervised trainer. Such a prefix is taken off when
one alone leads to a whole module of the layout; nothing is guessed where two do.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from flax import nnx

from medst_jax.models.weights.kinds import Kind, LayoutError, Settings, Shapes

# BERT's first files, made from TensorFlow's, call the weight of a norm gamma and its bias beta.
_OLD_NORM = re.compile(r"((?:^|\.)(?:LayerNorm|layer_norm|layernorm))\.(gamma|beta)$")
_NEW = {"gamma": "weight", "beta": "bias"}


@dataclasses.dataclass(frozen=True, eq=False)
class NamedTensors:
    """A file's tensors under the names of its layout.

    Attributes:
      tensors: by the layout's name, a prefix that the layout knows included.
      original: the file's own name of each tensor whose name was changed.
      outside: tensors of the file that do not lie under the trainer's prefix, by own name.
    """

    tensors: Mapping[str, np.ndarray]
    original: Mapping[str, str]
    outside: Mapping[str, np.ndarray]


def named(
    tensors: Mapping[str, np.ndarray],
    kinds: Sequence[Kind],
    settings: Settings,
    prefix: str | None = None,
) -> NamedTensors:
    """The tensors of a file under the names of a layout.

    Args:
      tensors: by the file's names.
      kinds: of the layout.
      settings: of the config beside the file.
      prefix: of the wanted names, where the file has several models; found by itself by default.

    Raises:
      LayoutError: no name starts with `prefix`, names clash, or several prefixes fit.
    """
    if prefix is None:
        prefix = "" if marked(kinds, tensors) else _trainer_prefix(tensors, kinds, settings)
    elif not any(name.startswith(prefix) for name in tensors):
        raise LayoutError(
            f"no name starts with {prefix!r}; names start with {common_start(tensors)}"
        )
    renamed: dict[str, np.ndarray] = {}
    original: dict[str, str] = {}
    outside = {name: t for name, t in tensors.items() if not name.startswith(prefix)}
    for name, tensor in tensors.items():
        if name in outside:
            continue
        new = _modern(name.removeprefix(prefix))
        if new in renamed:
            raise LayoutError(f"{name!r} and {original.get(new, prefix + new)!r} are one tensor")
        renamed[new] = tensor
        if new != name:
            original[new] = name
    return NamedTensors(renamed, original, outside)


def marked(kinds: Iterable[Kind], names: Iterable[str]) -> tuple[Kind, str] | None:
    """The first kind whose mark is there, and the known prefix before it."""
    known = set(names)
    for kind in kinds:
        for prefix in kind.prefixes:
            if prefix + kind.mark in known:
                return kind, prefix
    return None


def common_start(names: Iterable[str]) -> str:
    """What names begin with, up to the first dot, for messages."""
    starts = sorted({name.split(".")[0] + "." for name in names if "." in name})
    return ", ".join(repr(start) for start in starts[:8]) or "nothing in common"


def _modern(name: str) -> str:
    return _OLD_NORM.sub(lambda match: f"{match[1]}.{_NEW[match[2]]}", name)


def _trainer_prefix(
    tensors: Mapping[str, np.ndarray], kinds: Sequence[Kind], settings: Settings
) -> str:
    """The one prefix behind which a whole module lies; "" when there is none."""
    ends = {"." + known + kind.mark for kind in kinds for known in kind.prefixes}
    starts = {name[: 1 - len(end)] for name in tensors for end in ends if name.endswith(end)}
    # A longer prefix may only be part of what a known one covers: "module." before "bert.".
    fitting: list[str] = []
    for start in sorted(starts, key=lambda start: (len(start), start)):
        inner = {
            _modern(n.removeprefix(start)): t.shape
            for n, t in tensors.items()
            if n.startswith(start)
        }
        covered = any(start.startswith(shorter) for shorter in fitting)
        if not covered and _whole(inner, kinds, settings):
            fitting.append(start)
    if len(fitting) > 1:
        raise LayoutError(
            f"it holds several such models, behind {' and '.join(map(repr, fitting))}; choose one "
            f"with prefix={fitting[0]!r}, or save its tensors alone"
        )
    return fitting[0] if fitting else ""


def _whole(shapes: Shapes, kinds: Sequence[Kind], settings: Settings) -> bool:
    """Whether the names hold every tensor of a module of the layout."""
    choice = marked(kinds, shapes)
    if choice is None:
        return False
    kind, known = choice
    shapes = {name.removeprefix(known): shape for name, shape in shapes.items()}
    try:
        make = kind.make(shapes, settings, {})
        module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
        return all(slot.name in shapes for slot in kind.slots(module))
    except (KeyError, ValueError):  # sizes that make no module of this layout
        return False
