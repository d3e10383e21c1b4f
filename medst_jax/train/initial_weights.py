# SPDX-License-Identifier: Apache-2.0
"""Training that starts from imported weights: the section `init` of a configuration."""

import dataclasses
import hashlib
import logging

import jax
import numpy as np
import safetensors.numpy
from etils import epath
from flax import nnx

from medst_jax import models
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer
from medst_jax.models.weights import foreign, weights_file
from medst_jax.models.weights.layout_registry import LAYOUTS, OWN_LAYOUT
from medst_jax.options import OptionError
from medst_jax.systems.system import System
from medst_jax.train.named_weights import located
from medst_jax.train.options import InitOptions
from medst_jax.train.state import Arrays, TrainState, arrays, skeleton

_LOG = logging.getLogger(__name__)


def load_initial(
    state: TrainState,
    system: System,
    options: InitOptions,
    tokenizer: TextTokenizer | None,
    data_dir: str = "data",
) -> TrainState:
    """The state before the first step, its encoders overwritten by imported weights.

    Args:
      state: freshly initialised; only its first step's parameters are replaced.
      system: the system, abstract or concrete: its encoders say what is wanted.
      options: the section.
      tokenizer: of the data, which must be the text encoder's own.
      data_dir: where named weights lie.

    Raises:
      OptionError: the system has no such encoder, or the data are tokenised otherwise.
      PretrainedError: the files do not fit.
    """
    if not (options.image or options.text or options.heads):
        return state
    params, model_state = dict(state.params), dict(state.model_state)
    heads = _heads(system, options, [*params, *model_state])
    for name in ("image", "text"):
        path, layout = located(options, name, data_dir)
        if not path:
            continue
        encoder = getattr(system, f"{name}_encoder", None)
        if encoder is None:
            raise OptionError(f"config.init.{name} is {path!r}, but the system has no such encoder")
        if name == "text":
            _check_tokenizer(path, tokenizer)
        for key, value in _read(encoder, path, name, layout, options).items():
            full = f"{name}_encoder/{key}"
            target = params if full in params else model_state
            target[full] = _placed(value, target[full])
    for full, value in heads.items():
        target = params if full in params else model_state
        if target[full].shape != value.shape:
            raise OptionError(
                f"config.init.heads is {options.heads!r}: {full} has the shape {value.shape} there "
                f"and {target[full].shape} here"
            )
        target[full] = _placed(value, target[full])
    model_state = _prepared(system, params, model_state)
    ema = None if state.ema is None else jax.tree.map(lambda x: x.copy(), params)
    return dataclasses.replace(state, params=params, model_state=model_state, ema=ema)


def _heads(system: System, options: InitOptions, paths: list[str]) -> dict[str, np.ndarray]:
    """Arrays by path of the heads that the system shares with another run's."""
    shared = [p for p in paths if p.split("/")[0] in system.shared_heads]
    if options.text and shared and not options.heads:
        raise OptionError(
            "config.init.text names an encoder whose head the system takes over as well: give "
            "its heads.safetensors in config.init.heads"
        )
    if not options.heads:
        return {}
    if not shared:
        raise OptionError(
            f"config.init.heads is {options.heads!r}, but the system takes over no heads"
        )
    stored = safetensors.numpy.load(epath.Path(options.heads).read_bytes())
    missing = [path for path in shared if path.replace("/", ".") not in stored]
    if missing:
        raise OptionError(f"config.init.heads is {options.heads!r}, which lacks {missing[0]}")
    return {path: stored[path.replace("/", ".")] for path in shared}


def _prepared(system: System, params: Arrays, model_state: Arrays) -> Arrays:
    """The model state with what the system computes once from its weights."""
    if type(system).prepare is System.prepare:
        return model_state
    parts = skeleton(system)

    def prepare(params: Arrays, model_state: Arrays) -> Arrays:
        loaded = parts.system(params, model_state)
        loaded.prepare()
        return arrays(loaded)[1]

    shardings = jax.tree.map(lambda x: x.sharding, model_state)
    return jax.jit(prepare, out_shardings=shardings)(params, model_state)


def _read(
    encoder: nnx.Module, path: str, name: str, layout: str, options: InitOptions
) -> dict[str, np.ndarray]:
    """Arrays by path in the encoder."""
    layout = layout or OWN_LAYOUT.get(type(encoder), "")
    wanted, within = _source(encoder, layout)
    graphdef, shapes = nnx.split(wanted)
    module = nnx.merge(
        graphdef, jax.tree.map(lambda x: jax.numpy.asarray(np.zeros(x.shape, x.dtype)), shapes)
    )
    models.load_pretrained(
        module,
        path,
        layout,
        input_channels=options.input_channels,
        positions=options.positions,
        layers=options.layers,
    )
    values = foreign.arrays(module)
    if type(encoder) is models.MixtureOfViewExperts is not type(module):
        values = models.experts_of_vit(values)
    digest = hashlib.sha256(weights_file.find(path).read_bytes()).hexdigest()
    _LOG.info(
        "%s encoder starts from %s (%s of %s, sha256 %s)",
        name,
        path,
        type(module).__name__,
        layout,
        digest[:16],
    )
    return {within + "/".join(map(str, p)): value for p, value in values.items()}


def _source(encoder: nnx.Module, layout: str) -> tuple[nnx.Module, str]:
    """What is read from the file, and the path in the encoder that it fills.

    The encoder itself; the ViT that view experts can start from; or the ResNet of a temporal
    encoder, whose pooler then stays as it is.
    """
    known = {kind.module for kind in LAYOUTS.get(layout, ())}
    if type(encoder) in known:
        return encoder, ""
    if type(encoder) is models.MixtureOfViewExperts and models.ViT in known:
        vit_options = encoder.options
        return nnx.eval_shape(lambda: models.ViT(vit_options, rngs=nnx.Rngs(0))), ""
    if type(encoder) is models.HybridTemporalEncoder and models.ResNet in known:
        return encoder.backbone, "backbone/"
    return encoder, ""


def _check_tokenizer(path: str, tokenizer: TextTokenizer | None) -> None:
    file = weights_file.find(path)
    encoder_tokenizer = find_tokenizer(file.parent, weights_file.settings(file))
    if encoder_tokenizer is None:
        return
    if tokenizer is None or tokenizer.fingerprint != encoder_tokenizer.fingerprint:
        folder = epath.Path(path)
        folder = folder if folder.is_dir() else folder.parent
        raise OptionError(
            f"config.init.text is {path!r}, whose tokenizer is not that of the data; set "
            f"config.data.vocabulary to {str(folder)!r}"
        )


def _placed(value: np.ndarray, like: jax.Array) -> jax.Array:
    """`value` in the dtype and on the devices of `like`, each process filling its own."""
    cast = np.asarray(value, like.dtype)
    return jax.make_array_from_callback(like.shape, like.sharding, lambda index: cast[index])
