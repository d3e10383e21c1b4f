# SPDX-License-Identifier: Apache-2.0
"""What is known of the training of a checkpoint, from the files of its folder."""

import json
import math
import re
from typing import Any

from etils import epath

from medst_jax.evaluate.report import figures
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.files.reading import read_json
from medst_jax.pages.blocks import Block, Details, Drawings, Program, Section, Table
from medst_jax.train.scalars import read_log

_REMEDY = "the training's folder is damaged; evaluate an export of it, or train again"
# Folders of one's own machine say nothing about the training.
_FOLDER = re.compile(r"(?:/[^/\s\"',:]+){2,}/?")


def training_section(workdir: epath.PathLike | None, system: SystemUnderTest) -> Section:
    """Data, steps and seed, the loss over the steps, and the config; empty of untrained systems.

    Args:
      workdir: of the training; None of systems trained elsewhere.
      system: of the evaluation.
    """
    facts: list[tuple[str, Any]] = [
        (f"trained on {name}", f"split {split}") for name, split in system.trained.items()
    ]
    blocks: list[Block] = []
    if workdir is not None:
        log = [line for line in read_log(epath.Path(workdir)) if "loss" in line]
        losses = [(line["step"], line["loss"]) for line in log if math.isfinite(line["loss"])]
        facts.append(("seed", system.seed))
        if losses:
            facts.append(("steps logged", int(losses[-1][0])))
            facts.append(("last loss", float(losses[-1][1])))
        if len(losses) > 1:
            blocks.append(Drawings([figures.step_figure({"": losses}, "training loss")]))
        config = epath.Path(workdir) / "config.json"
        if config.exists():
            text = json.dumps(read_json(config, _REMEDY), indent=1)
            blocks.append(Details("config", [Program(_FOLDER.sub("(folder)", text))]))
    return Section("Training", [Table(("fact", "value"), facts), *blocks])
