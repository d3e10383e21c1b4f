# SPDX-License-Identifier: Apache-2.0
"""The training loop: steps, late metrics, evaluators, checkpoints, and when to stop.

The host works one step ahead: while the devices run step k, the host fetches the metrics of
step k - 1 and prepares the batch of step k + 1. A checkpoint or an evaluation of step k first
waits for the metrics of step k, so that nothing is written from a step that was not finite.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from tqdm import tqdm

from medst_jax.parallel.sharding import put_batch
from medst_jax.systems.system import System
from medst_jax.train.checkpoint import Checkpoints
from medst_jax.train.options import TrainOptions
from medst_jax.train.runtime import Preemption, Profiler, Watchdog
from medst_jax.train.scalars import Means, ScalarLog
from medst_jax.train.state import Skeleton, TrainState
from medst_jax.train.step import TrainStep
from medst_jax.train.workdir import write_json
from medst_jax.train.writers import Writer

Evaluators = Mapping[str, tuple[int, Callable[[System], Mapping[str, float]]]]


class NonFiniteError(FloatingPointError):
    """A step whose loss or gradient was not finite."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended: its state, whether it was preempted, and examples per second (or None)."""

    state: TrainState
    preempted: bool
    examples_per_second: float | None


@dataclasses.dataclass
class _Clock:
    """Seconds and steps of training, without the first step and without pauses."""

    steps: int = 0
    seconds: float = 0.0
    _since: float | None = None

    def tick(self) -> None:
        """A step's metrics arrived."""
        now = time.perf_counter()
        if self._since is not None:
            self.steps += 1
            self.seconds += now - self._since
        self._since = now

    def pause(self) -> None:
        """Something other than training begins; the next tick starts anew."""
        self._since = None

    def rate(self, batch_size: int) -> float | None:
        return self.steps * batch_size / self.seconds if self.seconds else None


class Trainer:
    """One run's parts, and `run`.

    Args:
      workdir: the run's folder.
      options: the section `train`.
      step: the train step, compiled or not.
      parts: rebuilds the system for the evaluators.
      checkpoints: of the workdir, opened.
      evaluators: name to (every so many steps, function of a system to scalars).
      trackers: what else takes the scalars.
    """

    def __init__(
        self,
        workdir: epath.Path,
        options: TrainOptions,
        step: TrainStep,
        parts: Skeleton,
        checkpoints: Checkpoints,
        evaluators: Evaluators | None = None,
        trackers: Sequence[Writer] = (),
    ):
        self._workdir, self._options, self._step = workdir, options, step
        self._parts, self._checkpoints = parts, checkpoints
        self._evaluators, self._trackers = dict(evaluators or {}), trackers
        self._means, self._total, self._window = Means(), _Clock(), _Clock()

    def run(self, state: TrainState, batches: Iterator[Mapping[str, np.ndarray]]) -> Outcome:
        """Train from the state's step to `options.steps`.

        Args:
          state: the initial or restored state; donated.
          batches: this process' rows of each global batch, from the state's step on.

        Raises:
          NonFiniteError: names the step and the stream positions of its batch.
          CheckpointError: a checkpoint could not be written.
        """
        options, start = self._options, int(state.step)
        if options.steps == 0:
            self._checkpoints.save(0, state)
        log = ScalarLog(
            self._workdir, start, tensorboard=options.tensorboard, trackers=self._trackers
        )
        profiler = Profiler(self._workdir / "profile", options.profile)
        bar = tqdm(
            total=options.steps,
            initial=start,
            unit="step",
            mininterval=1.0,
            disable=jax.process_index() != 0 or start >= options.steps,
        )
        step, preempted = start, False
        with bar, Watchdog(options.watchdog_seconds) as watchdog, Preemption() as preemption:
            late: tuple[int, Any] | None = None
            while step < options.steps and not preempted:
                step += 1
                profiler.before(step)
                with jax.transfer_guard("disallow"):
                    batch = put_batch(next(batches), self._step.mesh)
                    state, metrics = self._step(state, batch)
                if late is not None:
                    self._fetch_metrics(*late, log, bar)
                late = (step, metrics)
                watchdog.alive()
                preempted = preemption.requested(step) and step < options.steps
                if preempted or self._needs_finished_step(step):
                    self._fetch_metrics(*late, log, bar)
                    late = None
                    self._evaluate_and_save(step, state, log, watchdog, preempted)
                profiler.after(step)
            self._checkpoints.wait()
        log.close()
        return Outcome(state, preempted, self._total.rate(options.batch_size))

    def _needs_finished_step(self, step: int) -> bool:
        options = self._options
        return (
            step % options.checkpoint_every == 0
            or step == options.steps
            or any(step % every == 0 for every, _ in self._evaluators.values())
            or (options.profile is not None and step == options.profile[1])
        )

    def _evaluate_and_save(
        self, step: int, state: TrainState, log: ScalarLog, watchdog: Watchdog, preempted: bool
    ) -> None:
        """Evaluate and save the finished step `step`, as far as they are due."""
        options, last = self._options, step == self._options.steps
        results: dict[str, float] = {}
        for name, (every, evaluate) in self._evaluators.items():
            # A preempted run has seconds, not minutes.
            if not preempted and (step % every == 0 or last):
                # On the mesh, where the arrays lie: every process embeds its share of the images.
                with jax.set_mesh(self._step.mesh):
                    params = self._step.gathered(state.params)
                    system = self._parts.system(params, state.model_state)
                    results |= {f"{name}/{k}": float(v) for k, v in evaluate(system).items()}
                watchdog.alive()
        if results:
            log.write(step, results)
        ranked = options.keep_best > 0 and options.best_metric in results
        if step % options.checkpoint_every == 0 or last or preempted or ranked:
            best = {options.best_metric: results[options.best_metric]} if ranked else None
            self._checkpoints.save(step, state, best)
        self._total.pause()
        self._window.pause()

    def _fetch_metrics(self, step: int, metrics: Any, log: ScalarLog, bar: tqdm) -> None:
        """Fetch the metrics of a finished step, check them, and log when it is time."""
        options = self._options
        fetched = jax.device_get(metrics)
        if not fetched["finite"][0]:
            self._raise_nonfinite(step, fetched)
        self._means.add({name: pair for name, pair in fetched.items() if name != "finite"})
        self._total.tick()
        self._window.tick()
        bar.update()
        if step % options.log_every and step != options.steps:
            return
        means = self._means.take()
        rate = self._window.rate(options.batch_size)
        self._window = dataclasses.replace(self._window, steps=0, seconds=0.0)
        if rate is not None:
            means["examples_per_second"] = rate
        log.write(step, means)
        shown = {"loss": f"{means['loss']:.4f}"}
        bar.set_postfix(shown | ({} if rate is None else {"examples/s": f"{rate:.1f}"}))

    def _raise_nonfinite(self, step: int, fetched: Mapping[str, Any]) -> None:
        size = self._options.batch_size
        first, last = (step - 1) * size, step * size - 1
        broken = [
            name
            for name in ("loss", "gradient_norm")
            if not math.isfinite(float(np.asarray(fetched[name][0])))
        ]
        dump = self._workdir / f"nonfinite-{step}.json"
        if jax.process_index() == 0:
            write_json(
                dump,
                {"step": step, "not_finite": broken, "positions": {"first": first, "last": last}},
            )
        self._checkpoints.wait()
        raise NonFiniteError(
            f"step {step}: {' and '.join(broken)} not finite; its batch was stream positions "
            f"{first} to {last} (see {dump}); checkpoints kept: {list(self._checkpoints.steps)}. "
            "Lower the learning rate, clip gradients, or look at those examples"
        )
