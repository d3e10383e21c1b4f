# SPDX-License-Identifier: Apache-2.0
"""How alike the reports of a training set are to SAT, and which limits give which shares of pairs.

    python -m experiments.report_likeness --config=configs/sat.py --positive_share=0.02 --neutral_share=0.03

Reads batches as training does and compares their reports as SAT does, at the weights from which training
starts. Prints as JSON quantiles of the cosine over pairs of different studies and texts; and, for the shares
asked for, `high` and `low` of `config.system`.
"""

import itertools
import json
from typing import Any

import jax
import numpy as np
from absl import app, flags

from medst_jax import config_flag
from medst_jax.commands.parts.training import open_run
from medst_jax.options import OptionError, parse
from medst_jax.systems.parts.pairs import negative_mask, paired
from medst_jax.systems.system import Batch
from medst_jax.train.assembly import assemble
from medst_jax.train.initial_weights import load_initial
from medst_jax.train.named_weights import require_weights
from medst_jax.train.options import InitOptions
from medst_jax.train.state import Arrays, init_state, skeleton

_CONFIG = config_flag.define("config")
_ROWS = flags.DEFINE_integer("rows", 2000, "Reports that are read.", lower_bound=2)
_POSITIVE = flags.DEFINE_float("positive_share", 0.02, "Of pairs.", 0.0, 1.0)
_NEUTRAL = flags.DEFINE_float("neutral_share", 0.03, "Of pairs.", 0.0, 1.0)

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999)


def main(argv: list[str]) -> None:
    if len(argv) > 1 or _CONFIG.value is None:
        raise app.UsageError("--config is required, and nothing beside flags")
    config = json.loads(json.dumps(_CONFIG.value.to_dict()))
    require_weights(config, resuming=False)
    alike = likeness_of_pairs(config, _ROWS.value)
    quantiles = {str(q): float(np.quantile(alike, q)) for q in QUANTILES}
    high, low = limits(alike, _POSITIVE.value, _NEUTRAL.value)
    print(json.dumps({"pairs": len(alike), "quantiles": quantiles, "high": high, "low": low}))


def likeness_of_pairs(config: dict[str, Any], rows: int) -> np.ndarray:
    """Cosines [pairs] of different studies and texts, of `rows` reports rounded up to whole batches.

    Raises:
      OptionError: the configuration is of another system.
    """
    if config["system"]["name"] != "sat":
        raise OptionError(f"config.system.name is {config['system']['name']!r}; it must be sat")
    described, source, _ = open_run(config)
    try:
        assembly = assemble(config, described)
        state = init_state(assembly.build, assembly.optimizer, assembly.step.mesh, assembly.rules)
        initial = parse(InitOptions, config.get("init", {}), "config.init")
        state = load_initial(
            state, assembly.template, initial, source.tokenizer, config["data"]["data_dir"]
        )
        parts, size = skeleton(assembly.template), assembly.options.batch_size

        @jax.jit
        def read(params: Arrays, model_state: Arrays, batch: Batch) -> jax.Array:
            system: Any = parts.system(params, model_state)
            return system.report_vectors(batch)

        vectors, ids = [], []
        for batch in itertools.islice(source.batches(0, np.arange(size)), -(-rows // size)):
            valid = np.asarray(paired(batch))
            vectors.append(np.asarray(read(state.params, state.model_state, batch))[valid])
            ids.append(np.stack([batch["study"], batch["text"]])[:, valid])
    finally:
        source.close()
    every = np.concatenate(vectors)
    study, text = np.concatenate(ids, axis=1)
    differ = np.asarray(negative_mask({"study": study, "text": text}))
    return (every @ every.T)[np.triu(differ, 1)]


def limits(alike: np.ndarray, positive: float, neutral: float) -> tuple[float, float]:
    """`high` and `low` that make these shares of pairs positive and neutral.

    Equal cosines stay together, so that the shares are met as nearly as they allow.

    Raises:
      ValueError: the shares leave no pair for negatives.
    """
    if positive + neutral >= 1:
        raise ValueError(f"shares of {positive} and {neutral} leave no pairs for negatives")
    high, low = np.quantile(alike, [1 - positive, 1 - positive - neutral], method="lower")
    return float(high), float(low)


if __name__ == "__main__":
    app.run(main)
