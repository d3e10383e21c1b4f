# SPDX-License-Identifier: Apache-2.0
"""CPU speed of a configuration's train step, beside PyTorch's where an interpreter has it.

    python -m medst_jax.benchmarks.step --config=configs/clip.py:smoke [--torch_python=PYTHON] [--steps=10]

Prints JSON; `benchmarks/train_steps.py` measures.
"""

import json
from typing import Any

from absl import app, flags

from medst_jax import config_flag

_CONFIG = config_flag.define("config")
_STEPS = flags.DEFINE_integer("steps", 10, "Timed steps of a turn.", lower_bound=1)
_TORCH = flags.DEFINE_string("torch_python", "", "An interpreter that has torch, to compare with.")


def run() -> dict[str, Any]:
    """What the flags ask for."""
    # JAX only now: flags are parsed, and help printed, without it.
    from medst_jax.benchmarks.train_steps import measure

    if _CONFIG.value is None:
        raise ValueError("--config is required, for example --config=configs/clip.py:smoke")
    config = json.loads(json.dumps(_CONFIG.value.to_dict()))
    return measure(config, _STEPS.value, _TORCH.value)


def table(row: dict[str, Any]) -> str:
    """For people."""
    from medst_jax.benchmarks import train_steps

    return train_steps.table(row)


def main(_: list[str]) -> None:
    print(json.dumps(run()))


if __name__ == "__main__":
    app.run(main)
