# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: asynchronous writes of the training state, exact restores, loading for use.

A checkpoint holds three parts, `model` (parameters and model state), `optimizer` (its state and
the step) and, where kept, `ema`, so that evaluation and export read the model alone.
"""

import contextlib
import dataclasses
import math
import time
from typing import Any

import jax
from etils import epath
from orbax.checkpoint import v1 as ocp

from medst_jax import systems
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.data.tokenize.tokenizer_files import load_tokenizer_file
from medst_jax.systems.system import System
from medst_jax.train.run_records import read_config, read_system
from medst_jax.train.state import TrainState, abstract_system, arrays, skeleton
from medst_jax.train.workdir import (
    INPUT_FILE,
    TOKENIZER_FILE,
    read_json,
    workdir_path,
)

FOLDER = "checkpoints"
# Written last into every checkpoint.
_COMPLETE = "commit_success.txt"
# Seconds that the removal of a checkpoint takes, and loads of the newest before they are given up.
_REMOVAL, _TRIES = 0.5, 5


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, found or restored."""


class RotatedError(CheckpointError):
    """A checkpoint that its training removed while it was read; there are newer ones."""


class Checkpoints:
    """The checkpoints of one workdir. Leftovers of an interrupted write are removed on opening.

    Args:
      workdir: the run's folder.
      keep: newest checkpoints to keep.
      keep_best: further ones to keep, highest in `best_metric`.
      best_metric: key of the metrics passed to `save`.
    """

    def __init__(
        self, workdir: epath.PathLike, *, keep: int, keep_best: int = 0, best_metric: str = ""
    ):
        self.directory = workdir_path(workdir) / FOLDER
        policies = ocp.training.preservation_policies
        preserve: list[Any] = [policies.LatestN(keep)]
        if keep_best:
            preserve.append(
                policies.BestN(
                    get_metric_fn=lambda metrics: _rank(metrics.get(best_metric)),
                    n=keep_best,
                    keep_checkpoints_without_metrics=False,
                )
            )
        self._checkpointer = ocp.training.Checkpointer(
            self.directory,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
            preservation_policy=policies.AnyPreservationPolicy(preserve),
            cleanup_tmp_directories=True,
        )
        self._pending: tuple[int, Any] | None = None
        self._reported = False

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of the complete checkpoints, ascending."""
        return tuple(checkpoint.step for checkpoint in self._checkpointer.checkpoints)

    def save(self, step: int, state: TrainState, metrics: dict[str, float] | None = None) -> None:
        """Start writing a checkpoint; returns once the arrays are copied from the devices.

        Args:
          step: the state's step, known to be finite.
          state: may be donated as soon as this returns.
          metrics: what `keep_best` ranks by.

        Raises:
          CheckpointError: this write or the one before it failed.
        """
        self.wait()
        if step in self.steps:
            return
        try:
            response = self._checkpointer.save_checkpointables_async(
                step, _parts(state), force=True, metrics=metrics
            )
        except Exception as error:
            raise self._failure(step, error) from error
        self._pending = (step, response)

    def wait(self) -> None:
        """Wait for the write in progress.

        Raises:
          CheckpointError: it failed; names the folder, the cause and what is left.
        """
        if self._pending is None:
            return
        (step, response), self._pending = self._pending, None
        try:
            response.result()
        except Exception as error:
            raise self._failure(step, error) from error

    def restore(self, target: TrainState) -> TrainState:
        """The newest state, laid out as `target` says, whatever layout wrote it.

        Args:
          target: shapes, dtypes and shardings, from `abstract_state`.

        Raises:
          CheckpointError: shapes or names differ; names the first array and both shapes.
        """
        loaded = _load(self.directory / str(self.steps[-1]), _parts(target))
        return TrainState(
            step=loaded["optimizer"]["step"],
            params=loaded["model"]["params"],
            model_state=loaded["model"]["model_state"],
            opt_state=loaded["optimizer"]["opt_state"],
            ema=loaded.get("ema"),
        )

    def close(self) -> None:
        """Release the writer's threads.

        Raises:
          CheckpointError: a write failed that has not been reported yet.
        """
        try:
            self._checkpointer.close()
        except Exception as error:
            # The writer raises a failed write a second time, with a message that says less.
            if not self._reported:
                step = -1 if self._pending is None else self._pending[0]
                raise self._failure(step, error) from error

    def _failure(self, step: int, error: Exception) -> CheckpointError:
        self._reported = True
        complete = complete_steps(self.directory)
        intact = f"checkpoints {list(complete)} are intact" if complete else "there is no older one"
        cause = str(error).strip().splitlines()[0][:300] if str(error).strip() else repr(error)
        return CheckpointError(
            f"checkpoint {step} could not be written to {self.directory}: {cause}; {intact}. "
            "Free space or fix the folder, then run the same command again"
        )


@dataclasses.dataclass(frozen=True)
class LoadedSystem:
    """A trained system with all that evaluation and export need.

    Attributes:
      system: the system, its arrays on the default device.
      tokenizer: its tokenizer, None when the run had none.
      config: the run's configuration.
      stamp: what the training input was made of, its exclusion list included.
      step: updates applied.
      name: the system's name.
    """

    system: System
    tokenizer: TextTokenizer | None
    config: dict[str, Any]
    stamp: dict[str, Any]
    step: int
    name: str


def load_system(
    workdir: epath.PathLike, step: int | None = None, ema: bool = False
) -> LoadedSystem:
    """Load a system from a workdir, whatever mesh it was trained on.

    Args:
      workdir: a folder written by launch/train.py.
      step: which checkpoint, the newest by default.
      ema: take the moving average in place of the parameters.

    Raises:
      CheckpointError: no such checkpoint (lists those there are), no moving average in it, or
        it does not fit the recorded system.
      WorkdirError: a record is missing.
    """
    for _ in range(_TRIES - 1 if step is None else 0):
        with contextlib.suppress(RotatedError):  # then there is a newer one
            return _load_system(workdir, step, ema)
    return _load_system(workdir, step, ema)


def _load_system(workdir: epath.PathLike, step: int | None, ema: bool) -> LoadedSystem:
    folder = workdir_path(workdir)
    described = read_system(folder)
    available = complete_steps(folder / FOLDER)
    if not available or (step is not None and step not in available):
        wanted = "any checkpoint" if step is None else f"checkpoint {step}"
        raise CheckpointError(f"{folder} does not hold {wanted}; it has {list(available)}")
    chosen = available[-1] if step is None else step
    template = abstract_system(lambda: systems.build(described["name"], **described["options"]))
    params, model_state = arrays(template)
    source = folder / FOLDER / str(chosen)
    if ema and not (source / "ema").exists():
        raise CheckpointError(f"{source} holds no moving average; it was trained without train.ema")
    wanted_parts: dict[str, Any] = {"model": {"params": params, "model_state": model_state}}
    if ema:
        wanted_parts["ema"] = params
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), wanted_parts
    )
    loaded = _load(source, target)
    values = loaded["ema"] if ema else loaded["model"]["params"]
    tokenizer = folder / TOKENIZER_FILE
    return LoadedSystem(
        system=skeleton(template).system(values, loaded["model"]["model_state"]),
        tokenizer=load_tokenizer_file(tokenizer) if tokenizer.exists() else None,
        config=read_config(folder),
        stamp=read_json(folder / INPUT_FILE),
        step=chosen,
        name=described["name"],
    )


def complete_steps(directory: epath.Path) -> tuple[int, ...]:
    """Steps of the complete checkpoints in a folder, ascending.

    On a disk an unfinished write carries another name; in an object store it lacks the mark.
    """
    if not directory.exists():
        return ()
    folders = (entry for entry in directory.iterdir() if entry.name.isdigit())
    return tuple(sorted(int(entry.name) for entry in folders if (entry / _COMPLETE).exists()))


def _parts(state: TrainState) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "model": {"params": state.params, "model_state": state.model_state},
        "optimizer": {"step": state.step, "opt_state": state.opt_state},
    }
    return parts if state.ema is None else parts | {"ema": state.ema}


def _rank(value: float | None) -> float:
    return -math.inf if value is None or math.isnan(value) else value


def _load(source: epath.Path, target: dict[str, Any]) -> dict[str, Any]:
    try:
        # Its records first: they name what differs, and a failed read of arrays is told at length.
        difference = _difference(source, target)
        if difference is None:
            return ocp.load_checkpointables(source, target)
    except Exception as error:
        time.sleep(_REMOVAL)
        if not (source / _COMPLETE).exists():
            raise RotatedError(
                f"{source} was removed while it was read: a training in that folder keeps its newest "
                "checkpoints alone; run the command again, or name one that stays with --step"
            ) from error
        raise CheckpointError(
            f"{source} cannot be restored: its files are damaged or cannot be read; move that "
            "folder away to fall back to the checkpoint before it"
        ) from error
    raise CheckpointError(f"{source} cannot be restored: {difference}")


def _difference(source: epath.Path, target: dict[str, Any]) -> str | None:
    """The first array whose presence or shape differs between a checkpoint and what is wanted."""
    stored = ocp.checkpointables_metadata(source).metadata
    for part, tree in target.items():
        if part not in stored:
            return f"it has no part {part!r}"
        old, new = _shapes(stored[part]), _shapes(tree)
        if not old:
            raise ValueError(f"the records of {part!r} cannot be read")
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                return (
                    f"{part}{name} is {old.get(name, 'absent')} in the checkpoint and "
                    f"{new.get(name, 'absent')} in the system; use the configuration that wrote it"
                )
    return None


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        "".join(f"[{getattr(k, 'key', getattr(k, 'idx', getattr(k, 'name', k)))}]" for k in path): (
            tuple(leaf.shape)
        )
        for path, leaf in leaves
    }
