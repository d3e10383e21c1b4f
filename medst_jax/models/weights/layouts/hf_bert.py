# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of a BERT encoder (embeddings.*, encoder.layer.0.attention.self.query)."""

import dataclasses
from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import Bert, BertOptions
from medst_jax.models.weights.foreign import FLAT, SAME, Slot, linear_slots, matrix, norm_slots
from medst_jax.models.weights.kinds import (
    LayoutError,
    OptionsKind,
    Settings,
    Shapes,
    count,
    heads,
)
from medst_jax.models.weights.positions import first_rows

_MODELS = ("bert", "cxr-bert")
_TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")


class HuggingFaceBert(OptionsKind):
    """Layout "hf-bert" of `Bert`, bare or as the encoder of a larger model."""

    module: type[nnx.Module] = Bert
    options_class: type[Any] = BertOptions
    mark = "embeddings.word_embeddings.weight"
    prefixes: tuple[str, ...] = ("", "bert.", "model.", "encoder.", "text_encoder.")

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor; query, key and value are slices of one fused kernel."""
        assert isinstance(module, Bert)
        slots = [Slot(f"embeddings.{name}.weight", (name,), SAME) for name in _TABLES]
        slots[1] = dataclasses.replace(slots[1], resize=first_rows)
        slots += norm_slots("embeddings.LayerNorm", ("norm",))
        for layer in range(module.options.depth):
            slots += layer_slots(f"encoder.layer.{layer}", layer)
        return slots

    def ignored(self, name: str) -> bool:
        """Pooler, pre-training heads and buffers, which the encoder does not have."""
        return name.startswith(("pooler.", "cls.", "cls_projection_head.")) or (
            name == "embeddings.position_ids"
        )

    def check(self, module: nnx.Module, settings: Settings) -> None:
        check_settings(settings)
        super().check(module, settings)

    def options(self, shapes: Shapes, settings: Settings) -> BertOptions:
        """Sizes read from the tensors; heads and epsilon from the settings."""
        vocabulary_size, width = shapes["embeddings.word_embeddings.weight"]
        check_settings(settings)
        return BertOptions(
            vocabulary_size,
            width=width,
            depth=count(shapes, ".intermediate.dense.weight"),
            heads=heads(width, settings),
            mlp=shapes["encoder.layer.0.intermediate.dense.weight"][0],
            max_length=shapes["embeddings.position_embeddings.weight"][0],
            token_types=shapes["embeddings.token_type_embeddings.weight"][0],
            dropout=settings.get("hidden_dropout_prob", 0.1),
            epsilon=settings.get("layer_norm_eps", 1e-12),
        )


def check_settings(settings: Settings) -> None:
    """Refuse models that have BERT's tensors and compute something else with them.

    Raises:
      LayoutError: another model, activation or kind of positions.
    """
    model = settings.get("model_type", "bert")
    if model not in _MODELS:
        # RoBERTa and its kin count positions from the padding token's number + 1.
        raise LayoutError(
            f'config.json says model_type {model!r}; layout "hf-bert" is for {", ".join(_MODELS)}'
        )
    activation = settings.get("hidden_act", "gelu")
    if activation != "gelu":
        raise LayoutError(f"hidden_act is {activation!r}; this Bert computes gelu (erf)")
    positions = settings.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise LayoutError(
            f"position_embedding_type is {positions!r}; this Bert has absolute positions"
        )
    if settings.get("is_decoder"):
        raise LayoutError("is_decoder is true; this Bert reads in both directions")


def layer_slots(name: str, layer: int) -> list[Slot]:
    """The tensors of one post-norm layer, slices `layer` of the stack."""
    slots = []
    for part, key in enumerate(("query", "key", "value")):
        path, foreign_name = ("layers", "attn", "qkv"), f"{name}.attention.self.{key}"
        index = (layer, slice(None), part)
        slots.append(Slot(f"{foreign_name}.weight", (*path, "kernel"), matrix(1), index))
        slots.append(Slot(f"{foreign_name}.bias", (*path, "bias"), FLAT, (layer, part)))
    linears = (
        ("attention.output.dense", "attn", "out", 2),
        ("intermediate.dense", "mlp", "fc1", 1),
        ("output.dense", "mlp", "fc2", 1),
    )
    for foreign_name, module, linear, inputs in linears:
        path = ("layers", module, linear)
        slots += linear_slots(f"{name}.{foreign_name}", path, (layer,), inputs=inputs)
    slots += norm_slots(f"{name}.attention.output.LayerNorm", ("layers", "norm1"), (layer,))
    slots += norm_slots(f"{name}.output.LayerNorm", ("layers", "norm2"), (layer,))
    return slots
