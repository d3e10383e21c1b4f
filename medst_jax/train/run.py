# SPDX-License-Identifier: Apache-2.0
"""One training run in a workdir, from its configuration to summary.json."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from clu.parameter_overview import get_parameter_overview
from etils import epath

from medst_jax.added_options import adopt, fill_current
from medst_jax.data.records.keys import SecretError
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.files.locks import BusyError, locked
from medst_jax.models.weights.weights_file import PretrainedError
from medst_jax.options import OptionError, parse
from medst_jax.parallel.mesh import MeshError
from medst_jax.parallel.processes import barrier, check_all_processes, local_rows
from medst_jax.parallel.state_sharding import sharding_table
from medst_jax.train.assembly import Assembly, assemble
from medst_jax.train.checkpoint import FOLDER, CheckpointError, Checkpoints, complete_steps
from medst_jax.train.execution import describe, with_recorded_execution
from medst_jax.train.initial_weights import load_initial
from medst_jax.train.loop import Evaluators, NonFiniteError, Outcome, Trainer
from medst_jax.train.named_weights import warn_frozen
from medst_jax.train.options import InitOptions, OptimizerOptions
from medst_jax.train.run_records import flatten, write_records
from medst_jax.train.runtime import compiling
from medst_jax.train.sections import Sections
from medst_jax.train.state import init_state, skeleton, split
from medst_jax.train.step import TrainStep
from medst_jax.train.summary import write_summary
from medst_jax.train.workdir import (
    CONFIG_FILE,
    EXECUTION_FILE,
    LOCK_FILE,
    TOKENIZER_FILE,
    WorkdirError,
    read_json,
    workdir_path,
    write_json,
)
from medst_jax.train.writers import Writer

_LOG = logging.getLogger(__name__)

# Those of the table of user errors that a training raises itself, for who calls `run`.
USER_ERRORS = (
    CheckpointError,
    MeshError,
    NonFiniteError,
    OptionError,
    OSError,
    PretrainedError,
    WorkdirError,
    SecretError,
    BusyError,
)


@dataclasses.dataclass(frozen=True)
class RunInput:
    """What a run trains on.

    Attributes:
      batches: of a step and rows, those rows of each global batch from the step on.
      spec: shapes and dtypes of the global batch.
      stamp: what the input is made of; compared when the run resumes.
      tokenizer: kept in the workdir for evaluation and export.
      close: stops the readers.
    """

    batches: Callable[[int, np.ndarray], Iterator[Mapping[str, np.ndarray]]]
    spec: Mapping[str, jax.ShapeDtypeStruct]
    stamp: Mapping[str, Any]
    tokenizer: TextTokenizer | None = None
    close: Callable[[], None] = lambda: None


def begun(workdir: epath.PathLike) -> bool:
    """Whether a workdir holds a checkpoint, from which a run goes on."""
    return bool(complete_steps(workdir_path(workdir) / FOLDER))


def resumed_config(workdir: epath.PathLike, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with which a run goes on, or `config` where none has begun.

    Where the record of a run lacks an option that was added since, and `config` has its default,
    the run goes on as it began; so it does where its encoders say how they are run, from the time
    before `execution`. The log says so.
    """
    if not begun(workdir):
        return dict(config)
    record = read_json(workdir_path(workdir) / CONFIG_FILE)
    adopted = adopt(Sections, config, record)
    if "execution" not in record and adopted["execution"] == "explicit":
        adopted["system"] = with_recorded_execution(adopted["system"], record["system"])
    now = dict(flatten(fill_current(Sections, config)))
    for key, value in flatten(adopted):
        if value != now.get(key):
            other = now.get(key, "chosen by hardware")
            _LOG.info("config.%s is %r, as before that option, not %r", key, value, other)
    return adopted


def run(
    workdir: epath.PathLike,
    config: Mapping[str, Any],
    system: Mapping[str, Any],
    source: RunInput,
    evaluators: Evaluators | None = None,
    trackers: Sequence[Writer] = (),
) -> Outcome:
    """Train, or resume what `workdir` holds, and write its summary.

    Args:
      workdir: the run's folder, created when missing.
      config: the full configuration; `seed`, `init`, `train`, `optimizer`, `mesh`, `rules` and
        `data.data_dir` are read.
      system: {"name", "options"} for `systems.build`, every option a plain JSON value.
      source: the input.
      evaluators: name to (every so many steps, function of a system to scalars).
      trackers: what takes the scalars beside log.jsonl and TensorBoard.

    Raises:
      ValueError: an option, the mesh, or a workdir of another configuration or other data.
      BusyError: another training works in the folder.
      NonFiniteError, CheckpointError: see `Trainer.run`.
    """
    folder = workdir_path(workdir)
    initial = parse(InitOptions, config.get("init", {}), "config.init")
    assembly = assemble(config, system)
    options, mesh = assembly.options, assembly.step.mesh
    if options.best_metric and options.best_metric.split("/")[0] not in (evaluators or {}):
        raise OptionError(
            f"config.train.best_metric is {options.best_metric!r}; it must be "
            f"<evaluator>/<metric> of config.evaluate, which has {sorted(evaluators or {})}"
        )
    _LOG.debug("shardings\n%s", sharding_table(split(assembly.template)[1], mesh, assembly.rules))

    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _run_alone(folder, config, system, source, evaluators, trackers, initial, assembly)


@contextlib.contextmanager
def _alone(folder: epath.Path) -> Iterator[None]:
    """No other training works in the folder; the first process of several locks it for all."""
    error: Exception | None = None
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            try:
                lock = folder / LOCK_FILE
                stack.enter_context(locked(lock, f"a training in {folder}", say=_LOG.info))
            except (BusyError, OSError) as raised:
                error = raised
        check_all_processes(error)
        yield


def _run_alone(
    folder: epath.Path,
    config: Mapping[str, Any],
    system: Mapping[str, Any],
    source: RunInput,
    evaluators: Evaluators | None,
    trackers: Sequence[Writer],
    initial: InitOptions,
    assembly: Assembly,
) -> Outcome:
    options, step, mesh = assembly.options, assembly.step, assembly.step.mesh
    resuming = begun(folder)
    write_records(folder, config=config, system=system, stamp=source.stamp, resuming=resuming)
    if source.tokenizer is not None and jax.process_index() == 0:
        source.tokenizer.save(folder / TOKENIZER_FILE)
    checkpoints = Checkpoints(
        folder, keep=options.keep, keep_best=options.keep_best, best_metric=options.best_metric
    )
    if jax.process_index() == 0:
        write_json(folder / EXECUTION_FILE, {"platform": step.platform, **assembly.execution})
    _LOG.info("%s", describe(step.platform, assembly.execution))
    try:
        if resuming:
            state = checkpoints.restore(step.abstract)
        else:
            with compiling():
                state = init_state(
                    assembly.build, assembly.optimizer, mesh, assembly.rules, ema=options.ema
                )
            data_dir = config.get("data", {}).get("data_dir", "data")
            state = load_initial(state, assembly.template, initial, source.tokenizer, data_dir)
            optimizer = parse(OptimizerOptions, config["optimizer"], "config.optimizer")
            warn_frozen(initial, state.params, optimizer)
        overview = get_parameter_overview(state.params, include_stats="sharding")
        _LOG.info("parameters\n%s", overview)
        start = int(state.step)
        _LOG.info(
            "%s step %d of %d, %s parameters, mesh %s",
            "resuming at" if resuming else "starting at",
            start,
            options.steps,
            f"{sum(p.size for p in state.params.values()):,}",
            dict(mesh.shape),
        )
        if start < options.steps:
            step = _compiled(step, source.spec)
        trainer = Trainer(
            folder, options, step, skeleton(assembly.template), checkpoints, evaluators, trackers
        )
        rows = local_rows(options.batch_size, mesh)
        barrier("first step")
        outcome = trainer.run(state, source.batches(start, rows))
    finally:
        checkpoints.close()
    if not outcome.preempted:
        write_summary(folder, outcome)
    return outcome


def _compiled(step: TrainStep, spec: Mapping[str, jax.ShapeDtypeStruct]) -> TrainStep:
    began = time.perf_counter()
    with compiling():
        compiled = step.lower(spec).compile()
    memory = compiled.memory_analysis()
    _LOG.info(
        "compiled in %.1f s: arguments %.0f MiB, temporaries %.0f MiB per device",
        time.perf_counter() - began,
        memory.argument_size_in_bytes / 2**20,
        memory.temp_size_in_bytes / 2**20,
    )
    return dataclasses.replace(step, jitted=compiled)
