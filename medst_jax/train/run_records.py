# SPDX-License-Identifier: Apache-2.0
"""What a run records of itself, compared when it resumes and read when it is used.

Options are added as the code grows. A record without such an option stands for what was done
before it, so runs of earlier versions resume and load; see `medst_jax.added_options`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from etils import epath

from medst_jax.added_options import fill_current, fill_recorded, like_record
from medst_jax.data.loader.stamp import AddedToStamp
from medst_jax.train.execution import KEYS
from medst_jax.train.sections import Sections, system_record
from medst_jax.train.workdir import (
    CONFIG_FILE,
    INPUT_FILE,
    SYSTEM_FILE,
    WorkdirError,
    read_json,
    write_json,
)

# What may change between the parts of one run: where and how often it writes, how it is laid
# out on devices, and where the data lies (the data themselves are compared by fingerprint).
CHANGEABLE = (
    "train.log_every",
    "train.checkpoint_every",
    "train.keep",
    "train.keep_best",
    "train.best_metric",
    "train.watchdog_seconds",
    "train.profile",
    "train.compilation_cache",
    "train.tensorboard",
    "evaluate",
    "mesh",
    "rules",
    "execution",
    "data.data_dir",
    "data.num_workers",
    "data.threads",
)
# Of an encoder, wherever it stands: how it is run, not what it computes.
_CHANGEABLE_OF_ENCODERS = re.compile(rf"(system|options)\.\w+\.({'|'.join(KEYS)})")


def write_records(
    workdir: epath.Path,
    *,
    config: Mapping[str, Any],
    system: Mapping[str, Any],
    stamp: Mapping[str, Any],
    resuming: bool,
) -> None:
    """Write the records of a run, after comparing them with those it resumes.

    A workdir without a checkpoint holds nothing worth protecting: its records are replaced.

    Args:
      workdir: the run's folder.
      config: the full configuration.
      system: {"name", "options"} from which the system is rebuilt.
      stamp: what the input is made of.
      resuming: whether the workdir holds a checkpoint.

    Raises:
      WorkdirError: names the first differing key, both values and the remedy.
    """
    values = {CONFIG_FILE: config, SYSTEM_FILE: system, INPUT_FILE: stamp}
    written: dict[str, Any] = {INPUT_FILE: stamp}
    for name in (CONFIG_FILE, SYSTEM_FILE):
        written[name] = fill_current(_class_of(name, values[name]), values[name])
    if resuming:
        for name, value in values.items():
            check_same(workdir, name, value)
        for name in (CONFIG_FILE, SYSTEM_FILE):
            cls = _class_of(name, values[name])
            written[name] = like_record(cls, written[name], read_json(workdir / name))
    if jax.process_index() == 0:
        for name in values:
            write_json(workdir / name, written[name])


def read_config(workdir: epath.Path) -> dict[str, Any]:
    """The configuration of a run; options that are newer than it do what was done before them."""
    return fill_recorded(Sections, read_json(workdir / CONFIG_FILE))


def read_system(workdir: epath.Path) -> dict[str, Any]:
    """{"name", "options"} of the system of a run, likewise."""
    record = read_json(workdir / SYSTEM_FILE)
    return fill_recorded(system_record(record), record)


def check_same(workdir: epath.Path, name: str, current: Mapping[str, Any]) -> None:
    """Compare a stored record with the current one, apart from `CHANGEABLE` keys and `execution.KEYS`.

    An added option that the stored record lacks counts as what was done before it.
    `train.steps` may change only under a fixed `optimizer.horizon_steps`, because the schedule
    ends at the horizon.
    """
    recorded, cls = read_json(workdir / name), _class_of(name, current)
    stored, new = fill_recorded(cls, recorded), fill_current(cls, current)
    changeable: tuple[str, ...] = CHANGEABLE if name == CONFIG_FILE else ()
    if name == CONFIG_FILE and (new.get("optimizer") or {}).get("horizon_steps"):
        changeable += ("train.steps",)
    known, old_values, new_values = (dict(flatten(v)) for v in (recorded, stored, new))
    # A hash names no cause: whatever else differs is named before it.
    for key in sorted(old_values.keys() | new_values.keys(), key=lambda k: (k == "config_hash", k)):
        if any(key == free or key.startswith(f"{free}.") for free in changeable):
            continue
        if name != INPUT_FILE and _CHANGEABLE_OF_ENCODERS.fullmatch(key):
            continue
        old, now = old_values.get(key, "absent"), new_values.get(key, "absent")
        if old != now:
            since = "" if key in known or key not in old_values else " (before there was that key)"
            raise WorkdirError(
                f"{workdir} was written with {_kind(name)} {key} = {old!r}{since}, now it is "
                f"{now!r}; {_remedy(name, key)}"
            )


def _class_of(name: str, record: Mapping[str, Any]) -> type:
    if name == SYSTEM_FILE:
        return system_record(record)
    return Sections if name == CONFIG_FILE else AddedToStamp


def _kind(name: str) -> str:
    return {CONFIG_FILE: "configuration", SYSTEM_FILE: "system", INPUT_FILE: "input"}[name]


def _remedy(name: str, key: str) -> str:
    if key == "stream_version":
        return "this version reads other examples: finish the run with the version that began it"
    if name == INPUT_FILE:
        return "restore the data it was trained on or use a new --workdir"
    if key == "train.steps":
        return (
            "set it back, use a new --workdir, or start runs that will be extended with "
            "config.optimizer.horizon_steps"
        )
    return "set it back or use a new --workdir"


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings; an empty mapping is a value."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
