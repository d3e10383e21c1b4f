# SPDX-License-Identifier: Apache-2.0
"""Builds a data set from a source: banks, then the TFDS data set with its index and its card."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records import manifest, schema
from medst_jax.data.records.annotations import ENTITIES
from medst_jax.data.records.keys import folder_secret, read_secret
from medst_jax.data.records.patient_ids import write_patient_ids
from medst_jax.data.records.studies import check_local, dataset_dir, written_dir
from medst_jax.data_pipelines import annotate, assemble, exclusion
from medst_jax.data_pipelines.bank import Bank, bank_of
from medst_jax.data_pipelines.cards import card
from medst_jax.data_pipelines.complete import complete_info
from medst_jax.data_pipelines.dataset_locks import locked_datasets
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.entities import write_entities
from medst_jax.data_pipelines.image_files import MISSING_FILE
from medst_jax.data_pipelines.origin import frame_accuracy
from medst_jax.data_pipelines.overlaps import known_overlaps
from medst_jax.data_pipelines.raw import AnnotatedSource, DecidingSource, Source
from medst_jax.data_pipelines.run_banks import Runner, Task, run_banks
from medst_jax.files.reading import DamagedDataError, read_json
from medst_jax.files.writing import fresh_folder, replace_folder, settle_folder

_ORIGIN = "origin_by_frame"


class RejectedInputError(ValueError):
    """More of the input was rejected than the build allows."""


@dataclass(frozen=True)
class BuildOptions:
    """How to build.

    encoding: size, intensity and bytes of stored images. max_reject_fraction: the build fails
    when more of the images (studies, where they have none) are rejected. include_restricted:
    the card may show pixels of data that is not redistributable. arguments: recorded as given.
    salt_file: a file with a secret that several folders share; by default the folder has its own.
    verify: what is there is complete only when every byte of it is as it was written.
    """

    encoding: Encoding = field(default_factory=Encoding)
    runner: Runner = field(default_factory=Runner)
    max_reject_fraction: float = 0.01
    include_restricted: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    salt_file: str | None = None
    verify: bool = False


@dataclass(frozen=True)
class BuildResult:
    """What a build left: `info` is dataset.json; `built` is False when it was there already.

    `annotations` are the dataset.json of the configs beside the studies, by config.
    """

    directory: epath.Path
    info: Mapping[str, Any]
    built: bool
    banks_built: int
    annotations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    source: Source
    options: BuildOptions
    data_dir: epath.PathLike
    directory: epath.Path
    banks: list[Bank]
    build_hash: str
    pending: list[Bank]
    existing: dict[str, Any] | None


def build(source: Source, data_dir: epath.PathLike, options: BuildOptions) -> BuildResult:
    """Builds one data set under `data_dir`, or finds it complete; see `build_all`."""
    (result,) = build_all([(source, options)], data_dir, options.runner)
    return result


def build_all(
    requests: Sequence[tuple[Source, BuildOptions]], data_dir: epath.PathLike, runner: Runner
) -> Iterator[BuildResult]:
    """Builds data sets; the units of all of them share one pool of workers.

    Another process that builds one of them is waited for.

    Raises:
      RejectedInputError: names the reasons and their counts. Data of an earlier build stays.
    """
    check_local(data_dir)
    with locked_datasets(data_dir, [source.name for source, _ in requests]):
        yield from _build_all(requests, data_dir, runner)


def _build_all(
    requests: Sequence[tuple[Source, BuildOptions]], data_dir: epath.PathLike, runner: Runner
) -> Iterator[BuildResult]:
    plans = [_plan(source, data_dir, options) for source, options in requests]
    tasks = [
        Task(plan.source, bank, plan.options.encoding) for plan in plans for bank in plan.pending
    ]
    for folder in {epath.Path(task.bank.stem).parent for task in tasks}:
        for leftover in folder.glob("*.tmp"):
            leftover.unlink(missing_ok=True)
    run_banks(tasks, runner)
    for plan in plans:
        yield _finish_with_sound_banks(plan, runner)
    names = [plan.source.name for plan in plans if plan.banks]
    # Also what a run that was killed before it had come here did not add.
    if len(names) > 1 and not all(plan.existing and _has_origin(plan) for plan in plans):
        origin = {_ORIGIN: frame_accuracy(data_dir, names)}
        for name in names:
            card.add(data_dir, name, origin)


def _plan(source: Source, data_dir: epath.PathLike, options: BuildOptions) -> _Plan:
    schema.check_name("data set", source.name)
    directory = written_dir(data_dir, source.name)
    earlier = dataset_dir(data_dir, source.name) / card.FILE
    if isinstance(source, DecidingSource) and earlier.exists():
        with contextlib.suppress(DamagedDataError):  # then there is nothing to keep to
            source.check_rebuild(read_json(earlier, ""))
    secret = folder_secret(data_dir, options.salt_file)
    banks = [bank_of(source, unit, data_dir, options.encoding, secret) for unit in source.units()]
    build_hash = _build_hash(source, banks)
    settle_folder(directory, manifest.NAME)
    existing = _existing(directory, build_hash, verify=options.verify)
    pending = [] if existing else [bank for bank in banks if not bank.complete()]
    return _Plan(source, options, data_dir, directory, banks, build_hash, pending, existing)


def _finish_with_sound_banks(plan: _Plan, runner: Runner) -> BuildResult:
    """Finishes a plan; of banks only sizes were compared, and a damaged one is built again."""
    if plan.existing is None:
        _build_again(plan, [bank for bank in plan.banks if not bank.sound()], runner)
    try:
        return _finish(plan)
    except DamagedDataError:
        # Records are read once, as they are copied; which of the banks is it?
        damaged = [bank for bank in plan.banks if not bank.sound(records=True)]
        if plan.existing or not damaged:
            raise
        _build_again(plan, damaged, runner)
        return _finish(plan)


def _build_again(plan: _Plan, banks: Sequence[Bank], runner: Runner) -> None:
    for bank in banks:
        bank.discard()
    run_banks([Task(plan.source, bank, plan.options.encoding) for bank in banks], runner)


def _finish(plan: _Plan) -> BuildResult:
    source, options = plan.source, plan.options
    info: Mapping[str, Any] = plan.existing or {"name": source.name, "splits": {}}
    if plan.existing is None and plan.banks:
        rejects = [reject for bank in plan.banks for reject in bank.rejects()]
        _check_rejects(source.name, plan.banks, rejects, options.max_reject_fraction)
        info = _assemble(plan, rejects)
    annotations: dict[str, Mapping[str, Any]] = {}
    if isinstance(source, AnnotatedSource):
        input_digest = str(info.get("fingerprint", plan.build_hash))
        annotations |= annotate.annotate(
            source, plan.data_dir, info, input_digest, options.arguments, verify=options.verify
        )
        if ENTITIES in source.annotation_configs():
            annotations[ENTITIES] = write_entities(
                plan.data_dir, source.name, verify=options.verify
            )
    return BuildResult(
        directory=plan.directory,
        info=info,
        built=plan.existing is None,
        banks_built=len(plan.pending),
        annotations=annotations,
    )


def _has_origin(plan: _Plan) -> bool:
    return not plan.banks or _ORIGIN in read_json(plan.directory / card.FILE, "")


def _build_hash(source: Source, banks: Sequence[Bank]) -> str:
    described = {key: value for key, value in source.card.items()}
    text = json.dumps([[bank.input_hash for bank in banks], described], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _existing(
    directory: epath.Path, build_hash: str, *, verify: bool = False
) -> dict[str, Any] | None:
    """`dataset.json` of a whole data set from this input; None where one is to be built.

    Whatever cannot be read is not complete. Data of before manifests get theirs here.
    """
    try:
        read_json(directory / card.FILE, "")
        return complete_info(directory, build_hash, verify=verify)
    except OSError:
        return None


def _check_rejects(
    name: str, banks: Sequence[Bank], rejects: Sequence[Mapping[str, Any]], limit: float
) -> None:
    counts = [bank.counts() for bank in banks]
    rejected, inputs = (
        sum(count[key] for count in counts) for key in ("rejected_inputs", "inputs")
    )
    fraction = rejected / max(1, inputs)
    if fraction <= limit:
        return
    reasons = Counter(reject["reason"] for reject in rejects)
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common())
    folder = epath.Path(banks[0].stem).parent
    subset = ""
    if reasons.most_common(1)[0][0] == MISSING_FILE:
        subset = "; of a part of the download, --only_existing builds what is there"
    raise RejectedInputError(
        f"data set {name!r}: {rejected} of {inputs} inputs rejected "
        f"({fraction:.1%}, limit {limit:.1%}): {listed}. Rows are listed in {folder}, in the files "
        f"*.rejects.jsonl; mend the source or raise --max_reject_fraction{subset}"
    )


def _assemble(plan: _Plan, rejects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    source, banks, options, directory = plan.source, plan.banks, plan.options, plan.directory
    table = assemble.join_tables(banks)
    secret_id = read_secret(banks[0].secret).id
    index = assemble.make_index(table, source.labels, secret_id)
    splits = [schema.check_name("split", str(split)) for split in np.unique(table["split"])]
    # A new folder beside the old one: whatever happens meanwhile, the old data stays readable.
    fresh = fresh_folder(directory)
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
        "cautions": dict(source.card.get("cautions", {})),
        "overlaps": known_overlaps(source.name, str(source.card.get("namespace", source.name))),
        "shards": {
            shard.name: shard.stat().length for shard in sorted(fresh.glob("*.array_record-*"))
        },
        "build": {"hash": plan.build_hash, "arguments": dict(options.arguments)},
    }
    exclusion.write(fresh / "exclude.json", info, table, secret_id)
    ids = [patient for bank in banks for patient in bank.patient_ids()]
    write_patient_ids(plan.data_dir, source.name, table["patient"], ids)
    (fresh / manifest.DATASET).write_text(json.dumps(info, indent=1))
    manifest.write_manifest(fresh, info)
    replace_folder(fresh, directory)
    # Last, for it reads the data as others will; without it the data set counts as incomplete.
    card.write(plan.data_dir, info, {**summary, **source.card}, options.include_restricted)
    return info
