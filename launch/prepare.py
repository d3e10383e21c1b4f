# SPDX-License-Identifier: Apache-2.0
"""Prepares data sets, vocabularies and the weights that a training starts from.

  python launch/prepare.py --dataset=simulated_cxr --data_dir=data --patients=400
  python launch/prepare.py --dataset=image_table --name=mine --source_dir=FOLDER --data_dir=data
  python launch/prepare.py --dataset=image_table --name=mine --source_dir=FOLDER --dry_run
  python launch/prepare.py --vocabulary=NAME --datasets=a,b --data_dir=data
  python launch/prepare.py --weights=CONFIG --data_dir=data [--dry_run]
  python launch/prepare.py --entities=a,b --data_dir=data [--radgraph=FILE]
  python launch/prepare.py --audit [--datasets=a,b] --data_dir=data
  python launch/prepare.py --verify [--datasets=a,b] --data_dir=data

FOLDER holds metadata.csv and images; `data_pipelines/image_table/__init__.py` lists the columns.
A run on complete data changes nothing; a killed run goes on where it stopped. CONFIG is a configuration, by file or
name, such as clip or configs/mgca.py: all that it starts from is fetched and converted (docs/weights.md).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from absl import app, flags, logging

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from medst_jax.commands.parts.answers import user_errors
from medst_jax.commands.parts.fetching import FetchError, described, fetch, wanted
from medst_jax.commands.parts.parse import parse_flags
from medst_jax.data.records import schema
from medst_jax.data_pipelines import registry
from medst_jax.data_pipelines.audit.run import run_audit
from medst_jax.data_pipelines.build import (
    BuildOptions,
    BuildResult,
    build_all,
)
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.image_table.requested import requested
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Source
from medst_jax.data_pipelines.run_banks import Runner

FLAGS = flags.FLAGS
flags.DEFINE_enum("dataset", None, sorted(registry.DATASETS), "what to prepare")
flags.DEFINE_string("data_dir", "data", "folder of prepared data")
flags.DEFINE_string("name", None, "name of the data set to write (image_table)")
flags.DEFINE_enum(
    "rule",
    "published",
    ["published", "v1"],
    "how the images of a 5x200 set are drawn: as its paper, or as this project once did",
)
flags.DEFINE_enum(
    "labels_from_reports",
    "",
    ["", "findings", "union"],
    "label an image table's reports: the 14 findings, or the union of 85 classes",
)
flags.DEFINE_list(
    "columns",
    [],
    "an image table's own names: view=ViewPosition,age=Patient Age; labels= skips one",
)
flags.DEFINE_list("label_columns", [], "columns of an image table that hold 1, 0, -1 of a class")
flags.DEFINE_enum(
    "blank", "unknown", ["unknown", "not_mentioned"], "what an empty cell of a label column means"
)
flags.DEFINE_enum(
    "unlisted",
    "",
    ["", "negative", "unknown"],
    "what a label means that an image table's row does not list; by default the table decides",
)
flags.DEFINE_list(
    "splits", [], "further splits of an image table: external=test, or external as is"
)
flags.DEFINE_enum(
    "dates", "", ["", "day_first", "month_first"], "how an image table writes 03/04/2017"
)
flags.DEFINE_string("table_encoding", "", "encoding of an image table, such as cp1252; else found")
flags.DEFINE_string(
    "split_lists", "", "folder of a benchmark's train.txt, val.txt and test.txt, for ..._benchx"
)
flags.DEFINE_bool("only_existing", False, "leave out rows whose image is not in the folder")
flags.DEFINE_bool(
    "dry_run",
    False,
    "print how the tables of source_dir are understood, or which weights are wanted, then stop",
)
flags.DEFINE_string("source_dir", None, "folder of the raw files")
flags.DEFINE_integer("patients", None, "patients of a simulated cohort", lower_bound=1)
flags.DEFINE_integer("size", None, "image side of a simulated cohort, pixels", lower_bound=16)
flags.DEFINE_integer("seed", None, "seed of a simulated cohort")
flags.DEFINE_float(
    "confounding", None, "0 to 1: technique and devices go with disease in a simulated cohort"
)
flags.DEFINE_float(
    "comparing", None, "0 to 1: scales how often reports of a simulated cohort tell changes"
)
flags.DEFINE_list("sites", [], "sites of a simulated cohort, such as m,e1; all by default")
flags.DEFINE_integer(
    "stored_size", None, "longest stored side, 0 = the source's (512 for real data)", lower_bound=0
)
flags.DEFINE_enum("intensity", None, schema.INTENSITIES, "grey values; default by data set")
flags.DEFINE_enum("encoding", "jpeg", schema.ENCODINGS, "stored bytes: 8-bit JPEG or 16-bit PNG")
flags.DEFINE_float("max_reject_fraction", 0.01, "fail when more of the input is rejected")
flags.DEFINE_string(
    "salt_file", None, "file of a secret for keys of ids that several data folders share"
)
flags.DEFINE_bool("redistributable", False, "the licence lets data cards show images")
flags.DEFINE_bool("include_restricted", False, "show images of other data in the card too")
flags.DEFINE_string("runner", "DirectRunner", "Beam runner")
flags.DEFINE_integer("workers", 0, "processes of the DirectRunner, 0 = one per core")
flags.DEFINE_multi_string("beam_option", [], "further Beam flag, such as --region=...")
flags.DEFINE_list("entities", [], "mine the reports of these data sets for entities and places")
flags.DEFINE_string("radgraph", None, "RadGraph's file on the reports, in place of the labeler")
flags.DEFINE_bool("audit", False, "report what splits of prepared data share, and fail on leaks")
flags.DEFINE_bool(
    "verify", False, "check every byte of prepared data, of --datasets or all, or of --dataset"
)
flags.DEFINE_bool("allow_leaks", False, "only report leaks")
flags.DEFINE_string("vocabulary", None, "train a sentencepiece vocabulary of this name")
flags.DEFINE_list("datasets", [], "data sets of the vocabulary, the audit or --verify")
flags.DEFINE_string(
    "weights", None, "what this configuration starts from: FILE[:VARIANT], or NAME,NAME of weights"
)
flags.DEFINE_integer("vocabulary_size", 4096, "pieces of the vocabulary", lower_bound=16)

_TABLE_FLAGS: tuple[str, ...] = (
    "labels_from_reports",
    "columns",
    "label_columns",
    "blank",
    "unlisted",
    "splits",
)
_TABLE_FLAGS += ("dates", "table_encoding", "only_existing")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    wanted_parts = (FLAGS.dataset, FLAGS.entities, FLAGS.vocabulary, FLAGS.audit, FLAGS.weights)
    if not any((*wanted_parts, FLAGS.verify)):
        raise app.UsageError(
            "give --dataset=..., --vocabulary=NAME --datasets=a,b, --weights=CONFIG, --audit or "
            "--verify"
        )
    logging.set_verbosity(logging.WARNING)
    with user_errors(prefix="prepare.py"):
        if FLAGS.dataset:
            _prepare_dataset()
        if FLAGS.entities:
            _prepare_entities()
        if FLAGS.vocabulary:
            _prepare_vocabulary()
        if FLAGS.weights:
            _fetch_weights()
        if FLAGS.audit:
            _audit()
        if FLAGS.verify and not any(wanted_parts):
            _verify()


def _prepare_dataset() -> None:
    request = registry.Request(
        name=FLAGS.name,
        source_dir=FLAGS.source_dir,
        patients=FLAGS.patients,
        size=FLAGS.size,
        seed=FLAGS.seed,
        confounding=FLAGS.confounding,
        comparing=FLAGS.comparing,
        sites=tuple(FLAGS.sites) or None,
        redistributable=FLAGS.redistributable,
        labels_from_reports=FLAGS.labels_from_reports,
        table=requested(
            columns=FLAGS.columns,
            label_columns=FLAGS.label_columns,
            blank=FLAGS.blank,
            unlisted=FLAGS.unlisted,
            splits=FLAGS.splits,
            dates=FLAGS.dates,
            encoding=FLAGS.table_encoding,
        ),
        only_existing=FLAGS.only_existing,
        rule=FLAGS.rule,
        split_lists=FLAGS.split_lists,
    )
    sources = registry.make_sources(FLAGS.dataset, request)
    for source in sources:
        if isinstance(source, ListedSource):
            told = FLAGS.dry_run or FLAGS.dataset == "image_table"
            for line in source.summary() if told else source.notes():
                print(line, flush=True)
        elif FLAGS.dry_run:
            raise registry.RequestError(f"--dry_run is of tables; {FLAGS.dataset} has none to read")
    if FLAGS.dry_run:
        return
    requests = [(source, _options(source)) for source in sources]
    for result in build_all(requests, FLAGS.data_dir, requests[0][1].runner):
        _report(result)


def _options(source: Source) -> BuildOptions:
    stored_size = FLAGS.stored_size
    if stored_size is None:
        stored_size = int(source.card.get("stored_size", 0))
    names: tuple[str, ...] = ("dataset", "source_dir", "patients", "size", "seed", "confounding")
    names += ("max_reject_fraction",)
    # What a later build needs to give the same data.
    optional = (
        "comparing",
        "stored_size",
        "intensity",
        "encoding",
        "redistributable",
        "rule",
        "split_lists",
    )
    names += tuple(name for name in optional if not FLAGS[name].using_default_value)
    arguments = {name: FLAGS[name].value for name in names}
    # Those of a table are recorded as they are written, where they are.
    given = (FLAGS[name] for name in _TABLE_FLAGS if not FLAGS[name].using_default_value)
    arguments |= {
        f.name: ",".join(f.value) if isinstance(f.value, list) else f.value for f in given
    }
    return BuildOptions(
        encoding=Encoding(
            size=stored_size,
            intensity=FLAGS.intensity or source.card.get("intensity", "none"),
            encoding=FLAGS.encoding,
        ),
        runner=Runner(FLAGS.runner, FLAGS.workers, tuple(FLAGS.beam_option)),
        max_reject_fraction=FLAGS.max_reject_fraction,
        include_restricted=FLAGS.include_restricted,
        arguments=arguments,
        salt_file=FLAGS.salt_file,
        verify=FLAGS.verify,
    )


def _report(result: BuildResult) -> None:
    info = result.info
    what = "wrote" if result.built else "complete already, nothing to do:"
    print(f"{what} {info['name']} in {result.directory}")
    for split, count in info["splits"].items():
        print(
            f"  {split}: {count['patients']} patients, {count['studies']} studies, "
            f"{count['images']} images, {count['studies_with_text']} with text"
        )
    for config, annotation_info in result.annotations.items():
        counts = ", ".join(
            f"{split} {n['records']}" for split, n in annotation_info["splits"].items()
        )
        print(f"  {config}: {counts}")
    if "fingerprint" not in info:
        return  # a data set without studies
    rejects = Counter(info["rejects"])
    for reason, count in rejects.most_common():
        print(f"  rejected {count}: {reason}")
    if rejects:
        print(f"  rejected rows are listed in {result.directory / 'rejects.jsonl'}")
    print(f"  {len(info['labels'])} labels, intensity {info['intensity']}")
    print(f"  fingerprint {info['fingerprint']}")


def _prepare_entities() -> None:
    from medst_jax.data_pipelines.entities import write_entities

    for name in FLAGS.entities:
        info = write_entities(FLAGS.data_dir, name, FLAGS.radgraph, verify=FLAGS.verify)
        counts = ", ".join(f"{split} {n['records']}" for split, n in info["splits"].items())
        print(f"entities of {name}: {counts}")


def _prepare_vocabulary() -> None:
    from medst_jax.data_pipelines.vocabulary import train_vocabulary

    if not FLAGS.datasets:
        raise app.UsageError("--vocabulary needs --datasets=a,b")
    path = train_vocabulary(FLAGS.data_dir, FLAGS.datasets, FLAGS.vocabulary, FLAGS.vocabulary_size)
    print(f"wrote {path}")


def _fetch_weights() -> None:
    names = wanted(FLAGS.weights)
    if not names:
        print(f"{FLAGS.weights} starts from random weights: there is nothing to fetch")
    failures = []
    for name, weights in names.items():
        if FLAGS.dry_run:
            print(described(name, FLAGS.data_dir, weights=weights))
            continue
        try:
            for line in fetch(name, FLAGS.data_dir, weights=weights):
                print(line, flush=True)
        except FetchError as error:
            failures.append(str(error))
    # What can be had is there, whatever else cannot.
    if failures:
        raise FetchError("\n".join(failures))


def _verify() -> None:
    from medst_jax.data_pipelines.complete import verify

    for one in verify(FLAGS.data_dir, FLAGS.datasets):
        note = "; its manifest was missing and is written" if one.adopted else ""
        print(f"{one.directory}: {one.files} files are as they were written{note}", flush=True)


def _audit() -> None:
    findings = run_audit(FLAGS.data_dir, FLAGS.datasets, allow_leaks=FLAGS.allow_leaks)
    for finding in findings:
        print(
            f"{finding.first} and {finding.second}: {finding.patients} patients, {finding.files} files, "
            f"{finding.look_alikes} look-alike images shared; {finding.excluded} patients excluded"
        )
    print(
        f"audited {FLAGS.data_dir}: {sum(finding.leaks for finding in findings)} pairs of splits leak"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
