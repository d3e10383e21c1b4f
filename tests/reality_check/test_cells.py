# SPDX-License-Identifier: Apache-2.0
"""Which trainings a check takes, what cannot be used, and its options."""

import importlib

import pytest

from medst_jax import systems
from medst_jax.configs.evaluate import reality_check, reality_check_open
from medst_jax.options import OptionError
from medst_jax.reality_check.cells import Sources, needed_cells, row_specs
from medst_jax.reality_check.contestants import with_contestants
from medst_jax.reality_check.options import CheckOptions, parse_check

M, C = "simulated_cxr_m", "simulated_cxr_c"
SITES = {M: Sources(text=True, labels=True), C: Sources(text=False, labels=True)}
NEEDS = {
    "clip": Sources(text=True, labels=False),
    "unimodal": Sources(text=False, labels=True),
    "dlilp": Sources(text=True, labels=True),
}


def options(**changes) -> CheckOptions:
    values = dict(
        systems=("clip", "unimodal", "dlilp"),
        mixtures={"M": (M,), "C": (C,), "M+C": (M, C)},
        seeds=(0, 1),
        variant="tiny",
        columns={"names": "auroc"},
        controls={"random": dict(system="dlilp", mixture="M", flags=("--x=1",))},
        reference="random",
        baselines=("all_pixels",),
    )
    return parse_check({**values, **changes})


def test_both_readings_are_rows_where_they_differ() -> None:
    rows = row_specs(options(), SITES, NEEDS)
    found = {(r.name, r.mixture): [] for r in rows}
    for row in rows:
        found[row.name, row.mixture].append(row.reading)
    assert found["clip", "M"] == ["all"]
    assert found["clip", "C"] == ["own", "prompts"] == found["clip", "M+C"]
    assert found["unimodal", "C"] == found["dlilp", "M+C"] == ["all"]
    (unusable,) = [r for r in rows if (r.name, r.mixture, r.reading) == ("clip", "C", "own")]
    assert not unusable.cells and "cannot use simulated_cxr_c" in unusable.note


def test_equal_trainings_are_one_cell() -> None:
    rows = row_specs(options(), SITES, NEEDS)
    cells = needed_cells(rows)
    by_row = {(r.name, r.mixture, r.reading): r.cells for r in rows}
    assert by_row["clip", "M+C", "own"] == by_row["clip", "M", "all"]
    # clip: M, C, M+C; unimodal and dlilp: three each; a control; each of two seeds; a baseline.
    assert len(cells) == 2 * (3 + 3 + 3 + 1) + 1 == len({c.name for c in cells})
    control = by_row["random", "M", "all"]
    assert [c.seed for c in control] == [0, 1] and control[0].flags == ("--x=1",)
    assert control[0].name != by_row["dlilp", "M", "all"][0].name


def test_systems_with_one_mixture_have_one_row_and_flags_reach_every_training() -> None:
    check = options(fixed={"medst": "M"}, flags=("--all=1",))
    rows = row_specs(check, SITES, NEEDS)
    (row,) = [r for r in rows if r.name == "medst"]
    assert (row.mixture, row.reading, len(row.cells)) == ("M", "all", 2)
    control = next(r for r in rows if r.name == "random")
    assert row.cells[0].flags == ("--all=1",) and control.cells[0].flags == ("--all=1", "--x=1")
    assert check.contestants == ("clip", "unimodal", "dlilp", "medst")


def test_columns_come_in_the_declared_order() -> None:
    columns = {"a": "auroc", "b": "auroc", "c": "auroc"}
    assert list(options(columns=columns, order=("c", "a")).columns) == ["c", "a", "b"]


def test_one_cell_by_name() -> None:
    rows = row_specs(options(), SITES, NEEDS)
    name = needed_cells(rows)[3].name
    assert [cell.name for cell in needed_cells(rows, [name])] == [name]
    with pytest.raises(ValueError, match="no cell is called"):
        needed_cells(rows, ["nothing"])


def test_options_name_what_is_wrong() -> None:
    with pytest.raises(OptionError, match="reference is 'chance'"):
        options(reference="chance")
    with pytest.raises(OptionError, match="mixture is 'P'"):
        options(controls={"random": dict(system="dlilp", mixture="P")})
    with pytest.raises(OptionError, match="fixed.medst is 'P'; it must be one of M, C"):
        options(fixed={"medst": "P"})
    with pytest.raises(OptionError, match="not among suite.cells.systems"):
        options(fixed={"clip": "M"})
    with pytest.raises(OptionError, match="no columns"):
        options(family=("other",))
    with pytest.raises(OptionError, match="declares no cells"):
        parse_check({})


@pytest.mark.parametrize(
    ("file", "variant"),
    [
        (reality_check, None),
        (reality_check, "quick"),
        (reality_check, "confounded"),
        (reality_check_open, None),
        (reality_check_open, "quick"),
    ],
)
def test_the_declared_check_names_tasks_of_its_suite(file, variant) -> None:
    suite = file.get_config(variant)
    check = parse_check(suite.cells.to_dict())
    assert {column.partition("/")[0] for column in check.columns} <= set(suite.tasks)
    assert check.outside in ("", *suite.tasks)


@pytest.mark.parametrize("variant", [None, "quick"])
def test_every_system_with_an_image_encoder_takes_part(variant) -> None:
    check = parse_check(reality_check.get_config(variant).cells.to_dict())
    trained = {
        importlib.import_module(f"medst_jax.configs.{name}").get_config("tiny").system.name
        for name in (*check.systems, *check.fixed)
    }
    having = {n for n in systems.available() if "frontal" in systems.system_class(n).required_keys}
    assert trained == having
    assert set(systems.available()) - having == {"cxr_bert", "cxr_bert_language", "kad_knowledge"}


def test_contestants_of_the_command_line_are_externals(tmp_path) -> None:
    folder = tmp_path / "rad-dino"
    folder.mkdir()
    cells = {"externals": {"old": {"weights": str(folder)}}, "seeds": (0,)}
    given = (f"{folder}", f"mine={folder}", "hf-hub:owner/name@main")
    made = with_contestants(cells, given, ("mine=brax:train,padchest", "name=none"))
    assert made == {
        "seeds": (0,),
        "externals": {
            "old": {"weights": str(folder)},
            "rad-dino": {"weights": str(folder)},
            "mine": {"weights": str(folder), "trained_on": "brax:train,padchest"},
            "name": {"weights": "hf-hub:owner/name@main", "trained_on": "none"},
        },
    }
    assert cells["externals"] == {"old": {"weights": str(folder)}}  # the suite's own stays
    odd = tmp_path / "a=b"
    assert with_contestants({}, (str(odd),), ())["externals"] == {"a=b": {"weights": str(odd)}}


@pytest.mark.parametrize(
    ("weights", "trained_on", "message"),
    [
        (("a/x", "b/x"), (), "there is a contestant 'x' already"),
        (("x=",), (), "write FOLDER or NAME=FOLDER"),
        (("a/x",), ("y=none",), "of one of the contestants: x"),
        (("a/x",), ("x",), "write NAME=DATASET:SPLIT"),
        ((), ("x=none",), "there are none"),
    ],
)
def test_a_contestant_that_cannot_be_meant_is_refused(weights, trained_on, message) -> None:
    with pytest.raises(OptionError, match=message):
        with_contestants({}, weights, trained_on)
