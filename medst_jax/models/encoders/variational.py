# SPDX-License-Identifier: Apache-2.0
"""A convolutional variational autoencoder whose latent also tells a severity."""

import dataclasses
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.array_types import Array
from medst_jax.models.encoders.grid_resnet import grid_resnet_options
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions
from medst_jax.models.layers.batch_norm import BatchNorm
from medst_jax.models.layers.convolution import Convolution


@dataclasses.dataclass(frozen=True)
class VariationalOptions:
    """Sizes; every value is plain JSON.

    Attributes:
      encoder: of the residual encoder, whose last map is laid flat.
      image_size: side of the images, pixels.
      latent: Z, size of the latent.
      outputs: numbers that the severity head gives, 1 for a regressed severity.
    """

    encoder: ResNetOptions = dataclasses.field(default_factory=lambda: grid_resnet_options(256))
    image_size: int = 256
    latent: int = 256
    outputs: int = 1

    @classmethod
    def small(cls, **changes: Any) -> "VariationalOptions":
        """For 64 px on a CPU: three stages, a latent of 32."""
        encoder = ResNetOptions.small(
            widths=(16, 32, 64), blocks=(1, 1, 1), strides=(2, 2, 2), stem_width=8, channels=1
        )
        return cls(**{**dict(encoder=encoder, image_size=64, latent=32), **changes})


class VariationalOutput(NamedTuple):
    """mean, log_variance: float32 [B, Z]; images: float32 [B, h, w, c], mean of the
    reconstruction; severity: float32 [B, outputs], from the same latent.
    """

    mean: jax.Array
    log_variance: jax.Array
    images: jax.Array
    severity: jax.Array

    @property
    def pooled(self) -> jax.Array:
        """The mean of the latent, [B, Z]."""
        return self.mean


class Decoder(nnx.Module):
    """Latent to image: a small map, doubled and convolved once per halving of the encoder."""

    def __init__(self, options: VariationalOptions, *, rngs: nnx.Rngs) -> None:
        encoder = options.encoder
        # Widths on the way up mirror those on the way down, the stem's included.
        widths = (*encoder.widths[::-1], encoder.stem_width)
        halvings = _halvings(encoder)
        widths = (*widths, *(encoder.stem_width,) * (halvings + 1 - len(widths)))
        self.side = options.image_size >> halvings
        if self.side << halvings != options.image_size:
            raise ValueError(
                f"image_size {options.image_size} cannot be halved {halvings} times without rest"
            )
        self.start = nnx.Linear(
            options.latent,
            self.side**2 * widths[0],
            dtype=encoder.dtype,
            kernel_metadata={"axes": ("embed", "conv_out")},
            bias_metadata={"axes": ("conv_out",)},
            rngs=rngs,
        )
        self.convolutions: Any = nnx.List([])
        self.norms: Any = nnx.List([])
        for before, after in itertools.pairwise(widths[: halvings + 1]):
            self.convolutions.append(
                Convolution(
                    before, after, 3, form=encoder.convolution, dtype=encoder.dtype, rngs=rngs
                )
            )
            self.norms.append(BatchNorm(after))
        self.last = Convolution(
            widths[halvings],
            encoder.channels,
            3,
            form=encoder.convolution,
            out_axis=None,  # an image's one or three channels are not cut
            dtype=encoder.dtype,
            rngs=rngs,
        )

    def __call__(
        self, latent: Float[jax.Array, "B Z"], *, train: bool = False
    ) -> Float[jax.Array, "B h w c"]:
        """[B, Z] -> float32 [B, image_size, image_size, channels]."""
        x = self.start(latent).reshape(latent.shape[0], self.side, self.side, -1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            x = jax.nn.relu(norm(convolution(x), train=train))
        return self.last(x).astype(jnp.float32)


def _halvings(encoder: ResNetOptions) -> int:
    """How often the encoder halves the image; all its stages have stride 2."""
    stem = {"full": 0, "small": 1, "half": 1, "wide": 2, "imagenet": 2}[encoder.stem]
    return stem + len(encoder.widths)


class VariationalAutoencoder(nnx.Module):
    """Images to a normal latent, from which image and severity follow independently.

    The bound, with `gaussian_kl` and one draw per image: log p(x | z) + log p(y | z) - KL.

    Source: Liao et al. 2019, "Semi-supervised Learning for Quantification of Pulmonary Edema in
    Chest X-Ray Images" (arXiv:1902.10785); sizes, which no release documents, are our own.
    """

    def __init__(self, options: VariationalOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.latent
        self.encoder = ResNet(options.encoder, rngs=rngs)
        side = options.image_size >> _halvings(options.encoder)

        def linear(inputs: int, outputs: int, axis: str) -> nnx.Linear:
            return nnx.Linear(
                inputs,
                outputs,
                kernel_metadata={"axes": ("conv_in", axis)},
                bias_metadata={"axes": (axis,)},
                rngs=rngs,
            )

        flat = side**2 * self.encoder.features
        self.mean = linear(flat, options.latent, "embed")
        self.log_variance = linear(flat, options.latent, "embed")
        self.severity = linear(options.latent, options.outputs, "labels")
        self.decoder = Decoder(options, rngs=rngs)

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> VariationalOutput:
        """Encode and decode images, float32 [B, image_size, image_size, channels].

        Args:
          images: scaled as the reconstruction shall be.
          keys: [B] typed PRNG keys, one per example, for the draw; None takes the mean.
          train: normalise by the batch and update the running statistics.
        """
        last = self.encoder(images, train=train).stages[-1].astype(jnp.float32)
        flat = last.reshape(last.shape[0], -1)
        mean, log_variance = self.mean(flat), self.log_variance(flat)
        latent = mean
        if keys is not None:
            noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
            latent = mean + jnp.exp(0.5 * log_variance) * noise
        return VariationalOutput(
            mean, log_variance, self.decoder(latent, train=train), self.severity(latent)
        )
