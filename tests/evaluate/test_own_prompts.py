# SPDX-License-Identifier: Apache-2.0
"""Prompts of a user's file, and keys of a suite that are no class."""

import numpy as np
import pytest

from medst_jax.evaluate.own_prompts import noted, read_prompts, with_own_prompts
from medst_jax.evaluate.protocols.base_new import base_new
from medst_jax.evaluate.protocols.zero_shot import zero_shot
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.statistics.rows import Row
from medst_jax.files.reading import DamagedDataError
from medst_jax.options import OptionError
from tests.evaluate.fakes import context, pointing, studies

NAMES = ("East", "North", "Up")
CODES = np.eye(3, dtype=np.int64)
SHARED = dict(protocol="zero_shot", task=dict(dataset="fake", classes=NAMES))
TASKS = {
    "text": parse_protocol({**SHARED, "mode": "text", "own_prompts": {"Up": ["up"]}}, "suite"),
    "auto": parse_protocol({**SHARED, "mode": "auto"}, "suite"),
    "labels": parse_protocol({**SHARED, "mode": "prototypes"}, "suite"),
    "all": parse_protocol({"protocol": "zero_shot", "task": {"dataset": "fake"}}, "suite"),
    "probe": parse_protocol({"protocol": "linear_probe", "task": {"dataset": "fake"}}, "suite"),
}


def prompts(tmp_path, text):
    file = tmp_path / "own.json"
    file.write_text(text)
    return read_prompts(str(file))


def bench():
    return context(studies(pointing(200 * np.eye(3)), NAMES, CODES))


def test_tasks_that_ask_by_text_take_the_file(tmp_path):
    own = prompts(tmp_path, '{"EAST": ["north"], "down": ["up"]}')
    changed = with_own_prompts(TASKS, own, lambda task: ("East", "Down"))
    assert changed["text"].options.own_prompts == {"Up": ("up",), "EAST": ("north",)}
    assert changed["all"].options.own_prompts == {"EAST": ("north",), "down": ("up",)}
    assert changed["all"].options.mode == changed["auto"].options.mode == "text"
    assert changed["labels"] == TASKS["labels"] and changed["probe"] == TASKS["probe"]
    # In any case: East is now asked by the word north.
    scores = zero_shot(changed["text"].options, bench()).parts[0].predictions.scores[0]
    np.testing.assert_allclose(scores[:, 0], [0, 1, 0], atol=1e-6)

    def row(task):
        return Row("s", "fake", task, "zero_shot", "auroc", 0.5, None, None, 3, 0, "small")

    notes = [one.note for one in noted(map(row, ("text/a", "labels")), TASKS, changed, own)]
    assert notes == [f"small; {own.note}", "small"] and own.note.startswith("prompts of own.json")


def test_one_file_serves_tasks_of_other_classes(tmp_path):
    task = {"protocol": "zero_shot", "mode": "text", "task": {"dataset": "fake", "rest": "None"}}
    tasks = {
        name: parse_protocol({**task, "task": {**task["task"], "classes": (name,)}}, "suite")
        for name in NAMES
    }
    own = prompts(tmp_path, '{"East": ["a"], "Up": ["b"], "None": ["c"]}')
    changed = with_own_prompts(tasks, own, lambda _: ())
    assert changed["East"].options.own_prompts == {"East": ("a",), "None": ("c",)}
    assert changed["North"].options.own_prompts == {"None": ("c",)}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[]", DamagedDataError, "own.json"),
        ("{}", OptionError, "holds no prompts"),
        ('{"East": "one"}', OptionError, "'East' needs a list of texts"),
        ('{"East": [" "]}', OptionError, "'East' needs a list of texts"),
        ('{"Esat": ["one"]}', OptionError, "--prompts names 'Esat'.*did you mean 'East'"),
        ('{"East": ["a"], "EAST": ["b"]}', OptionError, "names one class twice"),
    ],
)
def test_files_that_cannot_be_meant(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        with_own_prompts(TASKS, prompts(tmp_path, text), lambda _: NAMES)


def test_prompts_that_nothing_asks_for(tmp_path):
    tasks = {name: TASKS[name] for name in ("labels", "probe")}
    with pytest.raises(OptionError, match="changes nothing here"):
        with_own_prompts(tasks, prompts(tmp_path, '{"East": ["a"]}'), lambda _: NAMES)


@pytest.mark.parametrize("table", ["own_prompts", "prototypes"])
def test_a_key_of_a_suite_that_is_no_class_is_refused(table):
    wrong = {table: {"Nroth": ["north"]}}
    with pytest.raises(OptionError, match=f"{table} names 'Nroth'.*did you mean 'North'"):
        parse_protocol({**SHARED, **wrong}, "suite")
    pair = dict(protocol="base_new", task=dict(dataset="fake"), base=("East",), new=("North", "Up"))
    with pytest.raises(OptionError, match="did you mean 'North'"):
        parse_protocol({**pair, **wrong}, "suite")
    # Classes that only the data tell.
    open_task = parse_protocol({**SHARED, "task": {"dataset": "fake"}, **wrong}, "suite")
    with pytest.raises(OptionError, match="did you mean 'North'"):
        zero_shot(open_task.options, bench())


def test_base_and_new_share_a_table():
    own = {"East": ["east"], "North": ["north"], "Up": ["up"]}
    values = dict(task=dict(dataset="fake"), base=("East", "Up"), new=("North",), own_prompts=own)
    task = parse_protocol({"protocol": "base_new", **values}, "suite")
    assert [part.name for part in base_new(task.options, bench()).parts] == ["base", "new", "joint"]
