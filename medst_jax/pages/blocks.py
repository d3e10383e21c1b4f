# SPDX-License-Identifier: Apache-2.0
"""What a page is made of. Every text may come from outside: the template escapes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class Block:
    """A part of a page; `block` names the template's macro."""

    block: ClassVar[str]


@dataclasses.dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph. kind: "" or "sub", "warning", "verdict", "note"."""

    text: str
    kind: str = ""
    block = "paragraph"


@dataclasses.dataclass(frozen=True)
class Section(Block):
    """A heading with what it heads; without any of it, it is left out. note: below the heading."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    level: int = 2
    block = "section"


@dataclasses.dataclass(frozen=True)
class Details(Block):
    """Blocks that a click opens, or closes."""

    summary: str
    blocks: Sequence[Block]
    open: bool = False
    block = "details"


@dataclasses.dataclass(frozen=True)
class Tile:
    """A value in large print and what it is."""

    value: Any
    name: str
    notes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Tiles(Block):
    """Some values beside each other."""

    tiles: Sequence[Tile]
    block = "tiles"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      value: its content; numbers are shortened.
      below: in small print.
      order: what the column is sorted by; None for what is shown.
      hint: shown when pointed at.
      share: in [0, 1], drawn behind the number.
      span: (low, value, high) in [0, 1], drawn instead of the content.
      chance: in [0, 1], marked in the drawing of `span`.
      links: (label, address) in place of the content.
      kind: "" or "num", "note", "paper", "strong".
    """

    value: Any = ""
    below: Sequence[str] = ()
    order: float | None = None
    hint: str = ""
    share: float | None = None
    span: tuple[float, float, float] | None = None
    chance: float | None = None
    links: Sequence[tuple[str, str]] = ()
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """A row of a table. kind: "" or "head", "grey", "control", "oracle"."""

    cells: Sequence[Any]
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Table(Block):
    """A table; without rows it is left out.

    Attributes:
      heads: of the columns.
      rows: cells, which may be plain values, or lines.
      groups: (name, columns) of a line above the heads.
      kind: name of its kind; "sortable" columns sort on a click.
    """

    heads: Sequence[str]
    rows: Sequence[Line | Sequence[Any]]
    groups: Sequence[tuple[str, int]] = ()
    kind: str = ""
    sortable: bool = False
    block = "table"

    def lines(self) -> list[Line]:
        """The rows, each cell a `Cell`."""
        lines = [row if isinstance(row, Line) else Line(row) for row in self.rows]
        return [dataclasses.replace(line, cells=[*map(_cell, line.cells)]) for line in lines]


@dataclasses.dataclass(frozen=True)
class Drawings(Block):
    """Figures that this code has drawn, as SVG markup."""

    svgs: Sequence[str]
    caption: str = ""
    block = "drawings"


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image. source: a `data:` address. kind: "" or "right", "wrong"."""

    source: str
    name: str
    caption: str = ""
    kind: str = ""
    width: int | None = None
    height: int | None = None


@dataclasses.dataclass(frozen=True)
class Strip(Block):
    """Pictures beside each other."""

    pictures: Sequence[Picture]
    block = "strip"


@dataclasses.dataclass(frozen=True)
class Beside(Block):
    """A picture, if there is one, beside blocks."""

    picture: Picture | None
    blocks: Sequence[Block]
    block = "beside"


@dataclasses.dataclass(frozen=True)
class Course(Block):
    """Several blocks side by side, of one patient over time."""

    parts: Sequence[Sequence[Block]]
    block = "course"


@dataclasses.dataclass(frozen=True)
class Words(Block):
    """Words with a background each: (word, red share, blue share), shares in [0, 1]."""

    words: Sequence[tuple[str, float, float]]
    block = "words"


@dataclasses.dataclass(frozen=True)
class Items(Block):
    """A list. marked: numbers of items that stand out. ordered: whether the items are counted."""

    items: Sequence[str]
    marked: Sequence[int] = ()
    ordered: bool = False
    block = "items"


@dataclasses.dataclass(frozen=True)
class Terms(Block):
    """Words with what they mean."""

    terms: Sequence[tuple[str, str]]
    block = "terms"


@dataclasses.dataclass(frozen=True)
class Program(Block):
    """Text in lines as they are, such as a config."""

    text: str
    block = "program"


@dataclasses.dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
      title, lead: what it is.
      facts: name and value below the title.
      blocks: its content.
      footer: in small print at the end.
    """

    title: str
    blocks: Sequence[Block]
    lead: str = ""
    facts: Sequence[tuple[str, str]] = ()
    footer: Sequence[str] = ()


def _cell(value: Any) -> Cell:
    if isinstance(value, Cell):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(value, kind="num" if number or value is None else "")
