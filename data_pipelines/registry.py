# SPDX-License-Identifier: Apache-2.0
"""The data sets `prepare.py` can make, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data_pipelines.raw import Source

SIMULATED_DEFAULTS = {"patients": 2000, "size": 224, "seed": 0}


class RequestError(ValueError):
    """Flags that do not describe a data set; the message says which are missing."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; None leaves the choice to the data set.

    name: of the data set to write. source_dir: folder of the raw files. patients, size, seed:
    of a simulated cohort. redistributable: whether data cards and exports may show pixels.
    """

    name: str | None = None
    source_dir: str | None = None
    patients: int | None = None
    size: int | None = None
    seed: int | None = None
    redistributable: bool = False


def _image_table(request: Request) -> tuple[Source, ...]:
    from data_pipelines.image_table import ImageTable

    if not request.name or not request.source_dir:
        raise RequestError("--dataset=image_table needs --name=NAME and --source_dir=FOLDER")
    return (ImageTable(request.source_dir, request.name, request.redistributable),)


def _simulated_cxr(request: Request) -> tuple[Source, ...]:
    from data_pipelines.simulated_cxr.source import sources

    chosen = {"patients": request.patients, "size": request.size, "seed": request.seed}
    given = {key: value for key, value in chosen.items() if value is not None}
    try:
        return sources(**{**SIMULATED_DEFAULTS, **given})
    except ValueError as error:
        raise RequestError(f"--dataset=simulated_cxr: {error}") from error


DATASETS: Mapping[str, Callable[[Request], tuple[Source, ...]]] = {
    "image_table": _image_table,
    "simulated_cxr": _simulated_cxr,
}


def make_sources(dataset: str, request: Request) -> tuple[Source, ...]:
    """The sources of a data set; a simulated cohort has one for every site.

    Raises:
      RequestError: unknown data set, or a flag it needs is missing.
    """
    if dataset not in DATASETS:
        raise RequestError(f"unknown data set {dataset!r}; known: {', '.join(sorted(DATASETS))}")
    return DATASETS[dataset](request)
