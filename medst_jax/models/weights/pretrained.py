# SPDX-License-Identifier: Apache-2.0
"""Weights in and out as safetensors under foreign names; nothing is loaded in part or by force."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from etils import epath
from flax import nnx

from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer
from medst_jax.models.weights import foreign, weights_file
from medst_jax.models.weights.kinds import Kind, LayoutError
from medst_jax.models.weights.layout_registry import kind_of_module, kind_of_tensors, kinds_of
from medst_jax.models.weights.names import NamedTensors, named
from medst_jax.models.weights.weights_file import Carried, PretrainedError

Channels = Literal["exact", "sum"]
Positions = Literal["exact", "resize"]
Layers = Literal["exact", "first"]


def load_pretrained(
    module: nnx.Module,
    path: epath.PathLike,
    layout: str,
    *,
    input_channels: Channels = "exact",
    positions: Positions = "exact",
    layers: Layers = "exact",
    prefix: str | None = None,
) -> None:
    """Overwrite a module's parameters and statistics by those of a file.

    Args:
      module: of a class that the layout knows, such as a ResNet for "torchvision"; an encoder
        can also be read out of a larger checkpoint, such as a ViT out of "mgca".
      path: a .safetensors file, or a folder that holds model.safetensors or its shards.
      layout: a key of `LAYOUTS`.
      input_channels: "sum" adds up the input channels of the file's first kernel for a module
        with one channel, which equals feeding the grey image to every channel.
      positions: "resize" fits position embeddings of another grid (bicubic, as timm) or of a
        longer text (the first ones).
      layers: "first" takes the first layers of a deeper file.
      prefix: what the wanted names start with in a file of several models ("teacher."). A
        trainer's prefix, such as "module.", is found without it where one alone fits.

    Raises:
      PretrainedError: a missing, unexpected or misshapen tensor; the module is then untouched.
    """
    _kind(layout, module)  # a layout that has no such module is said before its file is read
    file = weights_file.find(path)
    content = _read(file, layout, prefix)
    try:
        kind = kind_of_module(layout, module, content.tensors)
        kind.check(module, weights_file.settings(file, layout))
    except LayoutError as error:
        raise PretrainedError(f"{file}: {error}") from error
    _fill(module, file, layout, content, input_channels, positions, layers)


def save_pretrained(module: nnx.Module, path: epath.PathLike, layout: str) -> None:
    """Write a module's parameters and statistics to the file `path` (.safetensors).

    A module of `from_pretrained` leaves with the prefix, counters, buffers and classifiers it
    came with, and in the file's precision where that loses nothing; any other is float32.

    Args:
      module: of a class that the layout knows.
      path: the file to write.
      layout: a key of `LAYOUTS`.

    Raises:
      PretrainedError: the layout has no such module, or the layout is unknown.
    """
    kind = _kind(layout, module)
    carried = getattr(module, "carried", None)
    if carried is None or carried.kind not in kinds_of(layout):
        carried = Carried(kind, kind.prefixes[0], kind.extra(module), {})
    kind = carried.kind
    tensors = dict(carried.tensors)
    own = foreign.foreign_arrays(kind.slots(module), foreign.arrays(module))
    for bare, value in own.items():
        name = carried.prefix + bare
        value = weights_file.as_carried(value, carried.dtypes.get(name))
        tensors[carried.original.get(name, name)] = value
    weights_file.write(epath.Path(path), tensors)


def from_pretrained(
    path: epath.PathLike,
    layout: str,
    *,
    input_channels: Channels = "exact",
    positions: Positions = "exact",
    layers: Layers = "exact",
    prefix: str | None = None,
    **changes: Any,
) -> tuple[Any, TextTokenizer | None]:
    """Build a module of the right sizes and load a file into it.

    Sizes come from the tensors' shapes; what leaves no trace there comes from a config.json
    beside the weights (an export's own, Hugging Face's or timm's), else is customary.

    Args:
      path: as for `load_pretrained`.
      layout: as for `load_pretrained`.
      input_channels: as for `load_pretrained`.
      positions: as for `load_pretrained`.
      layers: as for `load_pretrained`.
      prefix: as for `load_pretrained`.
      **changes: options of the module to set otherwise, such as `dtype`; with
        positions="resize" `image_size`, with layers="first" `depth`.

    Returns:
      (module, tokenizer); the tokenizer is None unless its files lie beside the weights.

    Raises:
      PretrainedError: as `load_pretrained`; also an unknown layout or no weights at `path`.
    """
    file = weights_file.find(path)
    content = _read(file, layout, prefix)
    settings = weights_file.settings(file, layout)
    try:
        kind, known = kind_of_tensors(layout, content.tensors)
        shapes = {n.removeprefix(known): s for n, s in _shapes(content.tensors).items()}
        make = kind.make(shapes, settings, changes)
    except KeyError as error:
        raise PretrainedError(
            f"{file} has no tensor {error} and is not of layout {layout!r}"
        ) from error
    except LayoutError as error:
        raise PretrainedError(f"{file}: {error}") from error
    module = _unfilled(make)
    _fill(module, file, layout, content, input_channels, positions, layers)
    module.carried = _carried(kind, module, known, content)
    return module, find_tokenizer(file.parent, weights_file.settings(file))


def _read(file: epath.Path, layout: str, prefix: str | None) -> NamedTensors:
    try:
        kinds = kinds_of(layout)
        settings = weights_file.settings(file, layout)
        return named(weights_file.read(file), kinds, settings, prefix)
    except LayoutError as error:
        raise PretrainedError(f"{file}: {error}") from error


def _fill(
    module: nnx.Module,
    file: epath.Path,
    layout: str,
    content: NamedTensors,
    input_channels: Channels,
    positions: Positions,
    layers: Layers,
) -> None:
    kind = _kind(layout, module, content.tensors)
    prefix = next((p for p in kind.prefixes if p + kind.mark in content.tensors), "")
    tensors = {name.removeprefix(prefix): tensor for name, tensor in content.tensors.items()}
    slots, values = kind.slots(module), foreign.arrays(module)
    names = _shapes(foreign.foreign_arrays(slots, values))
    missing = sorted(set(names) - set(tensors))
    beyond = sorted(n for n in tensors if n not in names and not kind.ignored(n))
    if layers == "first":
        beyond = [name for name in beyond if not _deeper(name, names)]
    if missing or beyond:
        raise PretrainedError(
            f"{file} does not fit {type(module).__name__} under layout {layout!r}: "
            f"missing {_some(missing, names)}; unexpected {_some(beyond, _shapes(tensors))}"
        )
    left_out = sorted(n for n in tensors if n not in names and "num_batches" not in n)
    left_out += sorted(content.outside)
    if left_out:
        logging.info("%s: left out %s, which the module does not have", file, _some(left_out, {}))
    for slot in slots:
        tensor = tensors[slot.name].astype(np.float32)
        target = values[slot.path][slot.index]
        expected = names[slot.name]
        axis = slot.input_axis
        if input_channels == "sum" and axis is not None and expected[axis] == 1:
            tensor = tensor.sum(axis, keepdims=True)
        if positions == "resize" and slot.resize is not None and tensor.shape != expected:
            fitted = slot.resize(tensor, expected)
            tensor = tensor if fitted is None else fitted
        if tensor.shape != expected:
            raise PretrainedError(_shape_message(file, slot, tensor.shape, expected))
        if slot.rows is not None:
            tensor = tensor[slice(*slot.rows)]
        values[slot.path][slot.index] = slot.form.inward(tensor, target.shape)
    foreign.assign(module, values)


def _deeper(name: str, known: Collection[str]) -> bool:
    """Whether the name is that of a known tensor but for a larger layer number."""
    parts = name.split(".")
    return any(
        part.isdigit() and ".".join([*parts[:i], "0", *parts[i + 1 :]]) in known
        for i, part in enumerate(parts)
    )


def _carried(kind: Kind, module: nnx.Module, prefix: str, content: NamedTensors) -> Carried:
    names = {prefix + slot.name for slot in kind.slots(module)}
    beyond = {
        content.original.get(name, name): tensor
        for name, tensor in content.tensors.items()
        if name not in names
    }
    dtypes = {
        name: tensor.dtype
        for name, tensor in content.tensors.items()
        if name in names and tensor.dtype != np.float32
    }
    return Carried(kind, prefix, {**beyond, **content.outside}, dtypes, content.original)


def _unfilled(make: Any) -> Any:
    """A module of zeros, without running an initialiser."""
    graphdef, shapes = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))
    return nnx.merge(
        graphdef, jax.tree.map(lambda x: jnp.asarray(np.zeros(x.shape, x.dtype)), shapes)
    )


def _kind(layout: str, module: nnx.Module, names: Collection[str] = ()) -> Kind:
    try:
        return kind_of_module(layout, module, names)
    except LayoutError as error:
        raise PretrainedError(str(error)) from None


def _shapes(tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _some(names: list[str], shapes: Mapping[str, tuple[int, ...]], limit: int = 8) -> str:
    described = [f"{n} {shapes[n]}" if n in shapes else n for n in names[:limit]]
    shown = ", ".join(described) or "nothing"
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _shape_message(
    file: epath.Path, slot: foreign.Slot, stored: tuple[int, ...], expected: tuple[int, ...]
) -> str:
    message = f"{file}: {slot.name} has shape {stored}; the module needs {expected}"
    if slot.resize is not None:
        return f'{message} (positions="resize" fits embeddings of another grid or longer texts)'
    axis = slot.input_axis
    if axis is None or stored[:axis] + stored[axis + 1 :] != expected[:axis] + expected[axis + 1 :]:
        return message
    if expected[axis] == 1:
        return f'{message} (input_channels="sum" adds the channels up)'
    return f"{message} (they differ in the number of image channels only)"
