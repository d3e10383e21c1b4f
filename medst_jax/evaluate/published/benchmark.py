# SPDX-License-Identifier: Apache-2.0
"""What a suite of a published benchmark must say of itself before a number is printed."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from medst_jax.evaluate.published.needs import needs_of
from medst_jax.evaluate.published.table import PublishedTable
from medst_jax.options import OptionError, parse

Unit = Literal["image", "study", "image pair", "phrase", "sentence", "sentence pair", "patient"]


@dataclasses.dataclass(frozen=True)
class Design:
    """How a data set of the benchmark is judged; every field is needed.

    Attributes:
      unit: what one prediction is about, and what counts once in a number.
      views: how the images of a unit become one prediction.
      excluded: which images or patients are left out, of the test and of training.
      split: where the test images, and those of a probe, come from.
      thresholds: where a decision threshold comes from, "none" where no number has one.
    """

    unit: Unit
    views: str
    excluded: str
    split: str
    thresholds: str


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A published benchmark.

    Attributes:
      title: its name, as the field knows it.
      source: where it was published: authors, title, year or number.
      designs: data set to how it is judged; one for every data set with test units.
      tables: the published tables, in the order of the paper.
      departures: what this suite does otherwise than the publication, one a sentence.
      not_offered: parts of the benchmark that this suite lacks, each with its reason.
    """

    title: str
    source: str
    designs: dict[str, Design]
    tables: tuple[PublishedTable, ...] = ()
    departures: tuple[str, ...] = ()
    not_offered: tuple[str, ...] = ()


def parse_benchmark(suite: Mapping[str, Any]) -> Benchmark | None:
    """The benchmark that a suite as configured is; None of one that is none.

    Raises:
      OptionError: it does not say of itself what it must.
    """
    values = suite.get("benchmark")
    if values is None:
        return None
    benchmark = parse(Benchmark, values, "suite.benchmark")
    check_benchmark(benchmark, suite["tasks"])
    return benchmark


def check_benchmark(benchmark: Benchmark, tasks: Mapping[str, Any]) -> None:
    """Check that every test set has its design, and every column of a table its task.

    Args:
      benchmark: as parsed.
      tasks: of the suite, as configured.

    Raises:
      OptionError: a statement that lacks or is empty, or a column of no task.
    """
    where = "suite.benchmark"
    tested = dict.fromkeys(need.dataset for need in needs_of(tasks) if need.test)
    for name in tested:
        if name not in benchmark.designs:
            raise OptionError(
                f"{where}.designs lacks {name!r}, whose units the suite judges: state its "
                f"{', '.join(f.name for f in dataclasses.fields(Design))}"
            )
    for name, design in benchmark.designs.items():
        if name not in tested:
            raise OptionError(f"{where}.designs.{name}: no task of the suite tests on it")
        empty = [key for key, value in vars(design).items() if not value.strip()]
        if empty:
            raise OptionError(f"{where}.designs.{name}.{empty[0]} is empty: state it")
    for table in benchmark.tables:
        table.check(f"{where}.tables, {table.title!r}", tasks)
