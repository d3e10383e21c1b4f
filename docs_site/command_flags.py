# SPDX-License-Identifier: Apache-2.0
"""The flags of every command, read from its file without importing it, and the data sets of `prepare`."""

import ast
import dataclasses
import importlib
import inspect
import pathlib
from collections.abc import Iterator
from typing import Any

from medst_jax import cli
from medst_jax.data.records import schema
from medst_jax.data_pipelines import registry

LAUNCH = pathlib.Path(__file__).resolve().parents[1] / "launch"


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag of a command.

    Attributes:
      name: without the dashes.
      kind: "string", "enum", "list", ...: what follows DEFINE_.
      default: as it is written in the code.
      meaning: one line; empty of an alias or a file.
      values: of an enum; empty of other kinds or where they are read from elsewhere.
    """

    name: str
    kind: str
    default: str
    meaning: str
    values: tuple[str, ...] = ()


def flags_in(file: pathlib.Path) -> Iterator[Flag]:
    """The flags that a file defines, in its order."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if ast.unparse(node.func) == "config_flag.define":
            name = str(ast.literal_eval(node.args[0]))
            yield Flag(name, "file", "", f"FILE[:VARIANT] or NAME[:VARIANT] of a {name}")
            continue
        _, is_flag, kind = node.func.attr.partition("DEFINE_")
        if not is_flag or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        first, *rest = node.args
        words = [
            one for one in rest if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        default = ast.unparse(rest[0]) if rest else ""
        if any(k.arg == "required" and ast.unparse(k.value) == "True" for k in node.keywords):
            default = "required"
        values = _values(rest[1]) if kind == "enum" else ()
        meaning = words[-1].value if words and words[-1] is rest[-1] and len(rest) > 1 else ""
        yield Flag(str(first.value), kind, default, str(meaning), values)


def _values(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, (ast.List, ast.Tuple)) and all(
        isinstance(o, ast.Constant) for o in node.elts
    ):
        return tuple(str(one.value) for one in node.elts)  # type: ignore[attr-defined]
    known = {"schema.INTENSITIES": schema.INTENSITIES, "schema.ENCODINGS": schema.ENCODINGS}
    known["sorted(registry.DATASETS)"] = sorted(registry.DATASETS)
    return tuple(known.get(ast.unparse(node), ()))


def commands_page(head: str) -> str:
    """Every command: what its file says, its flags, and of `prepare` the data sets."""
    lines = ["# Commands", "", head, "", "`medst NAME --help` prints the same.", ""]
    for command in sorted(cli.COMMANDS):
        file = LAUNCH / f"{command.replace('-', '_')}.py"
        text = ast.get_docstring(ast.parse(file.read_text())) or ""
        lines += [f"## medst {command}", "", "```text", text, "```", ""]
        if own := list(flags_in(file)):
            lines += ["| flag | kind | default | meaning |", "|---|---|---|---|"]
            lines += [_row(flag) for flag in own] + [""]
        if command == "benchmark":
            lines += ["Each benchmark has further flags: `medst benchmark --what=NAME --help`.", ""]
        if command == "prepare":
            lines += _datasets()
    return "\n".join(lines).rstrip() + "\n"


def _row(flag: Flag) -> str:
    few = 0 < len(flag.values) <= 6
    kind = " or ".join(f"`{one or '(empty)'}`" for one in flag.values) if few else flag.kind
    cells = (f"`--{flag.name}`", kind, f"`{flag.default}`" if flag.default else "", flag.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _datasets() -> list[str]:
    lines = [
        "### Data sets of --dataset",
        "",
        "| data set | what it reads | flags |",
        "|---|---|---|",
    ]
    for name, make in registry.DATASETS.items():
        what, flags = _dataset(make)
        lines.append(f"| `{name}` | {what} | {', '.join(f'`--{one}`' for one in flags)} |")
    return [*lines, ""]


def _dataset(make: Any) -> tuple[str, tuple[str, ...]]:
    """What a data set is, in a line, and the flags that are its own."""
    held = inspect.getclosurevars(make).nonlocals
    if "listed" in held:  # by a benchmark's lists
        held = inspect.getclosurevars(held["listed"]).nonlocals
    if "source" not in held:
        return {
            "_image_table": (
                "Your own images, and a table of them.",
                ("name", "source_dir", "redistributable", *_table_flags()),
            ),
            "_simulated_cxr": (
                "A simulated cohort; it needs no files.",
                ("patients", "size", "seed", "confounding", "comparing", "sites"),
            ),
            "_text_pairs": ("Your own pairs of texts, text_pairs.csv.", ("source_dir", "name")),
            "_simulated_knowledge": ("Terms and definitions of the simulated findings.", ()),
        }[make.__name__]
    module = importlib.import_module(f"medst_jax.data_pipelines.{held['module']}")
    doc = inspect.getdoc(getattr(module, held["source"])) or inspect.getdoc(module) or ""
    line = doc.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return line, ("source_dir", *held["asked"])


def _table_flags() -> tuple[str, ...]:
    tree = ast.parse((LAUNCH / "prepare.py").read_text())
    found: list[str] = []
    for node in ast.walk(tree):
        target = getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "_TABLE_FLAGS":
            found += ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return tuple(found)
