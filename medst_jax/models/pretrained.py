# SPDX-License-Identifier: Apache-2.0
"""Weights in and out as safetensors under foreign names; nothing is loaded in part or by force."""

import json
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from absl import logging
from etils import epath
from flax import nnx

from medst_jax.models import foreign
from medst_jax.models.layout_hf_bert import HuggingFaceBert
from medst_jax.models.layout_timm import Timm
from medst_jax.models.layout_torchvision import Torchvision
from medst_jax.options import parse

WEIGHTS = "model.safetensors"


class PretrainedError(ValueError):
    """A weights file that does not fit the module, named tensor by tensor."""


class Layout(Protocol):
    """Names and shapes of one family of foreign files."""

    module: type[nnx.Module]
    options_class: type[Any]

    def slots(self, module: nnx.Module) -> list[foreign.Slot]: ...
    def ignored(self, name: str) -> bool: ...
    def extra(self, module: nnx.Module) -> dict[str, np.ndarray]: ...
    def options(self, shapes: Mapping[str, tuple[int, ...]]) -> Any: ...


LAYOUTS: dict[str, Layout] = {
    "torchvision": Torchvision(),
    "timm": Timm(),
    "hf-bert": HuggingFaceBert(),
}


def load_pretrained(
    module: nnx.Module,
    path: epath.PathLike,
    layout: str,
    *,
    input_channels: Literal["exact", "sum"] = "exact",
) -> None:
    """Overwrite a module's parameters and statistics by those of a file.

    Args:
      module: a ResNet for layout "torchvision", a ViT for "timm", a Bert for "hf-bert".
      path: a .safetensors file, or a folder that holds model.safetensors.
      layout: a key of `LAYOUTS`.
      input_channels: "sum" adds up the input channels of the file's first kernel for a module
        with one channel, which equals feeding the grey image to every channel.

    Raises:
      PretrainedError: a missing, unexpected or misshapen tensor; the module is then untouched.
    """
    chosen = _layout(layout, module)
    file = _weights_file(path)
    tensors = _read(file)
    slots = chosen.slots(module)
    names = {slot.name for slot in slots}
    missing = sorted(names - set(tensors))
    unexpected = sorted(n for n in tensors if n not in names and not chosen.ignored(n))
    if missing or unexpected:
        raise PretrainedError(
            f"{file} does not fit {type(module).__name__} under layout {layout!r}: "
            f"missing {_some(missing)}; unexpected {_some(unexpected)}"
        )
    left_out = sorted(n for n in tensors if n not in names and "num_batches" not in n)
    if left_out:
        logging.info("%s: left out %s, which the encoder does not have", file, _some(left_out))
    values = foreign.arrays(module)
    for slot in slots:
        tensor = tensors[slot.name].astype(np.float32)
        target = values[slot.path][slot.index]
        expected = slot.form.outward(target).shape
        axis = slot.input_axis
        if input_channels == "sum" and axis is not None and expected[axis] == 1:
            tensor = tensor.sum(axis, keepdims=True)
        if tensor.shape != expected:
            raise PretrainedError(_shape_message(file, slot, tensor.shape, expected))
        values[slot.path][slot.index] = slot.form.inward(tensor, target.shape)
    foreign.assign(module, values)


def save_pretrained(module: nnx.Module, path: epath.PathLike, layout: str) -> None:
    """Write a module's parameters and statistics to the file `path` (.safetensors), float32."""
    chosen = _layout(layout, module)
    values = foreign.arrays(module)
    tensors = {
        slot.name: np.ascontiguousarray(slot.form.outward(values[slot.path][slot.index]))
        for slot in chosen.slots(module)
    }
    payload = safetensors.numpy.save({**tensors, **chosen.extra(module)}, {"format": "pt"})
    epath.Path(path).write_bytes(payload)


def from_pretrained(path: epath.PathLike, layout: str) -> tuple[nnx.Module, None]:
    """Build a module of the right sizes and load a file into it.

    Sizes come from `architecture.options` of a config.json beside the weights when there is
    one (exports have it), else from the tensors' shapes with the layout's customary strides
    and head size.

    Returns:
      (module, tokenizer); the tokenizer is None, since none of these layouts brings one.

    Raises:
      PretrainedError: as `load_pretrained`; also an unknown layout or no weights at `path`.
    """
    chosen = _layout(layout)
    file = _weights_file(path)
    config = file.parent / "config.json"
    settings = json.loads(config.read_text()) if config.exists() else {}
    if "architecture" in settings:
        options = settings["architecture"]["options"]
        where = f"{config} architecture.options"
        sizes = parse(chosen.options_class, options, where)
    else:
        shapes = {name: tensor.shape for name, tensor in _read(file).items()}
        try:
            sizes = chosen.options(shapes)
        except KeyError as error:
            raise PretrainedError(
                f"{file} has no tensor {error} and is not of layout {layout!r}"
            ) from error
    module = _unfilled(chosen.module, sizes)
    load_pretrained(module, file, layout)
    return module, None


def _unfilled(module: type[nnx.Module], options: Any) -> nnx.Module:
    """A module of zeros, without running an initialiser."""
    abstract = nnx.eval_shape(lambda: module(options, rngs=nnx.Rngs(0)))  # type: ignore[call-arg]
    graphdef, shapes = nnx.split(abstract)
    return nnx.merge(
        graphdef, jax.tree.map(lambda x: jnp.asarray(np.zeros(x.shape, x.dtype)), shapes)
    )


def _layout(name: str, module: nnx.Module | None = None) -> Layout:
    if name not in LAYOUTS:
        raise PretrainedError(f"layout {name!r} is unknown; known: {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    if module is not None and not isinstance(module, layout.module):
        raise PretrainedError(
            f"layout {name!r} is for {layout.module.__name__}, not {type(module).__name__}"
        )
    return layout


def _weights_file(path: epath.PathLike) -> epath.Path:
    file = epath.Path(path)
    file = file / WEIGHTS if file.is_dir() else file
    if not file.exists():
        raise PretrainedError(f"{file} does not exist")
    return file


def _read(file: epath.Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load(file.read_bytes())
    except (safetensors.SafetensorError, KeyError) as error:
        raise PretrainedError(
            f"{file} is not a readable safetensors file ({error}); pickled checkpoints are not "
            "accepted, convert them with safetensors.torch.save_file"
        ) from error


def _some(names: list[str], limit: int = 8) -> str:
    shown = ", ".join(names[:limit]) or "nothing"
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _shape_message(
    file: epath.Path, slot: foreign.Slot, found: tuple[int, ...], expected: tuple[int, ...]
) -> str:
    message = f"{file}: {slot.name} has shape {found}; the module needs {expected}"
    axis = slot.input_axis
    if axis is None or found[:axis] + found[axis + 1 :] != expected[:axis] + expected[axis + 1 :]:
        return message
    if expected[axis] == 1:
        return f'{message} (input_channels="sum" adds the channels up)'
    return f"{message} (they differ in the number of image channels only)"
