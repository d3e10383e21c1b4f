# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference: every option of a configuration and of a suite, every flag of a command.

    python -m docs_site.reference

The pages are committed, so that they are read without a site too; a test holds them to the code.
"""

import inspect
import pathlib
import sys

from docs_site.command_flags import commands_page
from docs_site.option_tables import nested, table, tables
from docs_site.suite_entries import shipped_entries, written
from medst_jax import systems
from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.evaluate.registry import PROTOCOLS
from medst_jax.evaluate.suite import SuiteOptions
from medst_jax.systems.parts.towers import (
    AUTOENCODERS,
    IMAGE_ENCODERS,
    TEXT_ENCODERS,
    encoder_defaults,
)
from medst_jax.train.options import PartOptions
from medst_jax.train.sections import Sections

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs" / "reference"
_HEAD = "Written by `python -m docs_site.reference`; do not edit."


def config_page() -> str:
    """Every section of a configuration but `system`."""
    lines = ["# Options of a configuration", "", _HEAD, ""]
    lines += [
        (
            "A configuration is a file of `configs/` or your own. Each key is a flag too: "
            "`--config.train.steps=500`. `medst config NAME` prints all values of one. An unknown key is "
            "an error. The keys of `config.system` are those of its system: [systems.md](systems.md)."
        ),
        "",
    ]
    lines += tables([Sections, DataOptions, DataSetOptions, PartOptions])
    return _page(lines)


def systems_page() -> str:
    """The options of every system, of encoders by name, and what they share."""
    lines = ["# Options of systems", "", _HEAD, ""]
    lines += [
        (
            "`config.system.name` chooses the system; the other keys of `config.system` are below. `image` "
            "and `text` hold the name of an encoder and options of it that differ from its own."
        ),
        "",
        "## Encoders",
        "",
        "| name | kind | options | what differs from their defaults |",
        "|---|---|---|---|",
    ]
    kinds = {"image": IMAGE_ENCODERS, "autoencoder": AUTOENCODERS, "text": TEXT_ENCODERS}
    classes: list[type] = []
    for kind, encoders in kinds.items():
        for name in encoders:
            options = encoder_defaults({"name": name})
            cls = options if isinstance(options, type) else type(options)
            if cls not in classes:
                classes.append(cls)
            lines.append(f"| `{name}` | {kind} | `{cls.__name__}` | {_changed(options)} |")
    lines.append("")
    for name in systems.available():
        options = systems.system_class(name).Options
        lines += [f"## {name}", "", *table(options), ""]
        classes += [c for c in nested_in(options) if c not in classes]
    lines += tables(classes, "###")
    return _page(lines)


def nested_in(options: type) -> list[type]:
    """Dataclasses that are values of the fields of `options`."""
    hints = inspect.get_annotations(options, eval_str=True)
    for base in options.__mro__[1:]:
        hints = {**inspect.get_annotations(base, eval_str=True), **hints}
    return [one for hint in hints.values() for one in nested(hint)]


def _changed(options: object) -> str:
    if isinstance(options, type):
        return ""
    defaults = {f.name: f.default for f in options.__dataclass_fields__.values()}  # type: ignore[attr-defined]
    changed = {k: getattr(options, k) for k, v in defaults.items() if getattr(options, k) != v}
    return ", ".join(f"`{key}={value!r}`" for key, value in changed.items())


def protocols_page() -> str:
    """The options of a suite and of every protocol, with an entry of a shipped suite."""
    lines = ["# Options of a suite", "", _HEAD, ""]
    lines += [
        (
            "A suite is a file whose `get_config` gives `tasks`, by name; an entry names its protocol and its "
            "options. An unknown option is an error. What the protocols measure: "
            "[protocols.md](../protocols.md); suites to start from: [suites.md](../suites.md)."
        ),
        "",
        *table(SuiteOptions),
        "",
    ]
    entries = shipped_entries()
    shared = nested_in(SuiteOptions)
    for name, protocol in PROTOCOLS.items():
        summary = (inspect.getdoc(sys.modules[protocol.options.__module__]) or "").partition("\n\n")
        lines += [f"## {name}", "", summary[0], "", *table(protocol.options), ""]
        if name in entries:
            suite, entry = entries[name]
            lines += [f"An entry of `{suite}`:", "", "```python", written(entry), "```", ""]
        shared += [one for one in nested_in(protocol.options) if one not in shared]
    lines += ["## Options that several share", "", *tables(shared, "###")]
    return _page(lines)


PAGES = {
    "config.md": config_page,
    "systems.md": systems_page,
    "protocols.md": protocols_page,
    "commands.md": lambda: commands_page(_HEAD),
}


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
    print(f"wrote {', '.join(PAGES)} in {FOLDER}")


if __name__ == "__main__":
    main()
