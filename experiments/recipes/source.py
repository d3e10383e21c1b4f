# SPDX-License-Identifier: Apache-2.0
"""What a paper and its release do, as `docs/recipes/sources/NAME.toml` says it.

A table of the file is a row of the sheet:

    [optimizer]
    paper = "Adam, rate 1e-4"             what the paper says; "unknown" where nobody here has read it
    release = "the same"                  what the released code does; "none" where there is none
    paper_is = { "optimizer.b1" = 0.9 }   the paper's values of our options: they are compared
    release_is = { ... }                  the release's, where they are others than the paper's
    ours = ["optimizer.name"]             further options to show, which nothing is compared with
    why = "..."                           why ours differs, if it does
    departs = true                        ours differs in what the options do not show

`like = "clip"` at the top takes the rows that a file lacks from another one, whole. Keys are those of the expanded
configuration; `epochs`, `warmup_epochs` and `warmup_share` are computed from it and from `examples`, the number of training
examples of an epoch. A key that ends in `?` may be absent; `*` stands for any part of a key that is shown.
"""

import dataclasses
import pathlib
import tomllib
from typing import Any

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "recipes" / "sources"

# Every sheet has these rows, in this order.
ROWS = {
    "data": "Data",
    "text": "Text drawn",
    "sections": "Sections of the report",
    "labels": "Labels",
    "crop": "Size and crop",
    "augmentation": "Augmentation",
    "normalisation": "Normalisation",
    "encoders": "Encoders and pooling",
    "heads": "Heads",
    "weights": "Initial weights",
    "losses": "Losses and their weights",
    "negatives": "Negatives per what",
    "temperature": "Temperature",
    "batch": "Batch",
    "optimizer": "Optimizer",
    "rates": "Rates per part",
    "decay": "Decay, and on what",
    "clipping": "Gradient clipping",
    "warmup": "Warm-up",
    "schedule": "Schedule",
    "epochs": "Epochs and choice of checkpoint",
    "precision": "Precision",
}


class SourceError(ValueError):
    """A source that cannot be a sheet; names file and row."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One value; see the file's docstring."""

    paper: str
    release: str
    paper_is: dict[str, Any] = dataclasses.field(default_factory=dict)
    release_is: dict[str, Any] = dataclasses.field(default_factory=dict)
    ours: tuple[str, ...] = ()
    why: str = ""
    departs: bool = False


@dataclasses.dataclass(frozen=True)
class Source:
    """One sheet's source.

    Attributes:
      name: of the configuration.
      title: of the system.
      paper: the paper, with its address.
      release: the released code, or "none".
      read: how what stands here is known.
      examples: of an epoch; 0 where that is unknown.
      rows: by key of `ROWS`.
    """

    name: str
    title: str
    paper: str
    release: str
    read: str
    examples: int
    rows: dict[str, Row]


def names(folder: pathlib.Path = SOURCES) -> list[str]:
    """Configurations that have a source."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def read(name: str, folder: pathlib.Path = SOURCES) -> Source:
    """Parse a source.

    Raises:
      SourceError: a missing or unknown row or field.
    """
    content = _content(name, folder)
    head = {key: content.pop(key, None) for key in ("title", "paper", "release", "read")}
    examples = content.pop("examples", 0)
    for key in [key for key, value in head.items() if not value]:
        raise SourceError(f"{name}.toml: {key} is missing")
    for key in content:
        if key not in ROWS:
            raise SourceError(f"{name}.toml: [{key}] is no row; known: {', '.join(ROWS)}")
    missing = [key for key in ROWS if key not in content]
    if missing:
        raise SourceError(f"{name}.toml: [{missing[0]}] is missing")
    rows = {key: _row(f"{name}.toml: [{key}]", content[key]) for key in ROWS}
    return Source(name=name, examples=examples, rows=rows, **head)


def _content(name: str, folder: pathlib.Path) -> dict[str, Any]:
    content = tomllib.loads((folder / f"{name}.toml").read_text())
    other = content.pop("like", None)
    return {**_content(other, folder), **content} if other else content


def _row(where: str, values: dict[str, Any]) -> Row:
    known = {field.name for field in dataclasses.fields(Row)}
    for key in values:
        if key not in known:
            raise SourceError(f"{where}: {key} is no field; known: {', '.join(sorted(known))}")
    for key in ("paper", "release"):
        if not values.get(key):
            raise SourceError(f'{where}: {key} is missing; "unknown" is allowed')
    return Row(**{**values, "ours": tuple(values.get("ours", ()))})
