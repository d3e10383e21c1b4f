# SPDX-License-Identifier: Apache-2.0
"""Hugging Face's names of BERT with its masked-language head."""

from typing import Any

from flax import nnx

from medst_jax.models.encoders.bert import BertOptions
from medst_jax.models.heads.masked_language import MaskedLanguageBert
from medst_jax.models.weights.foreign import SAME, Slot, linear_slots, norm_slots, under
from medst_jax.models.weights.kinds import OptionsKind, Settings, Shapes, part_of
from medst_jax.models.weights.layouts.hf_bert import HuggingFaceBert

_BERT = HuggingFaceBert()


class HuggingFaceMaskedLanguage(OptionsKind):
    """Layout "hf-bert" of `MaskedLanguageBert`; the decoder is the table of word embeddings."""

    module: type[nnx.Module] = MaskedLanguageBert
    options_class: type[Any] = BertOptions
    mark = "cls.predictions.transform.dense.weight"

    def slots(self, module: nnx.Module) -> list[Slot]:
        assert isinstance(module, MaskedLanguageBert)
        head = "cls.predictions"
        return [
            *under(_BERT.slots(module.encoder), "bert.", ("encoder",)),
            *linear_slots(f"{head}.transform.dense", ("head", "transform")),
            *norm_slots(f"{head}.transform.LayerNorm", ("head", "norm")),
            Slot(f"{head}.bias", ("head", "bias"), SAME),
        ]

    def ignored(self, name: str) -> bool:
        """Copies of tied tensors, the next-sentence head, pooler and buffers."""
        tied = ("cls.predictions.decoder.", "cls.seq_relationship.", "cls_projection_head.")
        return name.startswith(tied) or _BERT.ignored(name.removeprefix("bert."))

    def options(self, shapes: Shapes, settings: Settings) -> BertOptions:
        return _BERT.options(part_of(shapes, "bert."), settings)
