# SPDX-License-Identifier: Apache-2.0
"""Builds a data set from a source: banks, then the TFDS data set with its index and its card."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from etils import epath

from data_pipelines import assemble, card, exclusion
from data_pipelines.bank import Bank, bank_of
from data_pipelines.encode import Encoding
from data_pipelines.raw import Source
from data_pipelines.run_banks import Runner, run_banks
from medst_jax.data import schema
from medst_jax.data.studies import dataset_dir


class RejectedInputError(ValueError):
    """More of the input was rejected than the build allows."""


@dataclass(frozen=True)
class BuildOptions:
    """How to build.

    encoding: size, intensity and bytes of stored images. max_reject_fraction: the build fails
    when more of the images (studies, where they have none) are rejected. include_restricted:
    the card may show pixels of data that is not redistributable. arguments: recorded as given.
    """

    encoding: Encoding = field(default_factory=Encoding)
    runner: Runner = field(default_factory=Runner)
    max_reject_fraction: float = 0.01
    include_restricted: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuildResult:
    """What a build left: `info` is dataset.json; `built` is False when it was there already."""

    directory: epath.Path
    info: Mapping[str, Any]
    built: bool
    banks_built: int


def build(source: Source, data_dir: epath.PathLike, options: BuildOptions) -> BuildResult:
    """Builds `source` under `data_dir`, or finds it complete.

    Raises:
      RejectedInputError: names the reasons and their counts. Data of an earlier build stays.
    """
    schema.check_name("data set", source.name)
    directory = dataset_dir(data_dir, source.name)
    bank_dir = epath.Path(data_dir) / source.name / "banks"
    banks = [bank_of(source, unit, bank_dir, options.encoding) for unit in source.units()]
    build_hash = _build_hash(source, banks)
    existing = _existing(directory, build_hash)
    if existing is not None:
        return BuildResult(directory, existing, built=False, banks_built=0)

    pending = [bank for bank in banks if not bank.complete()]
    if pending:
        for leftover in bank_dir.glob("*.tmp"):
            leftover.unlink(missing_ok=True)
        run_banks(source, pending, options.encoding, options.runner)
    rejects = [reject for bank in banks for reject in bank.rejects()]
    _check_rejects(source.name, banks, rejects, options.max_reject_fraction)
    info = _assemble(source, banks, rejects, directory, build_hash, options)
    return BuildResult(directory, info, built=True, banks_built=len(pending))


def _build_hash(source: Source, banks: Sequence[Bank]) -> str:
    described = {key: value for key, value in source.card.items()}
    text = json.dumps([[bank.input_hash for bank in banks], described], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _existing(directory: epath.Path, build_hash: str) -> dict[str, Any] | None:
    path = directory / "dataset.json"
    if not path.exists():
        return None
    info = json.loads(path.read_text())
    complete = info["build"]["hash"] == build_hash and all(
        (directory / shard).exists() for shard in info["shards"]
    )
    return info if complete else None


def _check_rejects(
    name: str, banks: Sequence[Bank], rejects: Sequence[Mapping[str, Any]], limit: float
) -> None:
    counts = [bank.counts() for bank in banks]
    kept = sum(max(count["images"], count["studies"]) for count in counts)
    fraction = len(rejects) / max(1, len(rejects) + kept)
    if fraction <= limit:
        return
    reasons = Counter(reject["reason"] for reject in rejects)
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    files = {bank.stem + ".rejects.jsonl" for bank in banks if bank.counts()["rejects"]}
    raise RejectedInputError(
        f"data set {name!r}: {len(rejects)} of {len(rejects) + kept} inputs rejected "
        f"({fraction:.1%}, limit {limit:.1%}): {listed}. Rows are listed in {', '.join(sorted(files))}; "
        f"mend the source or raise --max_reject_fraction"
    )


def _assemble(
    source: Source,
    banks: Sequence[Bank],
    rejects: Sequence[Mapping[str, Any]],
    directory: epath.Path,
    build_hash: str,
    options: BuildOptions,
) -> dict[str, Any]:
    table = assemble.join_tables(banks)
    index = assemble.make_index(table, source.labels)
    splits = [schema.check_name("split", str(split)) for split in np.unique(table["split"])]
    # A new folder beside the old one: whatever happens meanwhile, the old data stays readable.
    fresh = directory.parent / f"{directory.name}.incomplete"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    lengths = assemble.write_shards(banks, table, fresh, source.name)
    features = schema.study_features(source.labels, source.truth_features)
    licence = str(source.card.get("licence", ""))
    description = str(source.card.get("description", ""))
    assemble.write_tfds_metadata(fresh, source.name, features, lengths, description, licence)
    for split in splits:
        index.take(np.flatnonzero(table["split"] == split)).save(fresh / f"index-{split}.npz")
    (fresh / "rejects.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rejects))
    summary = card.summarise(table, index, source.labels, rejects)
    info = {
        "name": source.name,
        "labels": list(source.labels),
        "splits": summary["splits"],
        "fingerprint": assemble.fingerprint(table, source.labels),
        "intensity": options.encoding.intensity,
        "encoding": options.encoding.encoding,
        "stored_size": options.encoding.size,
        "licence": licence,
        "redistributable": bool(source.card.get("redistributable", False)),
        "counts": summary["counts"],
        "rejects": summary["rejects"],
        "truth_features": sorted(source.truth_features),
        "shards": sorted(shard.name for shard in fresh.glob("*.array_record-*")),
        "build": {"hash": build_hash, "arguments": dict(options.arguments)},
    }
    exclusion.write(fresh / "exclude.json", info, table)
    (fresh / "dataset.json").write_text(json.dumps(info, indent=1))
    card.write(fresh, info, {**summary, **source.card}, options.include_restricted)
    _replace_folder(fresh, directory)
    return info


def _replace_folder(fresh: epath.Path, directory: epath.Path) -> None:
    old = directory.parent / f"{directory.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)
