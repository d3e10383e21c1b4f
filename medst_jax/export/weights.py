# SPDX-License-Identifier: Apache-2.0
"""Encoders under foreign names and heads under their own, as safetensors, read back and checked."""

import dataclasses
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from etils import epath
from flax import nnx

from medst_jax.data.tokenize.foreign_tokenizer import ForeignTokenizer
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.export.errors import ExportError
from medst_jax.export.foreign_config import foreign_config
from medst_jax.models.encoders.clip_transformer import ClipOutput
from medst_jax.models.weights.layout_registry import OWN_LAYOUT, own_layout
from medst_jax.models.weights.pretrained import from_pretrained, save_pretrained
from medst_jax.systems.system import System
from medst_jax.train.workdir import write_json

WEIGHTS, HEADS, TEXT = "model.safetensors", "heads.safetensors", "text_encoder"
_ENCODERS = ("image_encoder", "text_encoder")


def architecture(encoder: nnx.Module, *, named: bool = True) -> dict[str, Any]:
    """Class, layout and options of an encoder, enough to build it again.

    Args:
      encoder: the image or text encoder.
      named: whether its weights are to be written; else an unknown class has no layout.

    Raises:
      ExportError: no foreign naming is known for its class.
    """
    kind = type(encoder)
    layout = own_layout(encoder)
    if layout is None and named:
        known = ", ".join(c.__name__ for c in OWN_LAYOUT)
        raise ExportError(
            f"{kind.__name__} has no foreign names to export under; known: {known}. "
            "--format=stablehlo exports its programs"
        )
    options = dataclasses.asdict(encoder.options)  # type: ignore[attr-defined]
    named_as = {} if layout is None else {"layout": layout}
    return {"class": kind.__name__, **named_as, "options": options}


def head_tensors(system: System) -> dict[str, np.ndarray]:
    """Parameters outside the encoders; kernels of linear layers as PyTorch's [out, in] weights."""
    tensors = {}
    for path, variable in nnx.to_flat_state(nnx.state(system, nnx.Param)):
        if path[0] in _ENCODERS:
            continue
        value = np.asarray(variable[...], np.float32)
        name = ".".join(map(str, path))
        if path[-2:] == ("linear", "kernel"):
            name, value = f"{name.removesuffix('.linear.kernel')}.weight", value.T
        tensors[name] = np.ascontiguousarray(value)
    return tensors


def write_heads(system: System, folder: epath.Path) -> dict[str, list[int]]:
    """Write heads.safetensors; returns the shape of each tensor by name."""
    tensors = head_tensors(system)
    (folder / HEADS).write_bytes(safetensors.numpy.save(tensors, {"format": "pt"}))
    read = safetensors.numpy.load((folder / HEADS).read_bytes())
    for name, tensor in tensors.items():
        if name not in read or not np.array_equal(read[name], tensor, equal_nan=True):
            raise ExportError(f"{folder / HEADS}: {name} does not read back as written")
    return {name: list(tensor.shape) for name, tensor in tensors.items()}


def write_image_encoder(encoder: nnx.Module, size: int, folder: epath.Path) -> None:
    """Write model.safetensors beside config.json and check that it gives the same outputs.

    Args:
      encoder: a ResNet or ViT.
      size: side of its input in pixels.
      folder: holds config.json with `encoder` already, which the check reads.
    """
    layout = architecture(encoder)["layout"]
    save_pretrained(encoder, folder / WEIGHTS, layout)
    rebuilt, _ = from_pretrained(folder, layout)
    channels = encoder.options.channels  # type: ignore[attr-defined]
    images = jax.random.normal(jax.random.key(0), (2, size, size, channels))
    _check_outputs(folder / WEIGHTS, *(_run(m, images).pooled for m in (encoder, rebuilt)))


def write_text_encoder(
    encoder: nnx.Module, tokenizer: TextTokenizer | None, folder: epath.Path
) -> None:
    """Write text_encoder/ and check that it gives the same outputs.

    It holds weights, a config.json for transformers and, for an imported tokenizer, the
    tokenizer.json it came with.
    """
    target = folder / TEXT
    target.mkdir()
    config = {**foreign_config(encoder), "encoder": architecture(encoder)}
    write_json(target / "config.json", config)
    if isinstance(tokenizer, ForeignTokenizer):
        (target / "tokenizer.json").write_bytes(tokenizer.definition)
        write_json(target / "tokenizer_config.json", tokenizer.roles())
    save_pretrained(encoder, target / WEIGHTS, OWN_LAYOUT[type(encoder)])
    rebuilt, _ = from_pretrained(target, OWN_LAYOUT[type(encoder)])
    options = encoder.options  # type: ignore[attr-defined]
    length = min(16, options.max_length)
    tokens = jax.random.randint(jax.random.key(0), (2, length), 0, options.vocabulary_size)
    mask = np.arange(length)[None] < np.array([[length], [length // 2]])
    outputs = (_last_states(_run(m, tokens, mask)) for m in (encoder, rebuilt))
    _check_outputs(target / WEIGHTS, *outputs)


def _last_states(output: Any) -> jax.Array:
    return output.tokens if isinstance(output, ClipOutput) else output.hidden_states[-1]


def _run(module: nnx.Module, *inputs: Any) -> Any:
    graphdef, state = nnx.split(module)
    return jax.jit(lambda state, *x: nnx.merge(graphdef, state)(*x))(state, *inputs)


def _check_outputs(file: epath.Path, original: jax.Array, rebuilt: jax.Array) -> None:
    a, b = (np.asarray(x, np.float32) for x in (original, rebuilt))
    if not np.isfinite(a).all():
        raise ExportError(f"{file}: the encoder gives values that are not finite")
    difference = float(np.abs(a - b).max())
    if difference > 1e-5 * max(1.0, float(np.abs(a).max())):
        raise ExportError(f"{file}: outputs differ by {difference:.3g} after reading it back")
