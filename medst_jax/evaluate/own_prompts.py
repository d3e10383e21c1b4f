# SPDX-License-Identifier: Apache-2.0
"""Prompts from the user's own file, in place of those of a suite's zero-shot tasks."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Mapping

from medst_jax.data.mixture.labels import label_key
from medst_jax.evaluate.protocols.base_new import BaseNewOptions
from medst_jax.evaluate.protocols.parts.class_keys import check_class_keys, of_classes
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions
from medst_jax.evaluate.registry import ConfiguredProtocol
from medst_jax.evaluate.statistics.rows import Row
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.files.reading import parse_json
from medst_jax.options import OptionError

_EXAMPLE = '{"Pleural Effusion": ["pleural effusion", "fluid beside the lung"]}'


@dataclasses.dataclass(frozen=True)
class OwnPrompts:
    """A file of prompts.

    Attributes:
      note: how rows of `metrics.json` name it: the file's name and the beginning of its SHA-256.
      texts: class to its prompts, in order.
    """

    note: str
    texts: Mapping[str, tuple[str, ...]]


def read_prompts(path: str) -> OwnPrompts:
    """Read a JSON file of class to a list of texts.

    Raises:
      OSError: it cannot be read.
      OptionError: another content; names the class whose entry is none.
    """
    content = pathlib.Path(path).read_bytes()
    table = parse_json(content, path, f"write such as {_EXAMPLE}", dict)
    if not table:
        raise OptionError(f"{path} holds no prompts; write such as {_EXAMPLE}")
    for name, texts in table.items():
        good = isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts)
        if not good or not all(text.strip() for text in texts):
            raise OptionError(f"{path}: {name!r} needs a list of texts, such as {_EXAMPLE}")
    note = (
        f"prompts of {pathlib.Path(path).name} (sha256 {hashlib.sha256(content).hexdigest()[:12]})"
    )
    return OwnPrompts(note, {name: tuple(texts) for name, texts in table.items()})


def with_own_prompts(
    tasks: Mapping[str, ConfiguredProtocol],
    own: OwnPrompts,
    classes_of: Callable[[TaskOptions], Iterable[str]],
) -> dict[str, ConfiguredProtocol]:
    """The tasks, those that ask by texts of classes with the prompts of the file.

    A task of mode "auto" then asks by text. A class that the file lacks keeps the suite's prompts.

    Args:
      tasks: of the suite, by name.
      own: the file.
      classes_of: the classes of a task that names none.

    Raises:
      OptionError: no task asks by prompts, or a key is a class of none of them.
    """
    classes = {name: _asked(task, classes_of) for name, task in tasks.items()}
    if not any(classes.values()):
        raise OptionError(
            "--prompts changes nothing here: no task of the suite is of zero_shot in mode text or "
            "auto, or of base_new"
        )
    spellings = {label_key(name): name for asked in classes.values() for name in asked}
    check_class_keys(own.texts, spellings.values(), "--prompts")
    return {
        name: _changed(task, of_classes(own.texts, classes[name])) for name, task in tasks.items()
    }


def _asked(
    task: ConfiguredProtocol, classes_of: Callable[[TaskOptions], Iterable[str]]
) -> tuple[str, ...]:
    """The classes that a task asks about by prompts."""
    options = task.options
    if isinstance(options, BaseNewOptions):
        return (*options.base, *options.new)
    if isinstance(options, ZeroShotOptions) and options.mode in ("text", "auto"):
        named = options.task.classes or classes_of(options.task)
        return (*filter(None, [options.task.rest]), *named)
    return ()


def _changed(task: ConfiguredProtocol, texts: dict[str, tuple[str, ...]]) -> ConfiguredProtocol:
    if not texts:
        return task
    keys = {label_key(name) for name in texts}
    kept = {n: t for n, t in task.options.own_prompts.items() if label_key(n) not in keys}
    options = dataclasses.replace(task.options, own_prompts=kept | texts)
    if isinstance(options, ZeroShotOptions):
        options = dataclasses.replace(options, mode="text")
    return task._replace(options=options)


def noted(
    rows: Iterable[Row],
    before: Mapping[str, ConfiguredProtocol],
    after: Mapping[str, ConfiguredProtocol],
    own: OwnPrompts,
) -> tuple[Row, ...]:
    """The rows; those of tasks that the file changed say so in their note."""
    changed = {name for name, task in after.items() if task != before[name]}

    def of_file(row: Row) -> bool:
        return any(row.task == name or row.task.startswith(f"{name}/") for name in changed)

    return tuple(
        dataclasses.replace(row, note="; ".join(filter(None, (row.note, own.note))))
        if of_file(row)
        else row
        for row in rows
    )
