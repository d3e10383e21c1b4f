# SPDX-License-Identifier: Apache-2.0
"""A configuration and a suite for a user's own prepared data, as two files of Python."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from medst_jax.command_line import user_command
from medst_jax.config_flag import find
from medst_jax.data.records.schema import BLANK, NEGATIVE, POSITIVE
from medst_jax.data.records.studies import Studies, open_studies, read_info
from medst_jax.options import OptionError

# Fewer patients of a class, or without it, and its AUROC says little; fewest where no class has so many.
_LEAST, _FEWEST = 10, 2
# Systems that a user gets by default: their zero-shot classes, or retrieval, can be watched.
_WATCHED = ("dlilp", "clip", "unimodal")
_HEADER = "from ml_collections import ConfigDict\n"
_NO_VARIANT = """    if arg:
        raise ValueError(f"this file has no variant {arg!r}; change the file")
"""


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a prepared data set gives.

    Attributes:
      name: of the data set.
      has_text, has_labels: whether any of its training studies has.
      judged: its split to evaluate on, "test" or else "val"; "" for neither.
      classes: labels that at least `least` patients of that split and of "train" have, and so many
        have not.
      least: ten, or two where no label has ten.
      validated: whether a split "val" can be watched during training: by labels, or by reports.
    """

    name: str
    has_text: bool
    has_labels: bool
    judged: str
    classes: tuple[str, ...]
    least: int = _LEAST
    validated: Literal["", "labels", "reports"] = ""


def data_facts(data_dir: str, name: str) -> DataFacts:
    """Read from the data set's index.

    Raises:
      OptionError: it has no training part.
    """
    splits = read_info(data_dir, name)["splits"]
    if "train" not in splits:
        raise OptionError(
            f"{name} has no split train, only {', '.join(splits)}; nothing to train on"
        )
    trained = open_studies(data_dir, name, "train")
    train = trained.index
    judged = next((split for split in ("test", "val") if split in splits), "")
    classes, least = (
        _frequent(open_studies(data_dir, name, judged), trained) if judged else ((), _LEAST)
    )
    known = np.isin(train.labels, (POSITIVE, NEGATIVE))
    validated: Literal["", "labels", "reports"] = ""
    if "val" in splits:
        val = open_studies(data_dir, name, "val")
        if _frequent(val, trained)[0]:
            validated = "labels"
        elif val.index.sentence_count.any():
            validated = "reports"
    return DataFacts(
        name,
        bool(train.sentence_count.any()),
        bool(known.any()),
        judged,
        classes,
        least,
        validated,
    )


def _frequent(*splits: Studies) -> tuple[tuple[str, ...], int]:
    """The labels that enough patients of each split have and lack, and how many are enough."""

    def patients(studies: Studies, column: int, *codes: int) -> int:
        chosen = np.isin(studies.index.labels[:, column], codes)
        return len(np.unique(studies.index.patient[chosen]))

    # A finding that is not mentioned counts as absent, as in the suite.
    fewest = {
        label: min(
            min(patients(one, column, POSITIVE), patients(one, column, NEGATIVE, BLANK))
            for one in splits
        )
        for column, label in enumerate(splits[0].labels)
    }
    least = _LEAST if max(fewest.values(), default=0) >= _LEAST else _FEWEST
    return tuple(label for label, count in fewest.items() if count >= least), least


def config_text(
    system: str, facts: Sequence[DataFacts], data_dir: str, vocabulary: str, variant: str
) -> str:
    """The file of a configuration: a shipped one, on these data."""
    names = "+".join(one.name for one in facts)
    reads = f"    config.data.vocabulary = {vocabulary!r}\n"
    if system in _WATCHED and facts[0].validated:
        reads += _watched(facts[0])
    return (
        f'"""{system} on {", ".join(one.name for one in facts)}."""\n\n{_HEADER}\n'
        f"from medst_jax.configs import {system}\n\n\n"
        f"def get_config(arg: str | None = None) -> ConfigDict:\n{_NO_VARIANT}"
        f"    config = {system}.get_config({f'{variant},{names}'!r})\n"
        f"    config.data.data_dir = {data_dir!r}\n{reads}"
        "    return config\n"
    )


def _watched(facts: DataFacts) -> str:
    """Lines of a configuration that judge each checkpoint on validation images."""
    where = f"dataset={facts.name!r}, split='val'"
    task = f"protocol='retrieval', {where}"
    if facts.validated == "labels":
        task = (
            "protocol='zero_shot', prompts='names',\n"
            f"        task=dict({where}, kind='multi', limit=1000)"
        )
    return (
        "    # A curve in log.jsonl and TensorBoard.\n"
        "    config.evaluate.val = ConfigDict(dict(\n"
        f"        every=config.train.checkpoint_every, {task},\n    ))\n"
    )


def suite_text(facts: DataFacts) -> str:
    """The file of a suite: classes one by one and retrieval, as far as the data have them."""
    where = f"dataset={facts.name!r}, split={facts.judged!r}"
    head, tasks = "", ""
    if facts.classes:
        names = "".join(f"    {name!r},\n" for name in facts.classes)
        head = (
            f"# Labels that at least {facts.least} patients have, and {facts.least} have not.\n"
            f"CLASSES = (\n{names})\nTASK = dict({where}, classes=CLASSES, kind='multi')\n"
        )
        tasks += (
            "    'zero-shot': dict(protocol='zero_shot', task=TASK, mode='auto', prompts='names'),\n"
            "    'probe': dict(\n        protocol='linear_probe',\n        task=TASK,\n"
            f"        train=dict(dataset={facts.name!r}, split='train'),\n    ),\n"
        )
    if facts.has_text:
        tasks += f"    'retrieval': dict(protocol='retrieval', {where}),\n"
    return (
        f'"""Judges an encoder on the {facts.judged} part of {facts.name}."""\n\n{_HEADER}\n'
        f"{head}TASKS = {{\n{tasks}}}\n\n\n"
        f"def get_config(arg: str | None = None) -> ConfigDict:\n{_NO_VARIANT}"
        "    return ConfigDict(dict(draws=2000, seed=0, tasks=TASKS))\n"
    )


def write_experiment(
    name: str,
    data: tuple[str, ...],
    *,
    data_dir: str,
    system: str | None,
    variant: str,
    folder: pathlib.Path,
) -> list[str]:
    """Write NAME.py and NAME_suite.py.

    Returns:
      What to tell the user: what was written, what to run next.

    Raises:
      OptionError: a name that Python cannot import, a file that exists, data that cannot be trained on.
      MissingDataError: a data set that is not prepared.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise OptionError(f"the name is {name!r}; use letters, digits and underscores")
    facts = [data_facts(data_dir, one) for one in data]
    if system is None:
        has_text, has_labels = (
            any(getattr(one, kind) for one in facts) for kind in ("has_text", "has_labels")
        )
        if not (has_text or has_labels):
            raise OptionError(f"{', '.join(data)} has neither reports nor labels to learn from")
        system = "dlilp" if has_text and has_labels else "clip" if has_text else "unimodal"
    find(system)
    vocabulary = data[0] if any(one.has_text for one in facts) else ""
    files = {name: config_text(system, facts, data_dir, vocabulary, variant)}
    judged = bool(facts[0].judged and (facts[0].classes or facts[0].has_text))
    if judged:
        files[f"{name}_suite"] = suite_text(facts[0])
    paths = {stem: folder / f"{stem}.py" for stem in files}
    for path in paths.values():
        if path.exists():
            raise OptionError(f"{path} exists; choose another name, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    for stem, text in files.items():
        paths[stem].write_text(text)
    lines = [f"wrote {path}" for path in paths.values()]
    if judged and facts[0].classes and facts[0].least < _LEAST:
        lines.append(
            f"few patients: no label has {_LEAST} in train and {facts[0].judged}; those with {_FEWEST} are "
            "judged, and most of their numbers will have no interval"
        )
    if not judged:
        lines.append(f"{data[0]} has no test or val part with reports or frequent labels: no suite")
    lines.append("next:")
    if vocabulary and not (pathlib.Path(data_dir) / "vocabulary" / f"{vocabulary}.model").exists():
        lines.append(
            f"  {user_command('prepare')} --vocabulary={vocabulary} --datasets={','.join(data)} "
            f"--data_dir={data_dir}"
        )
    lines.append(f"  {user_command('train')} --config={paths[name]} --workdir=runs/{name}")
    if judged:
        lines.append(
            f"  {user_command('evaluate')} --checkpoint=runs/{name} --suite={paths[f'{name}_suite']} "
            f"--output=runs/{name}/evaluation"
        )
    return lines
