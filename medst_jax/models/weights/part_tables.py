# SPDX-License-Identifier: Apache-2.0
"""Tables of tensor names of the heads, and of checkpoints put together from parts."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.heads.contrastive import Projection
from medst_jax.models.heads.projection_heads import (
    BatchNormHead,
    ClassTokenHead,
    LinearHead,
    PatchProjector,
)
from medst_jax.models.weights.foreign import (
    SAME,
    Path,
    Slot,
    batch_norm_slots,
    linear_slots,
    norm_slots,
    point_kernel,
    under,
)
from medst_jax.models.weights.kinds import Kind, LayoutError, Make, Settings, Shapes


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of a checkpoint.

    Attributes:
      name: prefix of its tensors.
      path: where it is in the module.
      table: the slots of the part itself, names and paths without the prefixes.
      kind: where the part is an encoder, its kind: what it ignores is ignored here too.
    """

    name: str
    path: Path
    table: Callable[[Any], list[Slot]]
    kind: Kind | None = None


class PartsKind(abc.ABC):
    """A kind whose module holds several parts; subclasses list them and build the module."""

    module: type[nnx.Module]
    mark: str
    prefixes: tuple[str, ...] = ("",)
    left_out: tuple[str, ...] = ()  # prefixes of tensors that no part has

    @abc.abstractmethod
    def parts(self, module: Any) -> list[Part]:
        """The parts of this module."""

    @abc.abstractmethod
    def encoders(self) -> list[tuple[str, Kind]]:
        """Prefix and kind of every encoder that may occur."""

    @abc.abstractmethod
    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        """As `Kind.make`."""

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """Nothing: what such a config tells of the parts is read when they are built."""
        del module, settings

    def slots(self, module: nnx.Module) -> list[Slot]:
        slots: list[Slot] = []
        for part in self.parts(module):
            node: Any = module
            for step in part.path:
                node = node[step] if isinstance(node, (nnx.Dict, nnx.List)) else getattr(node, step)
            slots += under(part.table(node), part.name, part.path)
        return slots

    def ignored(self, name: str) -> bool:
        if name.startswith(self.left_out) or name.endswith(".num_batches_tracked"):
            return True
        return any(
            name.startswith(prefix) and kind.ignored(name.removeprefix(prefix))
            for prefix, kind in self.encoders()
        )

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        statistics = (s.name for s in self.slots(module) if s.name.endswith(".running_var"))
        return {
            name.replace("running_var", "num_batches_tracked"): np.zeros((), np.int64)
            for name in statistics
        }


def encoder_part(name: str, path: Path, kind: Kind) -> Part:
    """An encoder whose names are those of another layout behind a prefix."""
    return Part(name, path, kind.slots, kind)


def scalar_part(name: str, path: Path) -> Part:
    """One variable, such as a temperature or a table of prototypes."""
    return Part(name, path, lambda variable: [Slot("", (), SAME)])


def batch_norm_head_slots(dimensions: int) -> Callable[[Any], list[Slot]]:
    """MGCA's head.{0,1,3,4}: linear layers (0) or convolutions over positions (1)."""

    def table(head: Any) -> list[Slot]:
        assert isinstance(head, BatchNormHead)
        return [
            *_point_slots("head.0", ("fc1",), dimensions),
            *batch_norm_slots("head.1", ("norm1",)),
            *_point_slots("head.3", ("fc2",), dimensions),
            *batch_norm_slots("head.4", ("norm2",), affine=False),
        ]

    return table


def projector_slots(head: Any) -> list[Slot]:
    """BioViL's model.{0,1,3}."""
    assert isinstance(head, PatchProjector)
    return [
        *_point_slots("model.0", ("fc1",), 2, bias=False),
        *batch_norm_slots("model.1", ("norm",)),
        *_point_slots("model.3", ("fc2",), 2),
    ]


def class_token_slots(head: Any) -> list[Slot]:
    """CXR-BERT's dense_to_hidden, LayerNorm, dense_to_output."""
    assert isinstance(head, ClassTokenHead)
    return [
        *linear_slots("dense_to_hidden", ("fc1",)),
        *norm_slots("LayerNorm", ("norm",)),
        *linear_slots("dense_to_output", ("fc2",)),
    ]


def linear_head_slots(name: str, *, dimensions: int = 0) -> Callable[[Any], list[Slot]]:
    """One linear layer `name`, as a convolution over `dimensions` where it is one."""

    def table(head: Any) -> list[Slot]:
        assert isinstance(head, (LinearHead, Projection))
        bias = head.linear.bias is not None
        return list(_point_slots(name, ("linear",), dimensions, bias=bias))

    return table


def _point_slots(name: str, path: Path, dimensions: int, *, bias: bool = True) -> Iterator[Slot]:
    yield Slot(f"{name}.weight", (*path, "kernel"), point_kernel(dimensions))
    if bias:
        yield Slot(f"{name}.bias", (*path, "bias"), SAME)


def changes_of(changes: Mapping[str, Any], *classes: type[Any]) -> list[dict[str, Any]]:
    """For each class of options, those of the changes that it has.

    Raises:
      LayoutError: none of the classes has an option of that name.
    """
    known = [{field.name for field in dataclasses.fields(one)} for one in classes]
    for name in changes:
        if not any(name in names for names in known):
            raise LayoutError(f"no part of it has an option {name!r}")
    return [{k: v for k, v in changes.items() if k in names} for names in known]


def size_of(shapes: Shapes, name: str) -> tuple[int, int]:
    """Inputs and outputs of the linear layer or point convolution `name`."""
    outputs, inputs = shapes[f"{name}.weight"][:2]
    return inputs, outputs
