# SPDX-License-Identifier: Apache-2.0
"""What else writes a run's scalars: TensorBoard, or a tracker such as Weights & Biases."""

import importlib
import importlib.util
import re
from collections.abc import Mapping
from typing import Any, Protocol

from medst_jax.options import OptionError

_PATH = re.compile(r"[/\\~]|^\.\.?$|\.(?:bin|ckpt|csv|json|model|npz|pth?|safetensors)$")
# Folders of the user's, of whatever name.
_FOLDERS = frozenset(["data_dir", "compilation_cache", "exclude"])


class Writer(Protocol):
    """Takes the scalars of one part of a run, on process 0."""

    def begin(self, config: Mapping[str, Any]) -> None:
        """The run's configuration, before the first scalars."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Finite scalars of a step, by the names of log.jsonl."""

    def close(self) -> None:
        """Nothing comes after this."""


def grouped(name: str) -> str:
    """The name of a scalar under which dashboards show it: the group comes before the slash.

    >>> [grouped(name) for name in ("loss", "learning_rate", "examples_per_second", "val/auroc")]
    ['loss/loss', 'optimizer/learning_rate', 'speed/examples_per_second', 'evaluation/val/auroc']
    >>> grouped("image_accuracy")
    'train/image_accuracy'
    """
    if "/" in name:
        return f"evaluation/{name}"
    if name == "loss" or name.endswith("_loss"):
        return f"loss/{name}"
    if name in ("learning_rate", "gradient_norm", "parameter_norm", "update_norm"):
        return f"optimizer/{name}"
    return f"{'speed' if name.endswith('_per_second') else 'train'}/{name}"


def without_paths(value: Any, key: str = "") -> Any:
    """A configuration whose texts that look like places of a disk are taken out.

    >>> without_paths({"seed": 0, "data_dir": "data", "init": {"image": "/home/me/w.safetensors"}})
    {'seed': 0, 'data_dir': '(path removed)', 'init': {'image': '(path removed)'}}
    >>> without_paths({"image": "w.safetensors", "text": "report"})
    {'image': '(path removed)', 'text': 'report'}
    """
    if isinstance(value, Mapping):
        return {name: without_paths(item, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(item, key) for item in value]
    if isinstance(value, str) and value and (key in _FOLDERS or _PATH.search(value)):
        return "(path removed)"
    return value


class Wandb:
    """Scalars and the configuration, without paths, for Weights & Biases; nothing else leaves.

    Code, git, console, host and machine are switched off; so is `config.json`, which has paths.

    Args:
      project: on the server that `wandb login` chose.

    Raises:
      OptionError: wandb is not installed.
    """

    def __init__(self, project: str):
        if importlib.util.find_spec("wandb") is None:
            raise OptionError("--tracker=wandb needs it installed: pip install wandb")
        self._project = project
        self._run: Any = None

    def begin(self, config: Mapping[str, Any]) -> None:
        wandb = importlib.import_module("wandb")
        settings = wandb.Settings(
            disable_code=True,
            disable_git=True,
            save_code=False,
            console="off",
            host="removed",
            program="removed",
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        self._run = wandb.init(
            project=self._project, config=without_paths(config), settings=settings
        )

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log({grouped(name): value for name, value in scalars.items()}, step=step)

    def close(self) -> None:
        self._run.finish()
