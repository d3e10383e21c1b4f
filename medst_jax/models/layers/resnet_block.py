# SPDX-License-Identifier: Apache-2.0
"""The two residual blocks of torchvision's ResNet, and their rematerialisation."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax
from flax import nnx

from medst_jax.models.layers.batch_norm import BatchNorm
from medst_jax.models.layers.convolution import Convolution

BlockName = Literal["basic", "bottleneck"]
MakeConvolution = Callable[..., Convolution]


class BasicBlock(nnx.Module):
    """Two 3 x 3 convolutions; the stride is on the first."""

    expansion: ClassVar[int] = 1

    def __init__(
        self, make: MakeConvolution, features: int, width: int, stride: int, dilation: int
    ) -> None:
        self.conv1 = make(features, width, 3, stride=stride, dilation=dilation)
        self.bn1 = BatchNorm(width)
        self.conv2 = make(width, width, 3, dilation=dilation)
        self.bn2 = BatchNorm(width)
        self.downsample = _downsample(make, features, width, stride)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[B, h, w, features] -> [B, h / stride, w / stride, width]."""
        y = jax.nn.relu(self.bn1(self.conv1(x), train=train))
        y = self.bn2(self.conv2(y), train=train)
        return jax.nn.relu(y + _shortcut(self.downsample, x, train))


class BottleneckBlock(nnx.Module):
    """1 x 1, 3 x 3 (with the stride), 1 x 1 to four times the width."""

    expansion: ClassVar[int] = 4

    def __init__(
        self, make: MakeConvolution, features: int, width: int, stride: int, dilation: int
    ) -> None:
        out = width * self.expansion
        self.conv1 = make(features, width, 1)
        self.bn1 = BatchNorm(width)
        self.conv2 = make(width, width, 3, stride=stride, dilation=dilation)
        self.bn2 = BatchNorm(width)
        self.conv3 = make(width, out, 1)
        self.bn3 = BatchNorm(out)
        self.downsample = _downsample(make, features, out, stride)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[B, h, w, features] -> [B, h / stride, w / stride, 4 * width]."""
        y = jax.nn.relu(self.bn1(self.conv1(x), train=train))
        y = jax.nn.relu(self.bn2(self.conv2(y), train=train))
        y = self.bn3(self.conv3(y), train=train)
        return jax.nn.relu(y + _shortcut(self.downsample, x, train))


BLOCKS: dict[str, type[BasicBlock] | type[BottleneckBlock]] = {
    "basic": BasicBlock,
    "bottleneck": BottleneckBlock,
}


def apply_block(
    block: BasicBlock | BottleneckBlock, x: jax.Array, *, train: bool, remat: str
) -> jax.Array:
    """Run a block; with remat "full" the backward pass recomputes it."""
    if remat == "none":
        return block(x, train=train)
    graphdef, parameters, rest = nnx.split(block, nnx.Param, ...)  # type: ignore[misc]

    @jax.checkpoint
    def run(parameters: Any, rest: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        # A copy is mutated and its statistics returned: a checkpointed body may not write
        # to variables made outside it.
        copy = nnx.merge(graphdef, parameters, rest, copy=True)
        y = copy(x, train=train)
        return y, nnx.state(copy, nnx.BatchStat)

    y, statistics = run(parameters, rest, x)
    if train:
        nnx.update(block, statistics)
    return y


def _downsample(
    make: MakeConvolution, features: int, out: int, stride: int
) -> nnx.List[Any] | None:
    if stride == 1 and features == out:
        return None
    return nnx.List([make(features, out, 1, stride=stride), BatchNorm(out)])


def _shortcut(downsample: nnx.List[Any] | None, x: jax.Array, train: bool) -> jax.Array:
    if downsample is None:
        return x
    return downsample[1](downsample[0](x), train=train)
