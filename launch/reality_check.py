# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and tabulate every system of a reality check.

    python launch/reality_check.py --suite=configs/evaluate/reality_check.py --data_dir=data --output=runs/check

Prints its budget, then does the cells that are not done: start it again after an interruption, or at
the same time in other processes or hosts that see the output folder; they share the work. A killed process
loses at most the steps since the last checkpoint of its cell. Writes table.json and report.html; with nothing to do it only
writes these. `--cell=NAME` does one cell, `--list` names them.
"""

import dataclasses
import datetime
import importlib
import pathlib
import sys

from absl import app, flags
from etils import epath
from ml_collections import config_flags

if not __package__:  # run as a script: the repository need not be installed
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from medst_jax import systems
from medst_jax.data.mixture.requirements import NEEDS
from medst_jax.data.records.studies import open_studies, read_info
from medst_jax.evaluate.suite import parse_suite
from medst_jax.reality_check.cells import EXTERNAL, Cell, Sources, needed_cells, row_specs
from medst_jax.reality_check.mentions import mention_shares
from medst_jax.reality_check.options import parse_check
from medst_jax.reality_check.page import page
from medst_jax.reality_check.record import digest, digest_of
from medst_jax.reality_check.results import Table, tabulate, to_json
from medst_jax.reality_check.runner import CellError, CellRunner, budget
from medst_jax.train.workdir import write_atomic

ROOT = pathlib.Path(__file__).resolve().parent.parent

_SUITE = config_flags.DEFINE_config_file("suite", lock_config=True)
_DATA_DIR = flags.DEFINE_string("data_dir", "data", "Prepared data.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder for cells and report.", required=True)
_SYSTEMS = flags.DEFINE_list("systems", [], "Only these systems.")
_MIXTURES = flags.DEFINE_list("mixtures", [], "Only these mixtures; those of the controls stay.")
_SEEDS = flags.DEFINE_list("seeds", [], "Only these seeds of training.")
_CELL = flags.DEFINE_list("cell", [], "Do only these cells.")
_LIST = flags.DEFINE_bool("list", False, "Name the cells and end.")
_TRAIN_FLAG = flags.DEFINE_multi_string("train_flag", [], "Further flag of every training.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    if not _SUITE.value:
        raise app.UsageError("give --suite=FILE")
    try:
        _check()
    except (CellError, FileNotFoundError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None


def _check() -> None:
    suite, tasks = parse_suite(_SUITE.value)
    options = parse_check(suite.cells)
    if _SEEDS.value:
        options = dataclasses.replace(options, seeds=tuple(map(int, _SEEDS.value)))
    sites = sorted({site for mixture in options.mixtures.values() for site in mixture})
    rows = [
        row
        for row in row_specs(
            options,
            {s: _offers(s) for s in sites},
            {s: _need(s, options.variant) for s in options.systems},
        )
        if row.control
        or row.mixture == EXTERNAL
        or (row.name in (_SYSTEMS.value or options.contestants))
        and (row.mixture in (_MIXTURES.value or options.mixtures))
    ]
    cells = needed_cells(rows, _CELL.value)
    output = pathlib.Path(_OUTPUT.value).resolve()
    evaluated = sorted({name for task in tasks.values() for name, _ in task.needs()})
    runner = CellRunner(
        root=ROOT,
        output=output,
        suite=_suite_file(),
        digest=digest_of(_SUITE.value.to_dict()),
        data_dir=str(pathlib.Path(_DATA_DIR.value).resolve()),
        variant=options.variant,
        flags=tuple(_TRAIN_FLAG.value),
        evaluated=tuple(evaluated),
        fingerprints={
            name: read_info(_DATA_DIR.value, name)["fingerprint"] for name in {*sites, *evaluated}
        },
        values={
            cell.name: _values(cell, options.variant) for cell in needed_cells(rows) if cell.config
        },
    )
    print(budget(cells, sum(map(runner.done, cells)), options.seconds), flush=True)
    if _LIST.value:
        print("\n".join(cell.name for cell in cells))
        return
    runner.finish(cells)
    table = tabulate(options, rows, runner, replicates=suite.draws, seed=suite.seed)
    table = dataclasses.replace(table, mentions=_mentions(table, sites))
    output.mkdir(parents=True, exist_ok=True)
    write_atomic(epath.Path(output / "table.json"), to_json(table))
    facts = {
        "date": datetime.date.today().isoformat(),
        "variant": options.variant,
        "seeds": ", ".join(map(str, options.seeds)),
        "data": _DATA_DIR.value,
    }
    report = output / "report.html"
    write_atomic(epath.Path(report), page("Reality check", table, options.reference, facts))
    for text in table.warnings:
        print(f"warning: {text}")
    print(f"report: {report}")


def _mentions(table: Table, sites: list[str]) -> dict[str, float]:
    """How often the training reports of the sites mention the findings outside the labels."""
    findings = sorted({name for row in table.rows for name in row.outside})
    if not findings:
        return {}
    read = [open_studies(_DATA_DIR.value, site, "train") for site in sites if _offers(site).text]
    return mention_shares((one[k] for one in read for k in range(len(one))), findings)


def _suite_file() -> str:
    """The suite's file as an absolute path, with its variant."""
    name = config_flags.get_config_filename(flags.FLAGS["suite"])
    file, colon, variant = name.partition(":")
    return f"{pathlib.Path(file).resolve()}{colon}{variant}"


def _offers(site: str) -> Sources:
    info = read_info(_DATA_DIR.value, site)
    text = info["splits"]["train"]["studies_with_text"] > 0
    return Sources(text=text, labels=bool(info["labels"]))


def _values(cell: Cell, variant: str) -> str:
    """A digest of the config that a cell trains by."""
    module = importlib.import_module(f"medst_jax.configs.{cell.config}")
    return digest(module.get_config(cell.variant_of(variant)).to_dict())


def _need(config: str, variant: str) -> Sources:
    """What the system of a config trains on."""
    name = importlib.import_module(f"medst_jax.configs.{config}").get_config(variant).system.name
    keys = {NEEDS.get(key) for key in systems.system_class(name).required_keys}
    return Sources(text="text" in keys, labels="labels" in keys or "text_labels" in keys)


if __name__ == "__main__":
    app.run(main)
