# SPDX-License-Identifier: Apache-2.0
"""Heads that map features to a joint space, one class per form that the systems use."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.layers.attention import gelu, layer_norm
from medst_jax.models.layers.batch_norm import BatchNorm

HeadForm = Literal["batch_norm", "linear"]


def _linear(features: int, size: int, dtype: str, rngs: nnx.Rngs, bias: bool = True) -> nnx.Linear:
    # Heads are small beside the encoders: their inner width is never cut.
    return nnx.Linear(
        features,
        size,
        use_bias=bias,
        dtype=dtype,
        kernel_init=nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
        kernel_metadata={"axes": ("embed", "joint")},
        bias_metadata={"axes": ("joint",)},
        rngs=rngs,
    )


class LinearHead(nnx.Module):
    """One linear map, not normalised: CXR-CLIP and GLoRIA (global), GLoRIA without bias (local)."""

    def __init__(
        self,
        features: int,
        size: int,
        *,
        bias: bool = True,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        self.linear = _linear(features, size, dtype, rngs, bias)

    def __call__(
        self, x: jax.Array, *, train: bool = False, mask: jax.Array | None = None
    ) -> jax.Array:
        """[..., D] -> [..., E], every row by itself."""
        del train, mask  # accepted for the interface shared with BatchNormHead
        return self.linear(x)


class Unprojected(nnx.Module):
    """The features as they are, where an encoder's own pool stands for the image: SigLIP."""

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., D]."""
        del train
        return x


class GeluHead(nnx.Module):
    """Linear, GELU, linear, both without bias: BiomedCLIP's projection of texts."""

    def __init__(
        self, features: int, hidden: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs
    ) -> None:
        self.fc1 = _linear(features, hidden, dtype, rngs, bias=False)
        self.fc2 = _linear(hidden, size, dtype, rngs, bias=False)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., E]."""
        del train
        return self.fc2(gelu(self.fc1(x)))


class MlpHead(nnx.Module):
    """Linear, ReLU, linear: ConVIRT, KAD, MedKLIP."""

    def __init__(
        self, features: int, hidden: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs
    ) -> None:
        self.fc1 = _linear(features, hidden, dtype, rngs)
        self.fc2 = _linear(hidden, size, dtype, rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., E]."""
        del train
        return self.fc2(jax.nn.relu(self.fc1(x)))


class BatchNormHead(nnx.Module):
    """Linear, batch norm, ReLU, linear, batch norm without scale and bias: MGCA, Med-ST.

    Statistics run over every axis but the last, so over positions too. LoVT has no second norm.
    """

    def __init__(
        self,
        features: int,
        hidden: int,
        size: int,
        *,
        last_norm: bool = True,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        self.fc1 = _linear(features, hidden, dtype, rngs)
        self.norm1 = BatchNorm(hidden)
        self.fc2 = _linear(hidden, size, dtype, rngs)
        self.norm2 = BatchNorm(size, affine=False) if last_norm else None

    def __call__(
        self, x: jax.Array, *, train: bool = False, mask: jax.Array | None = None
    ) -> jax.Array:
        """[..., D] -> [..., E]; what `mask` [...] leaves out adds nothing to the statistics."""
        x = self.fc2(jax.nn.relu(self.norm1(self.fc1(x), train=train, mask=mask)))
        return x if self.norm2 is None else self.norm2(x, train=train, mask=mask)


def aligning_head(
    form: HeadForm, features: int, hidden: int, size: int, *, rngs: nnx.Rngs
) -> BatchNormHead | LinearHead:
    """A head of MGCA or Med-ST: "batch_norm", the papers' two layers of width `hidden`; or "linear".

    The paper's embeddings have unit variance from the first step; from random weights encoders
    need many steps to agree through it. Linear heads suit few steps.
    """
    if form == "linear":
        return LinearHead(features, size, rngs=rngs)
    return BatchNormHead(features, hidden, size, rngs=rngs)


class PatchProjector(nnx.Module):
    """Linear without bias, batch norm, ReLU, linear at every position: BioViL, BioViL-T."""

    def __init__(
        self, features: int, hidden: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs
    ) -> None:
        self.fc1 = _linear(features, hidden, dtype, rngs, bias=False)
        self.norm = BatchNorm(hidden)
        self.fc2 = _linear(hidden, size, dtype, rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., E]."""
        return self.fc2(jax.nn.relu(self.norm(self.fc1(x), train=train)))


class ClassTokenHead(nnx.Module):
    """Linear, GELU, layer norm, linear: CXR-BERT's projection of [CLS]."""

    def __init__(self, features: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs) -> None:
        self.fc1 = _linear(features, size, dtype, rngs)
        self.norm = layer_norm(size, 1e-12, dtype, rngs)
        self.fc2 = _linear(size, size, dtype, rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., E]."""
        del train
        return self.fc2(self.norm(gelu(self.fc1(x))))


class KnowledgeHead(nnx.Module):
    """BERT's pooler, then linear, GELU, linear: the projection of KAD's knowledge encoder."""

    def __init__(self, features: int, size: int, *, rngs: nnx.Rngs) -> None:
        self.pooler = _linear(features, features, "float32", rngs)
        self.fc1 = _linear(features, size, "float32", rngs)
        self.fc2 = _linear(size, size, "float32", rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., D] -> float32 [..., E]."""
        return self.fc2(gelu(self.fc1(jnp.tanh(self.pooler(x.astype(jnp.float32))))))


class ResidualHead(nnx.Module):
    """y = linear(x); norm(y + linear(GELU(y))): the MLP variant of CXR-CLIP, without dropout."""

    def __init__(self, features: int, size: int, *, dtype: str = "float32", rngs: nnx.Rngs) -> None:
        self.fc1 = _linear(features, size, dtype, rngs)
        self.fc2 = _linear(size, size, dtype, rngs)
        self.norm = layer_norm(size, 1e-5, dtype, rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """[..., D] -> [..., E]."""
        del train
        y = self.fc1(x)
        return self.norm(y + self.fc2(gelu(y)))
