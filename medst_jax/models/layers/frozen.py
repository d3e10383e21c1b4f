# SPDX-License-Identifier: Apache-2.0
"""Weights that no step trains: variables that are no parameters."""

from typing import TypeVar

from flax import nnx

Module = TypeVar("Module", bound=nnx.Module)


class Frozen(nnx.Variable):
    """A weight that the optimizer never sees; checkpoints keep it with the model state."""


def freeze(module: Module) -> Module:
    """The module, each of whose parameters has become a `Frozen` of the same axes.

    Nothing of it is differentiated, averaged or decayed. Imported weights reach it as any other.
    """
    for _, node in list(nnx.iter_graph(module)):
        if not isinstance(node, nnx.Module):
            continue
        for name, value in list(vars(node).items()):
            if isinstance(value, nnx.Param):
                setattr(node, name, Frozen(value.get_value(), axes=value.get_metadata("axes")))
    return module
