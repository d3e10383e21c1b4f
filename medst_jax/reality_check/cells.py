# SPDX-License-Identifier: Apache-2.0
"""From a declared check to the trainings it takes and the rows that read them.

A system that cannot use a site as it is has two readings of a mixture, and both are rows: "own"
trains on the sites it can use, "prompts" on all of them, a label read as a sentence. Where the two are the
same, there is one row, "all". Equal trainings are one cell, however many rows read it.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from medst_jax.reality_check.options import CheckOptions

EXTERNAL = "external"  # the mixture of contestants that were trained elsewhere


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training run with its evaluation.

    Attributes:
      name: its folder.
      config: file of `configs/`.
      sites: the data sets it trains on.
      seed: of training.
      flags: further flags of `launch/train.py`.
      evaluate: of a contestant that is not trained here, the flags of `launch/evaluate.py` that
        name it; else empty.
    """

    name: str
    config: str = ""
    sites: tuple[str, ...] = ()
    seed: int = 0
    flags: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()

    def variant_of(self, variant: str) -> str:
        """What follows the colon of `--config`: the variant, on this cell's sites."""
        return f"{variant},{'+'.join(self.sites)}"


@dataclasses.dataclass(frozen=True)
class RowSpec:
    """A row of the table: the cells of its seeds, none where the system cannot use the mixture."""

    name: str
    mixture: str
    reading: str
    control: bool
    cells: tuple[Cell, ...]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a site offers, or what a system needs, of "text" (reports) and "labels"."""

    text: bool
    labels: bool

    def serves(self, need: "Sources") -> bool:
        """Whether a system of that need can use this site without prompts."""
        return (need.text and self.text) or (need.labels and self.labels)


def row_specs(
    options: CheckOptions, sites: Mapping[str, Sources], needs: Mapping[str, Sources]
) -> tuple[RowSpec, ...]:
    """All rows of a check.

    Args:
      options: the check.
      sites: what each site of its mixtures offers.
      needs: what each system can use.
    """
    specs = [
        spec
        for system in options.systems
        for mixture in options.mixtures
        for spec in _readings(options, system, mixture, sites, needs[system])
    ]
    for system, mixture in options.fixed.items():
        trained = _cells(options, system, options.mixtures[mixture])
        specs.append(RowSpec(system, mixture, "all", False, trained))
    for name, control in options.controls.items():
        # Without flags of its own a control is a system's training, read as what others must beat.
        mark = name if control.flags else ""
        trained = _cells(
            options, control.system, options.mixtures[control.mixture], control.flags, mark
        )
        specs.append(
            RowSpec(name, control.mixture, "all", True, trained, f"trains {control.system}")
        )
    for name in options.baselines:
        cell = Cell(f"baseline-{name}", evaluate=(f"--baseline={name}",))
        specs.append(
            RowSpec(name.replace("_", " "), "none", "all", True, (cell,), "logistic regression")
        )
    for name, external in options.externals.items():
        cell = Cell(f"external-{name.replace(' ', '_')}", evaluate=external.flags())
        specs.append(RowSpec(name, EXTERNAL, "all", False, (cell,), "trained elsewhere"))
    return tuple(specs)


def needed_cells(rows: Sequence[RowSpec], only: Collection[str] = ()) -> tuple[Cell, ...]:
    """The cells of the rows, each once; `only` keeps those of these names.

    Raises:
      ValueError: a name that no cell has.
    """
    cells = {cell.name: cell for row in rows for cell in row.cells}
    unknown = set(only) - set(cells)
    if unknown:
        raise ValueError(f"no cell is called {sorted(unknown)}; there are {', '.join(cells)}")
    return tuple(cell for name, cell in cells.items() if not only or name in only)


def _readings(
    options: CheckOptions,
    system: str,
    mixture: str,
    sites: Mapping[str, Sources],
    need: Sources,
) -> list[RowSpec]:
    every = options.mixtures[mixture]
    own = tuple(site for site in every if sites[site].serves(need))
    unused = [site for site in every if site not in own]
    if not unused:
        return [RowSpec(system, mixture, "all", False, _cells(options, system, every))]
    note = f"cannot use {', '.join(unused)} without prompts"
    cells = _cells(options, system, own) if own else ()
    specs = [RowSpec(system, mixture, "own", False, cells, note)]
    if need.text:
        specs.append(RowSpec(system, mixture, "prompts", False, _cells(options, system, every)))
    return specs


def _cells(
    options: CheckOptions,
    system: str,
    sites: tuple[str, ...],
    flags: tuple[str, ...] = (),
    control: str = "",
) -> tuple[Cell, ...]:
    parts = (system, "+".join(sites), *([control.replace(" ", "_")] if control else []))
    return tuple(
        Cell("-".join((*parts, str(seed))), system, sites, seed, (*options.flags, *flags))
        for seed in options.seeds
    )
