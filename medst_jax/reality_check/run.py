# SPDX-License-Identifier: Apache-2.0
"""A reality check from its suite: cells trained and evaluated, table and report written."""

import dataclasses
import datetime
import importlib
import pathlib

from etils import epath
from ml_collections import ConfigDict

from medst_jax import systems
from medst_jax.data.mixture.requirements import NEEDS
from medst_jax.data.records.studies import open_studies, read_info
from medst_jax.evaluate.suite import parse_suite
from medst_jax.reality_check.cells import EXTERNAL, Cell, Sources, needed_cells, row_specs
from medst_jax.reality_check.contestants import with_contestants
from medst_jax.reality_check.mentions import mention_shares
from medst_jax.reality_check.options import parse_check
from medst_jax.reality_check.page import page
from medst_jax.reality_check.preparation import check_cells
from medst_jax.reality_check.record import config_digest, digest_of
from medst_jax.reality_check.results import Table, tabulate, to_json
from medst_jax.reality_check.runner import CellRunner, budget
from medst_jax.train.workdir import write_atomic


@dataclasses.dataclass(frozen=True)
class Request:
    """The flags of `reality_check`.

    Attributes:
      data_dir: prepared data.
      output: folder for cells and report.
      systems, mixtures, seeds, cells: only these; empty for all.
      list: name the cells and end.
      train_flags: further flags of every training.
      weights, trained_on: contestants that were trained elsewhere; see `with_contestants`.
    """

    data_dir: str
    output: str
    systems: tuple[str, ...] = ()
    mixtures: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    list: bool = False
    train_flags: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()


def check(values: ConfigDict, file: str, request: Request) -> None:
    """Do the cells that are not done, print the budget, write table.json and report.html.

    Args:
      values: of the suite.
      file: that holds it, FILE[:VARIANT], for the evaluations.
      request: what of it.

    Raises:
      CellError: a cell failed, or its folder holds another one.
      FileNotFoundError: prepared data are missing.
      ValueError: the suite or the request is not sound.
    """
    suite, tasks = parse_suite(values)
    options = parse_check(with_contestants(suite.cells, request.weights, request.trained_on))
    if request.seeds:
        options = dataclasses.replace(options, seeds=tuple(map(int, request.seeds)))
    sites = sorted({site for mixture in options.mixtures.values() for site in mixture})
    rows = [
        row
        for row in row_specs(
            options,
            {s: _offers(request.data_dir, s) for s in sites},
            {s: _need(s, options.variant) for s in options.systems},
        )
        if row.control
        or row.mixture == EXTERNAL
        or (row.name in (request.systems or options.contestants))
        and (row.mixture in (request.mixtures or options.mixtures))
    ]
    cells = needed_cells(rows, request.cells)
    output = pathlib.Path(request.output).resolve()
    evaluated = sorted({name for task in tasks.values() for name, _ in task.needs()})
    runner = CellRunner(
        root=None,
        output=output,
        suite=file,
        digest=digest_of(values.to_dict()),
        data_dir=str(pathlib.Path(request.data_dir).resolve()),
        variant=options.variant,
        flags=request.train_flags,
        evaluated=tuple(evaluated),
        fingerprints={
            name: read_info(request.data_dir, name)["fingerprint"] for name in {*sites, *evaluated}
        },
        values={
            cell.name: _values(cell, options.variant) for cell in needed_cells(rows) if cell.config
        },
    )
    print(budget(cells, sum(map(runner.done, cells)), options.seconds), flush=True)
    if request.list:
        print("\n".join(cell.name for cell in cells))
        return
    check_cells((c for c in cells if not runner.done(c)), options.variant, request.data_dir)
    runner.finish(cells)
    table = tabulate(options, rows, runner, replicates=suite.draws, seed=suite.seed)
    table = dataclasses.replace(table, mentions=_mentions(table, request.data_dir, sites))
    output.mkdir(parents=True, exist_ok=True)
    write_atomic(epath.Path(output / "table.json"), to_json(table))
    facts = {
        "date": datetime.date.today().isoformat(),
        "variant": options.variant,
        "seeds": ", ".join(map(str, options.seeds)),
        "data": request.data_dir,
    }
    report = output / "report.html"
    write_atomic(epath.Path(report), page("Reality check", table, options.reference, facts))
    for text in table.warnings:
        print(f"warning: {text}")
    print(f"report: {report}")


def _mentions(table: Table, data_dir: str, sites: list[str]) -> dict[str, float]:
    """How often the training reports of the sites mention the findings outside the labels."""
    findings = sorted({name for row in table.rows for name in row.outside})
    if not findings:
        return {}
    read = [open_studies(data_dir, site, "train") for site in sites if _offers(data_dir, site).text]
    return mention_shares((one[k] for one in read for k in range(len(one))), findings)


def _offers(data_dir: str, site: str) -> Sources:
    info = read_info(data_dir, site)
    text = info["splits"]["train"]["studies_with_text"] > 0
    return Sources(text=text, labels=bool(info["labels"]))


def _values(cell: Cell, variant: str) -> str:
    """A digest of the config that a cell trains by."""
    module = importlib.import_module(f"medst_jax.configs.{cell.config}")
    return config_digest(module.get_config(cell.variant_of(variant)).to_dict())


def _need(config: str, variant: str) -> Sources:
    """What the system of a config trains on."""
    name = importlib.import_module(f"medst_jax.configs.{config}").get_config(variant).system.name
    keys = {NEEDS.get(key) for key in systems.system_class(name).required_keys}
    return Sources(text="text" in keys, labels="labels" in keys or "text_labels" in keys)
