# SPDX-License-Identifier: Apache-2.0
"""Which data of a suite are prepared, which are not, and the command for each that is missing."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from medst_jax.data.records.downloads import DOWNLOADS
from medst_jax.data.records.joined import ALL
from medst_jax.data.records.studies import dataset_dir, prepare_line
from medst_jax.evaluate.published.needs import STUDIES, Need, needs_of
from medst_jax.files.reading import read_json

# Of a data card: which published lists, or which rule, gave the images and their splits.
_COUNTED = ("patients", "studies", "images", "records")
_LISTS = ("list", "rule", "split_lists", "candidates")


@dataclasses.dataclass(frozen=True)
class Available:
    """What is there of one need.

    Attributes:
      need: what a suite reads.
      there: whether it is prepared.
      found: counts where it is there; else what is there in its place, or "nothing".
      lists: published lists and rules behind the images, as the data card says; empty of most.
      line: the command that makes it.
      holds: what its folder must hold; empty where the project makes the data itself.
    """

    need: Need
    there: bool
    found: str
    lists: str
    line: str
    holds: str


def availability(tasks: Mapping[str, Any], data_dir: epath.PathLike) -> tuple[Available, ...]:
    """What the tasks read, and what of it is under `data_dir`."""
    return tuple(_available(need, data_dir) for need in needs_of(tasks))


def _available(need: Need, data_dir: epath.PathLike) -> Available:
    folder = dataset_dir(data_dir, need.dataset, need.kind)
    info = _json(folder / "dataset.json")
    splits = info.get("splits", {})
    there = need.split in splits or bool(splits and need.split == ALL)
    if there:
        counts = splits[need.split] if need.split in splits else _summed(splits)
        found = ", ".join(f"{counts[what]:,} {what}" for what in _COUNTED if what in counts)
    else:
        found = f"splits {', '.join(splits)}" if splits else "nothing"
    download = DOWNLOADS.get(need.dataset)
    return Available(
        need,
        there,
        found,
        _lists(_json(folder / "data_card.json")),
        prepare_line(data_dir, need.dataset),
        f"FOLDER_OF_{download.folder}: {download.holds}" if download else "",
    )


def format_availability(title: str, data: Sequence[Available], data_dir: epath.PathLike) -> str:
    """The answer of a dry run."""
    missing = [one for one in data if not one.there]
    lines = [
        f"{title}: {len(data) - len(missing)} of {len(data)} parts of its data are in {data_dir}"
    ]
    for one in data:
        need = one.need
        purpose = "test" if need.test else "training"
        state = "there  " if one.there else "MISSING"
        what = "" if need.kind == STUDIES else f", {need.kind}"
        lines.append(f"  {state}  {need.dataset}/{need.split}{what} ({purpose}): {one.found}")
        if one.lists:
            lines.append(f"           {one.lists}")
    for line, holds in dict.fromkeys((one.line, one.holds) for one in missing):
        lines += ["", line]
        lines += [f"  {holds}"] if holds else []
    return "\n".join(lines)


def _summed(splits: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """Counts of all splits together; no patient is in two."""
    total: dict[str, int] = {}
    for counts in splits.values():
        for what in _COUNTED:
            if what in counts:
                total[what] = total.get(what, 0) + counts[what]
    return total


def _lists(card: Mapping[str, Any]) -> str:
    facts = [f"{key.replace('_', ' ')}: {_plain(card[key])}" for key in _LISTS if key in card]
    return "; ".join(facts)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


_REMEDY = "prepare the data set again"


def _json(path: epath.Path) -> Mapping[str, Any]:
    values: Mapping[str, Any] = read_json(path, _REMEDY) if path.exists() else {}
    return values
