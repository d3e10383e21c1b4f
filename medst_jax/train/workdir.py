# SPDX-License-Identifier: Apache-2.0
"""The records of a run in its WORKDIR: written atomically, compared when the run resumes."""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from etils import epath

from medst_jax.command_line import user_command

CONFIG_FILE, SYSTEM_FILE, INPUT_FILE = "config.json", "system.json", "input.json"
TOKENIZER_FILE, SUMMARY_FILE, LOG_FILE = "tokenizer.model", "summary.json", "log.jsonl"

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
    "data.data_dir",
    "data.num_workers",
    "data.threads",
)


class WorkdirError(ValueError):
    """A workdir that belongs to another configuration or to other data."""


def workdir_path(workdir: epath.PathLike) -> epath.Path:
    """A run's folder, absolute: orbax takes no relative path. Remote paths (gs://) stay."""
    name = os.fspath(workdir)
    return epath.Path(name if is_remote(name) else os.path.abspath(os.path.expanduser(name)))


def is_remote(path: epath.PathLike) -> bool:
    """Whether a path lies in an object store."""
    return "://" in os.fspath(path)


def write_atomic(path: epath.Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a restart, sees all of it or none.

    Several processes may write the same file at once; the last one wins.
    """
    # An object appears as a whole when it is closed; renaming it would copy it.
    unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    target = path if is_remote(path) else path.with_name(f".{path.name}.{unique}.tmp")
    try:
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content)
        if target != path:
            target.replace(path)
    except OSError as error:
        if target != path:
            target.unlink(missing_ok=True)
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error


def append_to_file(path: epath.Path, content: bytes) -> None:
    """Add to the end of a file; objects of a store cannot grow and are written again whole."""
    if is_remote(path):
        write_atomic(path, (path.read_bytes() if path.exists() else b"") + content)
        return
    try:
        with path.open("ab") as stream:
            stream.write(content)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: epath.Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def read_json(path: epath.Path) -> Any:
    """Read one JSON file.

    Raises:
      WorkdirError: it is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise WorkdirError(
            f"{path} is missing; is {path.parent} a workdir of {user_command('train')}?"
        ) from None
    except json.JSONDecodeError as error:
        raise WorkdirError(f"{path} is not JSON ({error}); restore it or use a new workdir") from (
            error
        )


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
    if resuming:
        check_same(workdir, CONFIG_FILE, config)
        check_same(workdir, SYSTEM_FILE, system)
        check_same(workdir, INPUT_FILE, stamp)
    if jax.process_index() == 0:
        for name, value in ((CONFIG_FILE, config), (SYSTEM_FILE, system), (INPUT_FILE, stamp)):
            write_json(workdir / name, value)


def check_same(workdir: epath.Path, name: str, current: Mapping[str, Any]) -> None:
    """Compare a stored record with the current one, apart from `CHANGEABLE` keys.

    `train.steps` may change only under a fixed `optimizer.horizon_steps`, because the schedule
    ends at the horizon.
    """
    stored, new = read_json(workdir / name), json.loads(json.dumps(current))
    changeable: tuple[str, ...] = CHANGEABLE if name == CONFIG_FILE else ()
    if name == CONFIG_FILE and (new.get("optimizer") or {}).get("horizon_steps"):
        changeable += ("train.steps",)
    old_values, new_values = dict(_flatten(stored)), dict(_flatten(new))
    for key in sorted(old_values.keys() | new_values.keys()):
        if any(key == free or key.startswith(f"{free}.") for free in changeable):
            continue
        old, now = old_values.get(key, "absent"), new_values.get(key, "absent")
        if old != now:
            raise WorkdirError(
                f"{workdir} was written with {_kind(name)} {key} = {old!r}, now it is {now!r}; "
                f"{_remedy(name, key)}"
            )


def _kind(name: str) -> str:
    return {CONFIG_FILE: "configuration", SYSTEM_FILE: "system", INPUT_FILE: "input"}[name]


def _remedy(name: str, key: str) -> str:
    if name == INPUT_FILE:
        return "restore the data it was trained on or use a new --workdir"
    if key == "train.steps":
        return (
            "set it back, use a new --workdir, or start runs that will be extended with "
            "config.optimizer.horizon_steps"
        )
    return "set it back or use a new --workdir"


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
