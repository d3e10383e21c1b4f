# SPDX-License-Identifier: Apache-2.0
"""What a layout is made of: one kind per module class that its files can hold."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from flax import nnx

from medst_jax.added_options import fill_recorded
from medst_jax.models.weights.foreign import Slot, under
from medst_jax.options import parse

OPEN_CLIP_CONFIG = "open_clip_config.json"  # of a hub folder, beside or in place of config.json
TEXT_CONFIG = "hf_text_config"  # key under which a text encoder's config.json is handed on
Shapes = Mapping[str, tuple[int, ...]]
Settings = Mapping[str, Any]  # config.json beside the weights, {} without one
Make = Callable[[nnx.Rngs], nnx.Module]


class LayoutError(ValueError):
    """Names or sizes that a layout cannot make sense of."""


class Kind(Protocol):
    """Names of the tensors of one module class.

    Attributes:
      module: the class.
      mark: a name that every file of this kind has, behind the same prefix as all others.
      prefixes: what may stand before every name; the first is written by default.
    """

    module: type[nnx.Module]
    mark: str
    prefixes: tuple[str, ...]

    def slots(self, module: nnx.Module) -> list[Slot]:
        """One slot per tensor of the module: the table that is read in both directions."""
        ...

    def ignored(self, name: str) -> bool:
        """Whether a tensor outside the table is known to carry nothing for the module."""
        ...

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        """Tensors that PyTorch's strict loading wants and the module does not have."""
        ...

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        """A constructor of the module whose sizes are those of a file."""
        ...

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """Refuse a config beside the weights that says what the module does not compute.

        Raises:
          LayoutError: names the key and both values.
        """
        ...


class OptionsKind:
    """A kind whose module is built from one dataclass of options."""

    module: type[nnx.Module]
    options_class: type[Any]
    mark: str
    prefixes: tuple[str, ...] = ("",)

    def ignored(self, name: str) -> bool:
        return False

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {}

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """Heads and activation, which leave no trace in the tensors."""
        options: Any = getattr(module, "options", None)
        if stored_options(settings) is not None:
            return  # an export of this package: its own options are compared elsewhere
        own = getattr(options, "heads", None)
        configured = configured_heads(settings)
        if isinstance(own, int) and configured is not None and own != configured:
            raise LayoutError(f"its config has {configured} attention heads, the module {own}")

    def options(self, shapes: Shapes, settings: Settings) -> Any:
        """Sizes read from the tensors and, where these leave no trace, from the settings."""
        raise LayoutError(f"{type(self).__name__} reads no sizes")

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        stored = stored_options(settings)
        if stored is None:
            options = self.options(shapes, settings)
        else:
            complete = fill_recorded(self.options_class, stored)
            options = parse(self.options_class, complete, "config.json encoder.options")
        changed = dataclasses.replace(options, **changes)
        return lambda rngs: self.module(changed, rngs=rngs)  # type: ignore[call-arg]


class Within:
    """A kind found behind a fixed prefix of a larger checkpoint; the rest is left out."""

    def __init__(
        self,
        kind: Kind,
        prefix: str,
        prefixes: tuple[str, ...] = ("",),
        settings_of: Callable[[Settings], Settings] | None = None,
    ):
        """`settings_of` gives this part's settings of the checkpoint's, where these hold any."""
        self.kind, self.prefix, self.settings_of = kind, prefix, settings_of
        self.module, self.prefixes = kind.module, prefixes
        self.mark = prefix + kind.mark

    def slots(self, module: nnx.Module) -> list[Slot]:
        return list(under(self.kind.slots(module), self.prefix, ()))

    def ignored(self, name: str) -> bool:
        return not name.startswith(self.prefix) or self.kind.ignored(name.removeprefix(self.prefix))

    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]:
        return {self.prefix + name: value for name, value in self.kind.extra(module).items()}

    def make(self, shapes: Shapes, settings: Settings, changes: Settings) -> Make:
        own = self.settings_of(settings) if self.settings_of else settings
        return self.kind.make(part_of(shapes, self.prefix), own, changes)

    def check(self, module: nnx.Module, settings: Settings) -> None:
        """Other configs are of the whole checkpoint and tell nothing of this part alone."""
        if self.settings_of and settings:
            self.kind.check(module, self.settings_of(settings))


def stored_options(settings: Settings) -> Settings | None:
    """`encoder.options` of a config.json that an export of this package wrote."""
    for key in ("encoder", "architecture"):  # timm keeps a name under the second
        described = settings.get(key)
        if isinstance(described, Mapping):
            return described.get("options")
    return None


def section(settings: Settings, name: str) -> Settings:
    """The settings of one encoder, `name` "image" or "text", where a file has them apart."""
    encoder_settings: Settings = settings.get(f"{name}_config", settings)
    return encoder_settings


def part_of(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    """The names behind `prefix`, without it."""
    return {n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)}


def count(names: Iterable[str], ending: str) -> int:
    """How many names end so: the number of layers."""
    return sum(name.endswith(ending) for name in names)


def heads(width: int, settings: Settings) -> int:
    """Attention heads, which leave no trace in the tensors: from the settings, else 64 wide.

    Raises:
      LayoutError: neither tells.
    """
    configured = configured_heads(settings)
    if configured is not None:
        return configured
    if "head_width" in settings:  # open_clip
        return width // int(settings["head_width"])
    # Wider models often have wider heads (SigLIP so400m 72, ViT-H 80): no error would tell.
    if width % 64 or width > 1024:
        raise LayoutError(
            f"the number of attention heads cannot be read from tensors of width {width}; put "
            'a config.json with "num_attention_heads" beside the weights'
        )
    return width // 64


def configured_heads(settings: Settings) -> int | None:
    """The number of attention heads that a config tells, None where it does not."""
    nested = settings.get("model_args") or {}
    for source, key in (
        (settings, "num_attention_heads"),
        (settings, "num_heads"),
        (settings, "heads"),
        (nested, "num_heads"),
    ):
        if isinstance(source.get(key), int):
            return int(source[key])
    return None


def known_activation(name: str) -> Any:
    """A foreign config's name of an activation as `layers.attention.Activation`.

    Raises:
      LayoutError: no encoder here computes it.
    """
    names = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_tanh": "gelu_tanh"}
    names |= {"gelu_new": "gelu_tanh", "quick_gelu": "quick_gelu", "quickgelu": "quick_gelu"}
    names |= {"silu": "silu", "swish": "silu"}
    if name not in names:
        raise LayoutError(f"activation {name!r} is unknown; known: {', '.join(names)}")
    return names[name]
