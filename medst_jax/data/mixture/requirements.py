# SPDX-License-Identifier: Apache-2.0
"""Whether a data set can give what a system lists: checked before the first step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.mixture.data_options import DataSetOptions
from medst_jax.data.mixture.entities import entities_line, has_entities
from medst_jax.data.records.index import Index
from medst_jax.data.records.studies import Studies, prepare_line
from medst_jax.data.records.timeline import prior_rows
from medst_jax.options import OptionError

# What has to be there for a batch key to mean something; keys not named here always do.
NEEDS = {
    "frontal": "frontal",
    "has_frontal": "frontal",
    "lateral": "lateral",
    "has_lateral": "lateral",
    "tokens": "text",
    "token_mask": "text",
    "sentence_index": "text",
    "labels": "labels",
    "label_mask": "labels",
    "text_labels": "text_labels",
    "text_label_mask": "text_labels",
    "severity": "severity",
    "word_index": "text",
    "prior_frontal": "prior",
    "has_prior": "prior",
    "sequence_rows": "sequences",
    "study_days": "sequences",
    "findings_tokens": "sections",
    "findings_mask": "sections",
    "impression_tokens": "sections",
    "impression_mask": "sections",
    "findings_text": "sections",
    "impression_text": "sections",
    "second_tokens": "text",
    "second_mask": "text",
    "second_text": "text",
    "second_labels": "text_labels",
    "second_label_mask": "text_labels",
    "entities": "entities",
    "entity_place": "entities",
    "entity_places": "entities",
}
# What the studies of an entry can be chosen by.
SELECTABLE: dict[str, Callable[[Index], np.ndarray]] = {
    "severity": lambda index: index.severity >= 0,
    "text": lambda index: index.sentence_count > 0,
    "lateral": lambda index: index.has_lateral,
}
# A frontal image is not among them: a study without one is dropped where a system needs it.
MASKABLE = (
    "lateral",
    "text",
    "labels",
    "text_labels",
    "severity",
    "prior",
    "sequences",
    "sections",
    "entities",
)


def check_requirements(
    name: str,
    options: DataSetOptions,
    studies: Studies,
    rows: np.ndarray,
    required: Sequence[str],
) -> None:
    """Check one data set of the mixture against the keys that a system needs.

    Args:
      name: of the data set.
      options: how the mixture uses it.
      studies: its split.
      rows: int64 [n], the studies that are left.
      required: batch keys.

    Raises:
      OptionError: nothing is left, or a key cannot be given; names data set, key and remedy.
    """
    where = f"config.data.mixture.{name}"
    for item in options.lacks:
        if item not in MASKABLE:
            raise OptionError(f"{where}.lacks has {item!r}; it may have: {', '.join(MASKABLE)}")
    given = _given(options, studies, rows)
    for key in required:
        need = NEEDS.get(key)
        if need is None or given[need] or need in options.lacks:
            continue
        remedy = f"remove it from {where.rpartition('.')[0]}"
        if need in MASKABLE:
            remedy += f', or mask its rows there with {where}.lacks=("{need}",)'
        if need == "entities":
            remedy += f", or mine its reports with\n  {entities_line(studies.name)}\n"
        if need == "text" and options.text != "prompt" and studies.labels:
            remedy += f', or make text of its labels with {where}.text="prompt"'
        raise OptionError(
            f"data set {name!r} (split {options.split!r}, text={options.text!r}) cannot give "
            f"{key!r}, which the system needs; {remedy}"
        )
    if not len(rows):
        raise OptionError(
            f"data set {name!r} has no study left in split {options.split!r}: its "
            f"{len(studies)} studies are excluded as evaluation data (config.data.exclude), have "
            "no frontal image or lack what its option `only` asks for"
        )


def select_studies(name: str, options: DataSetOptions, index: Index) -> np.ndarray:
    """Bool [n]: the studies that have everything that `options.only` lists.

    Raises:
      OptionError: `only` lists something else than SELECTABLE.
    """
    chosen = np.ones(len(index), bool)
    for item in options.only:
        if item not in SELECTABLE:
            raise OptionError(
                f"config.data.mixture.{name}.only has {item!r}; it may have: "
                f"{', '.join(SELECTABLE)}"
            )
        chosen &= SELECTABLE[item](index)
    return chosen


def enlargement(info: Mapping[str, Any], size: int, data_dir: epath.PathLike) -> str | None:
    """A warning where batches would be larger than the stored images, None where they are not.

    Args:
      info: `dataset.json`; its `stored_size` is the longest side in pixels, 0 for the source's.
      size: side S of the images of a batch.
      data_dir: folder of prepared data, for the command.
    """
    arguments = info["build"]["arguments"]
    stored = int(info.get("stored_size") or arguments.get("size") or 0)
    if not 0 < stored < size:
        return None
    key = "size" if arguments.get("size") else "stored_size"
    line = prepare_line(data_dir, info["name"], {**arguments, key: size})
    return (
        f"data set {info['name']!r} stores at most {stored} pixels a side and config.data.size is "
        f"{size}: images are enlarged {size / stored:.1f} times, which adds no detail; build it "
        f"again with\n  {line}"
    )


def check_shuffle(shuffle: str, keys: Sequence[str]) -> None:
    """Check that a broken control breaks something the system reads.

    Raises:
      OptionError: names the control and the key that is missing.
    """
    # Else the control would train the unbroken system, and its result would look like a finding.
    key = {
        "prior": "prior_frontal",
        "windows": "sequence_rows",
        "order": "sequence_rows",
        "places": "entity_place",
    }
    if shuffle in key and key[shuffle] not in keys:
        raise OptionError(
            f"config.data.shuffle is {shuffle!r}, which changes {key[shuffle]!r} alone, and the "
            "system reads no such key"
        )


def _given(options: DataSetOptions, studies: Studies, rows: np.ndarray) -> dict[str, bool]:
    index = studies.index
    labelled = bool(studies.labels)
    listed = options.text == "entities" and has_entities(studies)
    reported = options.text == "report" and bool(index.sentence_count[rows].any())
    patients = index.patient[rows]
    return {
        # Of all studies: `rows` has lost those without a frontal image already.
        "frontal": bool(index.has_frontal.any()),
        "lateral": bool(index.has_lateral[rows].any()),
        "text": reported
        or listed
        or options.text == "unpaired"
        or (options.text not in ("none", "entities") and labelled),
        "labels": labelled,
        "text_labels": labelled and options.text != "none",
        "severity": bool((index.severity[rows] >= 0).any()),
        "prior": bool((prior_rows(index.patient, index.has_frontal)[rows] >= 0).any()),
        # Rows are in patient order: a patient with two studies has neighbours.
        "sequences": bool((patients[1:] == patients[:-1]).any()),
        "sections": reported,
        "entities": has_entities(studies),
    }
