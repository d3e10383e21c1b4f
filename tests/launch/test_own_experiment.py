# SPDX-License-Identifier: Apache-2.0
"""`init-config` and `config`: files for a user's own data, and what a configuration holds."""

import dataclasses
import json
import subprocess
import sys

import pytest

from medst_jax.benchmarks.textured import Textured
from medst_jax.commands.parts.own_experiment import (
    DataFacts,
    config_text,
    data_facts,
    suite_text,
    write_experiment,
)
from medst_jax.commands.parts.parse import with_mixture
from medst_jax.config_flag import load
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.data_pipelines.vocabulary import train_vocabulary
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.options import OptionError
from tests.parallel.together import ROOT


class Mine(Textured):
    """A quarter of the patients are for tests; half of them have either label."""

    def studies(self, unit):
        for number, study in enumerate(super().studies(unit)):
            yield dataclasses.replace(study, split="test" if number // 4 % 4 == 0 else "train")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    build(Mine("mine", 200, 16), str(folder / "data"), BuildOptions(runner=Runner(workers=1)))
    return folder


def write(prepared, name, **changes):
    options = {"data_dir": str(prepared / "data"), "system": None, "variant": "smoke"}
    return write_experiment(name, ("mine",), folder=prepared / name, **{**options, **changes})


def test_the_files_train_and_judge_the_data(prepared):
    lines = write(prepared, "own")
    assert lines[0] == f"wrote {prepared}/own/own.py"
    config = load(f"{prepared}/own/own.py")
    for file in ("own", "own_suite"):
        with pytest.raises(ValueError, match="this file has no variant 'paper'"):
            load(f"{prepared}/own/{file}.py:paper")
    assert config["system"]["name"] == "dlilp" and list(config["data"]["mixture"]) == ["mine"]
    assert config["data"]["data_dir"] == str(prepared / "data")
    assert config["data"]["vocabulary"] == "mine" and config["system"]["preprocess"]["size"] == 64
    suite = load(f"{prepared}/own/own_suite.py")
    assert set(suite["tasks"]) == {"zero-shot", "probe", "retrieval"}
    for task in suite["tasks"].values():
        parse_protocol(task, "suite")
    # The vocabulary that there is already is not asked for.
    train_vocabulary(str(prepared / "data"), ["mine"], "mine", 60)
    again = write(prepared, "again")
    assert any("--vocabulary=mine" in line for line in lines)
    assert not any("--vocabulary=mine" in line for line in again)


def test_classes_are_those_with_patients_on_both_sides(prepared):
    facts = data_facts(str(prepared / "data"), "mine")
    assert (facts.has_text, facts.has_labels, facts.judged) == (True, True, "test")
    assert facts.classes == ("Edema", "Pneumonia") and facts.least == 10


def test_few_patients_are_judged_and_it_is_said(tmp_path):
    build(Mine("mine", 32, 16), str(tmp_path / "data"), BuildOptions(runner=Runner(workers=1)))
    lines = write(tmp_path, "own")
    assert any(line.startswith("few patients: no label has 10 in train and test") for line in lines)
    assert "at least 2 patients have" in (tmp_path / "own/own_suite.py").read_text()


@pytest.mark.parametrize("by", ["labels", "reports"])
def test_validation_images_give_a_curve(by, tmp_path):
    facts = DataFacts("mine", True, True, "test", (), validated=by)
    file = tmp_path / "own.py"
    file.write_text(config_text("clip", [facts], "data", "mine", "smoke"))
    watched = load(str(file))["evaluate"]["val"]
    assert watched.pop("every") == load("clip:smoke")["train"]["checkpoint_every"]
    task = parse_protocol(watched, "config.evaluate.val")
    assert task.needs() == (("mine", "val"),)
    # A system that may have neither texts nor labels to ask for is not watched.
    assert "evaluate" not in config_text("image_only", [facts], "data", "", "smoke")


def test_what_the_data_lack_is_left_out():
    images = DataFacts("mine", has_text=False, has_labels=True, judged="val", classes=("Edema",))
    assert "retrieval" not in suite_text(images) and "'val'" in suite_text(images)
    # Without reports no vocabulary is asked for.
    assert "config.data.vocabulary = ''" in config_text("unimodal", [images], "data", "", "smoke")
    reports = DataFacts("mine", has_text=True, has_labels=False, judged="test", classes=())
    assert "probe" not in suite_text(reports) and "retrieval" in suite_text(reports)


def test_wishes_that_cannot_be_met_are_named(prepared):
    with pytest.raises(OptionError, match="the name is 'my-own'"):
        write(prepared, "my-own")
    with pytest.raises(
        ValueError, match="no shipped configuration is named 'dillp'; by name: dlilp"
    ):
        write(prepared, "other", system="dillp")
    write(prepared, "twice")
    with pytest.raises(OptionError, match=r"twice.py exists; choose another name"):
        write(prepared, "twice")


def config(*arguments):
    done = subprocess.run(
        [sys.executable, str(ROOT / "launch" / "config.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_configuration_is_printed_and_compared():
    code, printed, errors = config("dlilp:smoke")
    assert code == 0, errors
    assert "system.name = 'dlilp'" in printed and "data.decode = 'scaled'" in printed
    _, changed, _ = config("dlilp:smoke", "--diff=dlilp:tiny", "--json")
    assert json.loads(changed)["train.steps"][0] == 1000
    assert all(before != after for before, after in json.loads(changed).values())
    code, _, errors = config("dlilp:smok")
    assert code == 1 and errors.startswith("error: unknown config variant 'smok'")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--config=clip", "--config.data.mixture=mine"], ["--config=clip:,mine"]),
        (["--config.data.mixture=a,b", "--config=clip:tiny,c"], ["--config=clip:tiny,a+b"]),
        (["--config=clip", "--config.data.mixture.mine.weight=2"], None),
        (["--config=clip:tiny"], None),
        (["--config.data.mixture=mine"], None),
        (["--config", "clip:tiny", "--config.data.mixture=mine"], ["--config=clip:tiny,mine"]),
    ],
)
def test_a_mixture_is_named_in_one_flag(given, expected):
    assert with_mixture(["train", *given]) == ["train", *(expected or given)]
