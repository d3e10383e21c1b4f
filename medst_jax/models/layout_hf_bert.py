# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of a BERT encoder (embeddings.*, encoder.layer.0.attention.self.query)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx

from medst_jax.models.bert import Bert, BertOptions
from medst_jax.models.foreign import FLAT, SAME, Slot, matrix, norm_slots

_TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")


class HuggingFaceBert:
    """Layout "hf-bert" of `Bert`: the encoder's own tensors, without a model prefix."""

    module: type[nnx.Module] = Bert
    options_class: type[Any] = BertOptions

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor; query, key and value are slices of one fused kernel."""
        assert isinstance(module, Bert)
        found = [Slot(f"embeddings.{name}.weight", (name,), SAME) for name in _TABLES]
        found += norm_slots("embeddings.LayerNorm", ("norm",))
        for layer in range(module.options.depth):
            found += _layer_slots(f"encoder.layer.{layer}", layer)
        return found

    def ignored(self, name: str) -> bool:
        """The pooler and the pre-training heads, which the encoder does not have."""
        return name.startswith(("pooler.", "cls.")) or name == "embeddings.position_ids"

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        """Nothing beyond the slots."""
        return {}

    def options(self, shapes: Mapping[str, tuple[int, ...]]) -> BertOptions:
        """Sizes read from the tensors; heads, which leave no trace, are 64 wide."""
        vocabulary_size, width = shapes["embeddings.word_embeddings.weight"]
        return BertOptions(
            vocabulary_size,
            width=width,
            depth=sum(name.endswith(".intermediate.dense.weight") for name in shapes),
            heads=width // 64,
            mlp=shapes["encoder.layer.0.intermediate.dense.weight"][0],
            max_length=shapes["embeddings.position_embeddings.weight"][0],
            token_types=shapes["embeddings.token_type_embeddings.weight"][0],
        )


def _layer_slots(name: str, layer: int) -> list[Slot]:
    found = []
    for part, key in enumerate(("query", "key", "value")):
        path, foreign_name = ("layers", "attn", "qkv"), f"{name}.attention.self.{key}"
        index = (layer, slice(None), part)
        found.append(Slot(f"{foreign_name}.weight", (*path, "kernel"), matrix(1), index))
        found.append(Slot(f"{foreign_name}.bias", (*path, "bias"), FLAT, (layer, part)))
    linears = (
        ("attention.output.dense", "attn", "out", 2),
        ("intermediate.dense", "mlp", "fc1", 1),
        ("output.dense", "mlp", "fc2", 1),
    )
    for foreign_name, module, linear, inputs in linears:
        foreign_name, linear_path = f"{name}.{foreign_name}", ("layers", module, linear)
        weight = (*linear_path, "kernel")
        found.append(Slot(f"{foreign_name}.weight", weight, matrix(inputs), (layer,)))
        found.append(Slot(f"{foreign_name}.bias", (*linear_path, "bias"), FLAT, (layer,)))
    found += norm_slots(f"{name}.attention.output.LayerNorm", ("layers", "norm1"), (layer,))
    found += norm_slots(f"{name}.output.LayerNorm", ("layers", "norm2"), (layer,))
    return found
