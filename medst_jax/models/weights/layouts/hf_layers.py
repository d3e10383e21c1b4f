# SPDX-License-Identifier: Apache-2.0
"""What Hugging Face's transformers have in common: separate q, k, v and a config per tower."""

from collections.abc import Iterator, Mapping
from typing import Any

from flax import nnx

from medst_jax.models.weights.foreign import (
    FLAT,
    SAME,
    Path,
    Slot,
    linear_slots,
    matrix,
    norm_slots,
)
from medst_jax.models.weights.kinds import (
    LayoutError,
    OptionsKind,
    Settings,
    Shapes,
    count,
    known_activation,
    stored_options,
)
from medst_jax.models.weights.positions import first_rows

# Both towers' tables of positions, and the text tower, by the names of CLIP and SigLIP.
TEXT, POSITIONS = "text_model.", "embeddings.position_embedding.weight"


class ConfiguredKind(OptionsKind):
    """A kind whose heads, activation and epsilon stand in config.json alone.

    Released configs are often no more than what differs from the defaults of the library's class,
    so a key that is absent has that default; a config that is absent as a whole tells nothing.
    """

    defaults: Mapping[str, Any]  # of the library's config class, by key
    section = ""  # of config.json, where it describes several towers
    own_type = ""  # model_type of a config.json that describes this tower alone

    def told(self, settings: Settings) -> dict[str, Any]:
        """The tower's keys, absent ones by the defaults of the library.

        Raises:
          LayoutError: there is no config.json.
        """
        if not settings:
            raise LayoutError(
                "heads, activation and epsilon leave no trace in the tensors; put the model's "
                "config.json beside the weights"
            )
        own = settings
        if self.section and settings.get("model_type") != self.own_type:
            own = settings.get(self.section) or {}
        return {**self.defaults, **{k: v for k, v in own.items() if v is not None}}

    def traceless(self, settings: Settings) -> dict[str, Any]:
        """Those options of the module that leave no trace in the tensors."""
        told = self.told(settings)
        return {
            "heads": int(told["num_attention_heads"]),
            "activation": known_activation(told["hidden_act"]),
            "epsilon": float(told["layer_norm_eps"]),
        }

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """Refuse a config that says what the module does not compute."""
        if not settings or stored_options(settings) is not None:
            return
        options: Any = getattr(module, "options", None)
        for name, told in self.traceless(settings).items():
            own = getattr(options, name)
            if own != told:
                raise LayoutError(f"its config has {name} {told!r}, the module {own!r}")


def split_attention_slots(
    names: tuple[str, str, str], path: Path, layer: int, *, biased: tuple[bool, bool, bool]
) -> Iterator[Slot]:
    """Query, key and value, `names`, as slices of the fused kernel `path` of a stack."""
    for part, name in enumerate(names):
        yield from part_slots(name, path, layer, part, bias=biased[part])


def part_slots(
    name: str, path: Path, layer: int, part: int, *, bias: bool = True
) -> Iterator[Slot]:
    """A linear layer that is one part of the fused one at `path`, kernel [layers, D, parts, ...]."""
    yield Slot(f"{name}.weight", (*path, "kernel"), matrix(1), (layer, slice(None), part))
    if bias:
        yield Slot(f"{name}.bias", (*path, "bias"), FLAT, (layer, part))


def tower_layer_slots(prefix: str, stack: str, depth: int) -> list[Slot]:
    """The layers of CLIP's and SigLIP's towers, `prefix`.N, in the stack of that name."""
    slots: list[Slot] = []
    for layer in range(depth):
        name, index = f"{prefix}.{layer}", (layer,)
        inputs = tuple(f"{name}.self_attn.{key}_proj" for key in "qkv")
        path: Path = (stack, "attn")
        slots += split_attention_slots(inputs, (*path, "qkv"), layer, biased=(True, True, True))  # type: ignore[arg-type]
        slots += linear_slots(f"{name}.self_attn.out_proj", (*path, "out"), index, inputs=2)
        for number in ("1", "2"):
            slots += norm_slots(f"{name}.layer_norm{number}", (stack, f"norm{number}"), index)
            fc = f"fc{number}"
            slots += linear_slots(f"{name}.mlp.{fc}", (stack, "mlp", fc), index)
    return slots


def text_tower_slots(positions: str, stack: str, depth: int) -> list[Slot]:
    """The text tower of CLIP and SigLIP but for its projection.

    Args:
      positions: name of the module's table.
      stack: that of its layers.
      depth: of these.
    """
    return [
        Slot(f"{TEXT}embeddings.token_embedding.weight", ("word_embeddings",), SAME),
        Slot(f"{TEXT}{POSITIONS}", (positions,), SAME, resize=first_rows),
        *norm_slots(f"{TEXT}final_layer_norm", ("norm",)),
        *tower_layer_slots(f"{TEXT}encoder.layers", stack, depth),
    ]


def text_tower_sizes(shapes: Shapes) -> dict[str, Any]:
    """Sizes of CLIP's and SigLIP's text tower that its tensors tell, by the names of options."""
    vocabulary_size, width = shapes[f"{TEXT}embeddings.token_embedding.weight"]
    own = [name for name in shapes if name.startswith(TEXT)]
    return {
        "vocabulary_size": vocabulary_size,
        "width": width,
        "depth": count(own, ".layer_norm1.weight"),
        "mlp": shapes[f"{TEXT}encoder.layers.0.mlp.fc1.weight"][0],
        "max_length": shapes[f"{TEXT}{POSITIONS}"][0],
    }
