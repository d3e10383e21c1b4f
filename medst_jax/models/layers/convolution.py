# SPDX-License-Identifier: Apache-2.0
"""Two-dimensional convolution without bias, padded as torchvision pads it."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

ConvolutionForm = Literal["xla", "patches"]

# torch.nn.init.kaiming_normal_(mode="fan_out", nonlinearity="relu"), as torchvision's ResNet.
_kaiming = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")


class Convolution(nnx.Module):
    """A k x k convolution without bias that keeps the size but for its stride; [k, k, in, out].

    `dilation` is the distance of the neighbours; the padding is dilation * (k // 2).

    `form` chooses the instruction, not the result: "xla" is XLA's convolution, "patches"
    gathers the k * k neighbours and multiplies once, which XLA:CPU runs about twice as fast
    on small maps with many channels (and holds k * k copies of the map). A 1 x 1 kernel is
    always a matrix product. `out_axis` is the logical name of the outputs.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        form: ConvolutionForm = "xla",
        out_axis: str | None = "conv_out",
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        shape = (kernel, kernel, in_features, out_features)
        self.kernel = nnx.Param(
            _kaiming(rngs.params(), shape, jnp.float32), axes=(None, None, "conv_in", out_axis)
        )
        self.stride = stride
        self.dilation = dilation
        self.dtype = dtype
        self.apply = _FORMS["patches" if kernel == 1 else form]

    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, h, w, in] -> [B, ceil(h / stride), ceil(w / stride), out] in the compute dtype."""
        return self.apply(
            x.astype(self.dtype), self.kernel[...].astype(self.dtype), self.stride, self.dilation
        )


def _convolve(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    pad = dilation * (kernel.shape[0] // 2)
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _multiply_patches(x: jax.Array, kernel: jax.Array, stride: int, dilation: int) -> jax.Array:
    size, _, _, out_features = kernel.shape
    pad = dilation * (size // 2)
    # An odd kernel and this padding reach as far before a pixel as behind it.
    rows, columns = (stride * ((length - 1) // stride) + 1 for length in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    neighbours = [
        x[:, i : i + rows : stride, j : j + columns : stride]
        for i in range(0, dilation * size, dilation)
        for j in range(0, dilation * size, dilation)
    ]
    return jnp.concatenate(neighbours, axis=-1) @ kernel.reshape(-1, out_features)


_FORMS = {"xla": _convolve, "patches": _multiply_patches}
