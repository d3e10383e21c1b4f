# SPDX-License-Identifier: Apache-2.0
"""The last lines of a training: where its checkpoint is, and the command that comes next."""

import os
import pathlib
import shlex

from medst_jax.command_line import user_command, with_user_commands


def after_training(workdir: str, config: str, step: int, *, preempted: bool) -> list[str]:
    """Lines for the user.

    Args:
      workdir: of the run, as given.
      config: FILE[:VARIANT] of its configuration.
      step: of the newest checkpoint.
      preempted: whether the training was stopped before its last step.
    """
    checkpoint = os.path.join(workdir, "checkpoints", str(step))
    if preempted:
        return [f"stopped: checkpoint {checkpoint}", "next: the same command goes on from there"]
    output = os.path.join(workdir, "evaluation")
    words = (f"--checkpoint={workdir}", f"--suite={_suite(config)}", f"--output={output}")
    return [
        f"done: checkpoint {checkpoint}",
        f"next: {user_command('evaluate')} {' '.join(map(shlex.quote, words))}",
    ]


def _suite(config: str) -> str:
    """The suite that `init-config` wrote beside a configuration, else the shipped small one."""
    file = pathlib.Path(config.partition(":")[0])
    own = file.with_name(f"{file.stem}_suite.py")
    if own.is_file():
        here = pathlib.Path.cwd()
        return str(own.relative_to(here) if own.is_relative_to(here) else own)
    return with_user_commands("--suite=configs/evaluate/smoke.py").partition("=")[2]
