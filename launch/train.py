# SPDX-License-Identifier: Apache-2.0
"""Train a system, or resume the training in WORKDIR.

    python launch/train.py --config=configs/dlilp.py:smoke --workdir=/tmp/dlilp

Several processes train together when each is started with --distributed, on TPU pods without
further flags, elsewhere with the address of process 0, their number and an index of its own:

    python launch/train.py ... --distributed --coordinator=host:1234 --num_processes=2 --process_id=0

Exit codes: 0 trained to the last step, 75 stopped by SIGTERM after saving (run the same command
again), 1 failed with a message.
"""

import json
import logging
import pathlib
import sys
from typing import Any

import absl.logging
import jax
from absl import app, flags
from ml_collections import config_flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import systems
from medst_jax.data.loader.input import load_tokenizer, make_input
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.options import parse
from medst_jax.parallel.processes import all_well, join_processes
from medst_jax.train.loop import Evaluators
from medst_jax.train.options import TrainOptions
from medst_jax.train.run import USER_ERRORS, RunInput, check_sections, run
from medst_jax.train.runtime import PREEMPTED_EXIT_CODE, enable_compilation_cache

_CONFIG = config_flags.DEFINE_config_file("config", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; resumed when it has one.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One process of several, as on TPU pods.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0; none on TPU pods.")
_PROCESSES = flags.DEFINE_integer("num_processes", None, "How many processes there are.")
_PROCESS = flags.DEFINE_integer("process_id", None, "Index of this process, from 0.")


def main(_: list[str]) -> None:
    if _CONFIG.value is None or not _WORKDIR.value:
        raise app.UsageError("--config and --workdir are required")
    # What this project has to say, not every file that the checkpoint writer renames.
    absl.logging.set_verbosity(absl.logging.WARNING)
    logging.getLogger("medst_jax").setLevel(logging.INFO)
    # Through JSON, so that a first run and a resumed one see the same plain values.
    config = json.loads(json.dumps(_CONFIG.value.to_dict()))
    try:
        if _DISTRIBUTED.value:
            join_processes(_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
        elif (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value) != (None, None, None):
            raise app.UsageError("--coordinator, --num_processes, --process_id need --distributed")
        if jax.process_index() != 0:
            logging.getLogger("medst_jax").setLevel(logging.WARNING)
        preempted = _train(config, _WORKDIR.value)
    except USER_ERRORS as error:
        raise SystemExit(f"error: {error}") from None
    sys.exit(PREEMPTED_EXIT_CODE if preempted else 0)


def _train(config: dict[str, Any], workdir: str) -> bool:
    error: Exception | None = None
    try:
        system, source, evaluators = _open(config)
    except USER_ERRORS as raised:
        error = raised
    # Data missing on one machine ends the run on all, before the others wait for it.
    all_well(error)
    try:
        return run(workdir, config, system, source, evaluators).preempted
    finally:
        source.close()


def _open(config: dict[str, Any]) -> tuple[dict[str, Any], RunInput, Evaluators]:
    """What `run` takes: the system's description, the opened input, the evaluators."""
    check_sections(config)
    train = parse(TrainOptions, config["train"], "config.train")
    enable_compilation_cache(train.compilation_cache)
    data = parse(DataOptions, config["data"], "config.data")
    options = dict(config["system"])
    name = options.pop("name", "")
    tokenizer = load_tokenizer(data)
    source = make_input(
        data,
        seed=config["seed"],
        global_batch=train.batch_size,
        tokenizer=tokenizer,
        required_keys=systems.system_class(name).required_keys,
    )
    options |= {
        "labels": list(source.labels),
        "vocabulary_size": tokenizer.size if tokenizer else 0,
        "seed": options.get("seed", config["seed"]),
    }
    evaluators = make_evaluators(config.get("evaluate", {}), tokenizer, data)
    described = RunInput(source.batches, source.spec, source.stamp(), tokenizer, source.close)
    return {"name": name, "options": options}, described, evaluators


def make_evaluators(entries: dict[str, Any], tokenizer: Any, data: DataOptions) -> Evaluators:
    """Evaluators of `config.evaluate`, whose libraries take seconds to import."""
    if not entries:
        return {}
    from medst_jax.evaluate.in_loop import make_evaluator

    return {k: (int(e["every"]), make_evaluator(e, tokenizer, data)) for k, e in entries.items()}


def _parse(argv: list[str]) -> list[str]:
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError) as error:
        # ml_collections raises on a --config.key that the config file does not define.
        raise SystemExit(f"error: the configuration has no key {error}") from None


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
