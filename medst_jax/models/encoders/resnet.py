# SPDX-License-Identifier: Apache-2.0
"""ResNet with torchvision's arithmetic and module names."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.array_types import Array
from medst_jax.models.layers.batch_norm import BatchNorm
from medst_jax.models.layers.convolution import Convolution, ConvolutionForm

BlockName = Literal["basic", "bottleneck"]
MakeConvolution = Callable[..., Convolution]


@dataclasses.dataclass(frozen=True)
class ResNetOptions:
    """Sizes of a ResNet; every value is plain JSON.

    Attributes:
      widths: channels inside the blocks of each stage (a bottleneck gives out four times that).
      blocks: number of blocks of each stage.
      strides: stride of the first block of each stage.
      block: "basic" (two 3 x 3) or "bottleneck" (1 x 1, 3 x 3, 1 x 1).
      stem: "imagenet" (7 x 7 stride 2, then 3 x 3 max pooling stride 2), "small" (3 x 3
        stride 2), "half" (5 x 5 stride 2), "wide" (7 x 7 stride 4) or "full" (3 x 3 stride 1).
      stem_width: channels of the stem.
      channels: of the input image.
      dilate_last: the last stage keeps the size of the one before; its further blocks look two
        pixels apart instead (torchvision's replace_stride_with_dilation of the last stage).
      resize: side to which images are resized inside the network, bilinear with the corners
        aligned, as GLoRIA and MGCA do (299); 0 takes them as they come.
      convolution: which instruction runs the convolutions; see `Convolution`.
      dtype: of the arithmetic; parameters and statistics are float32.
      remat: "full" recomputes every block in the backward pass.
      norm: "batch" normalises by the batch while training; "frozen" always by the running
        statistics, such as those of pretrained weights, so that images do not depend on another.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    block: BlockName = "bottleneck"
    stem: Literal["imagenet", "small", "half", "wide", "full"] = "imagenet"
    stem_width: int = 64
    channels: int = 3
    dilate_last: bool = False
    resize: int = 0
    convolution: ConvolutionForm = "xla"
    dtype: str = "float32"
    remat: Literal["none", "full"] = "none"
    norm: Literal["batch", "frozen"] = "batch"

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.blocks) == len(self.strides):
            raise ValueError(
                "widths, blocks and strides need one value per stage; they are "
                f"{self.widths}, {self.blocks} and {self.strides}"
            )

    @property
    def stride(self) -> int:
        """Pixels between two cells of the last map."""
        strides = self.strides[:-1] if self.dilate_last else self.strides
        pooling = 2 if self.stem == "imagenet" else 1
        return _STEMS[self.stem][1] * pooling * math.prod(strides)

    @classmethod
    def resnet50(cls, **changes: Any) -> "ResNetOptions":
        """ResNet-50: 2,048 features."""
        return cls(**changes)

    @classmethod
    def small(cls, **changes: Any) -> "ResNetOptions":
        """Four basic blocks for 64 px on a CPU: 192 features."""
        sizes: dict[str, Any] = dict(
            widths=(24, 48, 96, 192),
            blocks=(1, 1, 1, 1),
            strides=(2, 2, 2, 2),
            block="basic",
            stem="small",
            stem_width=16,
            convolution="patches",
        )
        return cls(**{**sizes, **changes})


_STEMS = {"imagenet": (7, 2), "small": (3, 2), "half": (5, 2), "wide": (7, 4), "full": (3, 1)}


class ResNetOutput(NamedTuple):
    """stages: of each stage [B, h, w, D_stage] in the compute dtype; pooled: float32 [B, D]."""

    stages: tuple[jax.Array, ...]
    pooled: jax.Array

    @property
    def patches(self) -> jax.Array:
        """The last map in row order, [B, P, D]."""
        last = self.stages[-1]
        return last.reshape(last.shape[0], -1, last.shape[-1])


class ResNet(nnx.Module):
    """Images to feature maps and their average.

    Source: He et al. 2016 (arXiv:1512.03385), in torchvision's form, whose bottleneck has its
    stride on the 3 x 3 convolution.
    """

    def __init__(self, options: ResNetOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        convolution = functools.partial(
            Convolution, form=options.convolution, dtype=options.dtype, rngs=rngs
        )
        kernel, stride = _STEMS[options.stem]
        self.conv1 = convolution(options.channels, options.stem_width, kernel, stride=stride)
        self.bn1 = BatchNorm(options.stem_width)
        block = BLOCKS[options.block]
        features = options.stem_width
        sizes = zip(options.widths, options.blocks, options.strides, strict=True)
        for number, (width, count, stride) in enumerate(sizes, start=1):
            dilated = options.dilate_last and number == len(options.widths)
            layer = []
            for index in range(count):
                step = stride if index == 0 and not dilated else 1
                reach = stride if index > 0 and dilated else 1
                layer.append(block(convolution, features, width, step, reach))
                features = width * block.expansion
            setattr(self, f"layer{number}", nnx.List(layer))
        self.features = features

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> ResNetOutput:
        """Encode normalised images.

        Args:
          images: float32 [B, h, w, channels].
          keys: accepted for the interface shared with ViT; a ResNet has no dropout.
          train: normalise by the batch and update the running statistics, unless frozen.

        Raises:
          ValueError: the images have another number of channels.
        """
        del keys
        if images.shape[-1] != self.options.channels:
            raise ValueError(
                f"images have {images.shape[-1]} channels; this ResNet takes "
                f"{self.options.channels}"
            )
        if self.options.resize:
            images = resize_aligned(images, self.options.resize)
        train = train and self.options.norm == "batch"
        x = jax.nn.relu(self.bn1(self.conv1(jnp.asarray(images)), train=train))
        if self.options.stem == "imagenet":
            x = _max_pool(x)
        stages = []
        for number in range(1, len(self.options.widths) + 1):
            for block in getattr(self, f"layer{number}"):
                x = apply_block(block, x, train=train, remat=self.options.remat)
            stages.append(x)
        return ResNetOutput(tuple(stages), x.astype(jnp.float32).mean((1, 2)))


def _max_pool(x: jax.Array) -> jax.Array:
    """3 x 3 maximum with stride 2 and a padding of one."""
    padding = ((0, 0), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(x, -math.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), padding)


def resize_aligned(images: Array, size: int) -> jax.Array:
    """Bilinear resize of [B, h, w, c] that maps corner pixels on corner pixels."""
    batch, height, width, channels = images.shape
    scale = jnp.array([(size - 1) / (height - 1), (size - 1) / (width - 1)])
    return jax.image.scale_and_translate(
        images,
        (batch, size, size, channels),
        (1, 2),
        scale,
        0.5 - 0.5 * scale,  # pixel centres are at halves there
        "linear",
        antialias=False,
    )


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
