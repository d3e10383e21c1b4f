# SPDX-License-Identifier: Apache-2.0
"""Exported encoders in torchvision, timm and transformers, by the lines that a model card shows.

    python -m experiments.exports_in_torch --torch_python=PYTHON [--names=resnet50,vit_b16]

Encoders at paper size with random weights and statistics are written as `launch/export.py` writes them;
the other interpreter runs the card's lines on the same inputs. Prints the largest absolute difference
of the outputs and the scale of the outputs, and fails above 1e-4 of that scale.
"""

import json
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from etils import epath
from flax import nnx

from medst_jax import models
from medst_jax.benchmarks.other_python import answer
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.export.foreign_config import foreign_config
from medst_jax.export.usage import loading_lines
from medst_jax.export.weights import WEIGHTS, architecture, write_text_encoder
from medst_jax.models.weights.layout_registry import OWN_LAYOUT

_PYTHON = flags.DEFINE_string("torch_python", None, "Interpreter with torch.", required=True)
_NAMES = flags.DEFINE_list("names", [], "Which encoders; all by default.")
_LIMIT = 1e-4


class Case(NamedTuple):
    """How an encoder is made, which variable of the lines is compared, and ours."""

    make: Callable[[nnx.Rngs], Any]
    size: int
    theirs: str
    ours: Callable[[Any], jax.Array]


def _tokens(output: Any) -> jax.Array:
    return output.tokens


def _pooled(output: Any) -> jax.Array:
    return output.pooled


CASES: dict[str, Case] = {
    "resnet50": Case(
        lambda rngs: models.ResNet(models.ResNetOptions.resnet50(), rngs=rngs),
        224,
        "features",
        _pooled,
    ),
    "vit_b16": Case(
        lambda rngs: models.ViT(models.ViTOptions.vit_b16(), rngs=rngs), 224, "tokens", _tokens
    ),
    "vit_b16_map": Case(
        lambda rngs: models.ViT(models.ViTOptions.vit_b16(pooling="map"), rngs=rngs),
        224,
        "model.forward_head(tokens, pre_logits=True)",
        _pooled,
    ),
    "vit_b16_grey": Case(
        lambda rngs: models.ViT(models.ViTOptions.vit_b16(channels=1), rngs=rngs),
        224,
        "tokens",
        _tokens,
    ),
    "swin_tiny": Case(
        lambda rngs: models.Swin(models.SwinOptions.tiny(), rngs=rngs), 224, "features", _pooled
    ),
    "bert_base": Case(
        lambda rngs: models.Bert(models.BertOptions.bert_base(30_522), rngs=rngs),
        0,
        "states[-1]",
        lambda output: output.hidden_states[-1],
    ),
}


def randomised(module: nnx.Module) -> nnx.Module:
    """The module with every parameter and statistic away from where it begins."""
    rng = np.random.default_rng(0)
    moved = []
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        value = np.asarray(variable[...])
        if np.issubdtype(value.dtype, np.floating):
            noise = rng.normal(size=value.shape)
            value = np.exp(0.2 * noise) if path[-1] == "var" else value + 0.02 * noise
        moved.append((path, variable.replace(jnp.asarray(value, variable[...].dtype))))
    nnx.update(module, nnx.from_flat_state(moved))
    return module


def written(case: Case, module: Any, folder: pathlib.Path) -> tuple[str, np.ndarray]:
    """Write an encoder and its inputs; the lines that load it, and our output."""
    rng = np.random.default_rng(1)
    graph, state = nnx.split(module)
    run = jax.jit(lambda state, *inputs: case.ours(nnx.merge(graph, state)(*inputs)))
    layout = OWN_LAYOUT[type(module)]
    if not case.size:
        tokens = rng.integers(1, 30_000, (2, 40)).astype(np.int32)
        mask = np.arange(40)[None] < np.array([[40], [23]])
        np.savez(folder / "inputs.npz", tokens=tokens.astype(np.int64), mask=mask)
        write_text_encoder(module, None, epath.Path(folder))
        ours = np.asarray(run(state, tokens, mask))
        np.save(folder / "ours.npy", np.where(mask[..., None], ours, 0.0))
        return loading_lines(None, str(folder)), ours
    images = rng.normal(size=(2, case.size, case.size, module.options.channels))
    images = images.astype(np.float32)
    np.savez(folder / "inputs.npz", images=images.transpose(0, 3, 1, 2))
    preprocess = Preprocess(case.size, channels=module.options.channels)
    config = {**foreign_config(module, preprocess), "encoder": architecture(module)}
    (folder / "config.json").write_text(json.dumps(config))
    models.save_pretrained(module, folder / WEIGHTS, layout)
    ours = np.asarray(run(state, images))
    np.save(folder / "ours.npy", ours)
    return loading_lines(layout, str(folder)), ours


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    names = _NAMES.value or list(CASES)
    if unknown := set(names) - set(CASES):
        raise app.UsageError(f"no encoders {sorted(unknown)}; known: {list(CASES)}")
    report = {}
    for name in names:
        case = CASES[name]
        module = randomised(case.make(nnx.Rngs(0)))
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            lines, ours = written(case, module, folder)
            sent = json.dumps({"folder": temporary, "lines": lines, "theirs": case.theirs})
            difference = answer(
                _PYTHON.value, pathlib.Path(__file__).with_name("torch_exports.py"), sent=sent
            )["difference"]
        report[name] = {"difference": difference, "scale": float(np.abs(ours).max())}
        print(name, json.dumps(report[name]), file=sys.stderr)
    print(json.dumps(report))
    wrong = [n for n, row in report.items() if not row["difference"] <= _LIMIT * row["scale"]]
    if wrong:
        raise SystemExit(f"error: {', '.join(wrong)} differ by more than {_LIMIT} of their scale")


if __name__ == "__main__":
    app.run(main)
