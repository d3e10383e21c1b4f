# SPDX-License-Identifier: Apache-2.0
"""Forward and forward + backward of ResNet-50, ViT-B/16 and BERT-base on CPU, beside PyTorch's.

    python -m medst_jax.benchmarks.encoders --torch_python=/path/to/torch/bin/python --json

Both sides alternate in one run, call by call, in float32 on the same cores; printed are the medians
of seconds and of the ratio of rates (above 1: faster than PyTorch). Without --torch_python only our
side is timed.
"""

import json
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from flax import nnx

from medst_jax import models

_PYTHON = flags.DEFINE_string("torch_python", None, "Interpreter that has torch and its libraries.")
_REPEATS = flags.DEFINE_integer("repeats", 5, "Timed calls of each kind, after one to warm up.")
_BATCH = flags.DEFINE_integer("batch", 8, "Images, or texts of 128 tokens.")
_NAMES = flags.DEFINE_list("names", ["resnet50", "vit_b16", "bert_base"], "Which encoders.")
_DTYPE = flags.DEFINE_string("dtype", "float32", "Of our side.")
_CONVOLUTION = flags.DEFINE_string("convolution", "xla", "Form of our convolutions.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON.")
_WORKER = pathlib.Path(__file__).with_name("torch_worker.py")


def ours(name: str, batch: int) -> dict[str, Callable[[], Any]]:
    """Compiled calls of one encoder by mode, on arrays already on the device."""
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(batch, 224, 224, 3)), jnp.float32)
    tokens = jnp.asarray(rng.integers(5, 30_000, (batch, 128)), jnp.int32)
    dtype = _DTYPE.value
    make: Callable[[nnx.Rngs], Any]
    if name == "bert_base":
        text = models.BertOptions.bert_base(30_522, dropout=0.0, dtype=dtype)
        make = lambda rngs: models.Bert(text, rngs=rngs)
        call = lambda module, train: module(tokens, jnp.ones_like(tokens, bool)).hidden_states[-1]
    elif name == "vit_b16":
        vit = models.ViTOptions.vit_b16(dtype=dtype)
        make = lambda rngs: models.ViT(vit, rngs=rngs)
        call = lambda module, train: module(images).tokens
    else:
        resnet = models.ResNetOptions.resnet50(dtype=dtype, convolution=_CONVOLUTION.value)
        make = lambda rngs: models.ResNet(resnet, rngs=rngs)
        call = lambda module, train: module(images, train=train).pooled
    graphdef, parameters, rest = jax.jit(
        lambda: nnx.split(make(nnx.Rngs(0)), nnx.Param, ...)  # type: ignore[misc]
    )()

    def forward(parameters: Any, rest: Any, train: bool = False) -> jax.Array:
        return call(nnx.merge(graphdef, parameters, rest, copy=True), train)

    def loss(parameters: Any, rest: Any) -> jax.Array:
        return jnp.square(forward(parameters, rest, True).astype(jnp.float32)).mean()

    compiled = {"forward": jax.jit(forward), "backward": jax.jit(jax.grad(loss))}
    return {
        mode: (lambda run=run: jax.block_until_ready(run(parameters, rest)))
        for mode, run in compiled.items()
    }


class Torch:
    """The other interpreter, answering with the seconds of one call."""

    def __init__(self, python: str):
        self._process = subprocess.Popen(
            [python, str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, name: str, mode: str, batch: int) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{name} {mode} {batch}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {_PYTHON.value} stopped; its message is above")
        return float(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(name: str, torch: Torch | None, batch: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of medians for one encoder, both modes."""
    rows = []
    for mode, run in ours(name, batch).items():
        pairs = []
        for repeat in range(repeats + 1):
            began = time.perf_counter()
            run()
            own = time.perf_counter() - began
            other = torch.seconds(name, mode, batch) if torch else None
            if repeat:  # the first compiles, on both sides
                pairs.append((own, other))
        row: dict[str, Any] = dict(encoder=name, mode=mode, batch=batch)
        row["seconds"] = statistics.median(own for own, _ in pairs)
        if torch:
            row["torch_seconds"] = statistics.median(other for _, other in pairs)
            row["ratio"] = statistics.median(other / own for own, other in pairs)
        rows.append(row)
    return rows


def main(_: list[str]) -> None:
    torch = Torch(_PYTHON.value) if _PYTHON.value else None
    rows = []
    for name in _NAMES.value:
        rows += measure(name, torch, _BATCH.value, _REPEATS.value)
        if not _JSON.value:
            for row in rows[-2:]:
                print(*(f"{k} {v:.3f}" if isinstance(v, float) else v for k, v in row.items()))
    if torch:
        torch.close()
    if _JSON.value:
        print(json.dumps({"jax": jax.__version__, "dtype": _DTYPE.value, "rows": rows}))


if __name__ == "__main__":
    app.run(main)
