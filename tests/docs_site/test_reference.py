# SPDX-License-Identifier: Apache-2.0
"""The pages of options and flags say what the code says."""

import dataclasses
from typing import Literal

import pytest

from docs_site import command_flags, option_tables, reference, suite_entries
from medst_jax.data_pipelines import registry
from medst_jax.evaluate.registry import PROTOCOLS, parse_protocol


@dataclasses.dataclass(frozen=True)
class Inner:
    """Within."""

    depth: int = 3


@dataclasses.dataclass(frozen=True)
class Outer:
    """What a table shows.

    Attributes:
      width, height: of the thing,
        in pixels.
      kind: "a|b" or not.

    Raises:
      ValueError: kind: nothing of this is a meaning.
    """

    width: int
    height: int = 2
    kind: Literal["a|b", "c"] = "c"
    inner: dict[str, Inner] = dataclasses.field(default_factory=dict)


def test_a_table_has_types_defaults_and_meanings():
    rows = option_tables.table(Outer)[2:]
    assert rows[0] == "| `width` | `int` | required | of the thing, in pixels. |"
    assert rows[1] == "| `height` | `int` | `2` | of the thing, in pixels. |"
    assert rows[2] == "| `kind` | `'a\\|b' or 'c'` | `'c'` | \"a\\|b\" or not. |"
    assert rows[3] == "| `inner` | `dict[str, Inner]` | `{}` |  |"
    assert "## Inner" in option_tables.tables([Outer])


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_pages_are_as_the_code_is(name):
    page = (reference.FOLDER / name).read_text()
    assert page == reference.PAGES[name](), "run python -m docs_site.reference"


def test_every_protocol_has_an_example_that_parses():
    entries = suite_entries.shipped_entries()
    assert entries.keys() == PROTOCOLS.keys()
    for name, (_, entry) in entries.items():
        written = eval(suite_entries.written(entry), {"dict": dict})
        assert parse_protocol(written, name) == parse_protocol(entry, name)


def test_every_data_set_and_its_flags_are_on_the_page():
    page = reference.PAGES["commands.md"]()
    assert "| `--suite` | file |" in page  # defined by a function of its own
    known = {flag.name for flag in command_flags.flags_in(command_flags.LAUNCH / "prepare.py")}
    for name, make in registry.DATASETS.items():
        assert f"| `{name}` |" in page
        assert known.issuperset(command_flags._dataset(make)[1])
    assert "split_lists" in command_flags._dataset(registry.DATASETS["tbx11k_benchx"])[1]
    assert "columns" in command_flags._dataset(registry.DATASETS["image_table"])[1]
