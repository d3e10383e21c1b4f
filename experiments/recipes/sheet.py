# SPDX-License-Identifier: Apache-2.0
"""Recipe sheets as Markdown: one for each configuration, and a page of what differs."""

from collections.abc import Mapping
from typing import Any

from experiments.recipes.compare import Compared
from experiments.recipes.expanded import digest
from experiments.recipes.source import ROWS, Source

_MARK = {"equal": "= ", "other": "≠ ", "": ""}
_MADE = "Written by `python -m experiments.recipes` from `sources/{}.toml` and `configs/{}.py`; do not edit."

_MARKS = (
    "`=` and `≠`: our values of the options shown were compared with the paper's or the release's; "
    "`≈`: they are equal, and the row differs in something that no option shows. "
    "A cell without a mark is not comparable by machine. What differs is in bold."
)
_PAGE = (
    "What each paper, its release and our configuration of paper size do, value by value, and every "
    "departure that stays, with its reason. Written by `python -m experiments.recipes`; do not edit. "
    "Ours is read from the expanded configuration; what papers and releases do stands in `sources/`."
)


def sheet(source: Source, rows: Mapping[str, Compared], config: Mapping[str, Any]) -> str:
    """The page of one configuration."""
    lines = [
        f"# {source.title}: the recipe",
        "",
        _MADE.format(source.name, source.name),
        "",
        f"Paper: {source.paper}. Release: {source.release}. {source.read}",
        "",
        _MARKS,
        "",
        "| value | paper | release | ours | why ours differs |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(ROWS[key], compared) for key, compared in rows.items()]
    all_options = (
        f"All {len(config)} options, with defaults: `tests/configs/golden/{source.name}.json` "
        f"({digest(config)})."
    )
    return "\n".join([*lines, "", all_options, ""])


def overview(sheets: Mapping[str, tuple[Source, Mapping[str, Compared]]]) -> str:
    """The page of all departures that stay."""
    lines = [
        "# Recipes",
        "",
        _PAGE,
        "",
        "| configuration | system | values | compared equal | departures |",
        "|---|---|---|---|---|",
    ]
    for name, (source, rows) in sheets.items():
        equal = sum(
            "equal" in (row.paper, row.release) and not row.departs for row in rows.values()
        )
        departing = sum(row.departs for row in rows.values())
        lines.append(
            f"| [{name}]({name}.md) | {source.title} | {len(rows)} | {equal} | {departing} |"
        )
    lines += ["", "## Departures", ""]
    for name, (source, rows) in sheets.items():
        departing = {key: row for key, row in rows.items() if row.departs}
        lines += [f"### {source.title} (`configs/{name}.py`)", ""]
        if not departing:
            lines += ["None.", ""]
            continue
        lines += ["| value | paper | release | ours | why |", "|---|---|---|---|---|"]
        lines += [
            f"| {ROWS[key]} | {_cells(row)[0]} | {_cells(row)[1]} | {_ours(row)} | {_text(row.row.why)} |"
            for key, row in departing.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _line(title: str, compared: Compared) -> str:
    why = compared.row.why if compared.departs else ""
    title = f"**{title}**" if compared.departs else title
    return f"| {' | '.join((title, *_cells(compared), _ours(compared), _text(why)))} |"


def _cells(compared: Compared) -> tuple[str, str]:
    row = compared.row
    marks = {**_MARK, "equal": "≈ "} if row.departs else _MARK
    return (
        marks[compared.paper] + _text(row.paper),
        marks[compared.release] + _text(row.release),
    )


def _ours(compared: Compared) -> str:
    """Our values, options of one section together."""
    parts: dict[str, list[str]] = {}
    for key, value in compared.ours.items():
        section, _, option = key.rpartition(".")
        parts.setdefault(section, []).append(f"{option} {_value(value)}")
    said = [
        f"`{section}`: {', '.join(values)}" if section else ", ".join(values)
        for section, values in parts.items()
    ]
    return _text("; ".join(said))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) or '""'


def _text(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")
