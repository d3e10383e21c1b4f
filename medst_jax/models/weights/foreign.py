# SPDX-License-Identifier: Apache-2.0
"""How one foreign tensor corresponds to (a slice of) one variable of a module."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.models.layers.frozen import Frozen

Path = tuple[Any, ...]  # of attribute names and list indices


@dataclasses.dataclass(frozen=True)
class Form:
    """A change of layout: `outward` gives the foreign array, `inward` takes (foreign, shape)."""

    outward: Callable[[np.ndarray], np.ndarray]
    inward: Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Slot:
    """One foreign tensor.

    Attributes:
      name: of the foreign tensor.
      path: of the variable in the module's state.
      form: change of layout.
      index: which slice of the variable it holds, such as (layer,) of a stack; () for all.
      input_axis: foreign axis of the image channels, for the first convolution; else None.
      resize: for position embeddings: (foreign array, wanted shape) to one of that shape, or
        None where it cannot be had.
      rows: which rows of the foreign tensor, first and behind the last, where it holds several
        variables below each other; None for all. Its slots cover it, in order.
    """

    name: str
    path: Path
    form: Form
    index: tuple[Any, ...] = ()
    input_axis: int | None = None
    resize: Callable[[np.ndarray, tuple[int, ...]], np.ndarray | None] | None = None
    rows: tuple[int, int] | None = None


SAME = Form(lambda a: a, lambda f, shape: f.reshape(shape))
FLAT = Form(lambda a: a.reshape(-1), lambda f, shape: f.reshape(shape))
# HWIO kernels against PyTorch's OIHW.
CONVOLUTION = Form(lambda a: a.transpose(3, 2, 0, 1), lambda f, shape: f.transpose(2, 3, 1, 0))


def matrix(inputs: int) -> Form:
    """A kernel whose first `inputs` dimensions are summed over, against PyTorch's [out, in]."""

    def outward(a: np.ndarray) -> np.ndarray:
        return a.reshape(int(np.prod(a.shape[:inputs])), -1).T

    return Form(outward, lambda f, shape: f.T.reshape(shape))


def patch_kernel(patch: int) -> Form:
    """A kernel [patch * patch * channels, D] against a PyTorch convolution [D, c, p, p]."""

    def outward(a: np.ndarray) -> np.ndarray:
        return a.reshape(patch, patch, -1, a.shape[-1]).transpose(3, 2, 0, 1)

    return Form(outward, lambda f, shape: f.transpose(2, 3, 1, 0).reshape(shape))


# A kernel that sums over its last dimension, against a PyTorch embedding or prototype table.
TRANSPOSED = Form(lambda a: a.T, lambda f, shape: f.T.reshape(shape))


def reshaped(*shape: int) -> Form:
    """The same numbers in the same order under the foreign `shape`."""
    return Form(lambda a: a.reshape(shape), lambda f, own: f.reshape(own))


def point_kernel(dimensions: int) -> Form:
    """A linear kernel [in, out] against a PyTorch convolution [out, in, 1, ...]."""

    def outward(a: np.ndarray) -> np.ndarray:
        return a.T.reshape(*a.T.shape, *(1,) * dimensions)

    return Form(outward, lambda f, shape: f.reshape(f.shape[:2]).T)


def variables(module: nnx.Module) -> dict[Path, nnx.Variable]:
    """Parameters, frozen ones too, and batch statistics of a module by path."""
    state = nnx.state(module, (nnx.Param, Frozen, nnx.BatchStat))
    return {path: variable for path, variable in nnx.to_flat_state(state)}


def arrays(module: nnx.Module) -> dict[Path, np.ndarray]:
    """Host copies, float32, of `variables` by path."""
    return {
        path: np.array(variable[...], np.float32) for path, variable in variables(module).items()
    }


def foreign_arrays(slots: Iterable[Slot], values: dict[Path, np.ndarray]) -> dict[str, np.ndarray]:
    """The foreign tensors by name, put together of the values of a module's variables."""
    parts: dict[str, list[np.ndarray]] = {}
    for slot in slots:
        value = slot.form.outward(values[slot.path][slot.index])
        parts.setdefault(slot.name, []).append(value)
    return {n: p[0] if len(p) == 1 else np.concatenate(p) for n, p in parts.items()}


def assign(module: nnx.Module, values: dict[Path, np.ndarray]) -> None:
    """Overwrite parameters and batch statistics in place."""
    for path, value in values.items():
        node: Any = module
        for step in path:
            node = node[step] if isinstance(step, int) else getattr(node, step)
        node.set_value(jnp.asarray(value))


def under(slots: Iterable[Slot], name: str, path: Path) -> Iterator[Slot]:
    """The slots of a part, seen from the whole: foreign prefix `name`, own prefix `path`."""
    for slot in slots:
        yield dataclasses.replace(slot, name=f"{name}{slot.name}", path=(*path, *slot.path))


def linear_slots(
    name: str, path: Path, index: tuple[Any, ...] = (), *, inputs: int = 1, bias: bool = True
) -> Iterator[Slot]:
    """Weight and bias of a linear layer, possibly a slice of a stack."""
    yield Slot(f"{name}.weight", (*path, "kernel"), matrix(inputs), index)
    if bias:
        yield Slot(f"{name}.bias", (*path, "bias"), FLAT, index)


def norm_slots(name: str, path: Path, index: tuple[Any, ...] = ()) -> Iterator[Slot]:
    """Weight and bias of a layer normalisation."""
    yield Slot(f"{name}.weight", (*path, "scale"), SAME, index)
    yield Slot(f"{name}.bias", (*path, "bias"), SAME, index)


def batch_norm_slots(name: str, path: Path, *, affine: bool = True) -> Iterator[Slot]:
    """Parameters and running statistics of a batch normalisation."""
    if affine:
        yield from norm_slots(name, path)
    yield Slot(f"{name}.running_mean", (*path, "mean"), SAME)
    yield Slot(f"{name}.running_var", (*path, "var"), SAME)
