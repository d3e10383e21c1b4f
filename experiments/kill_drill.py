# SPDX-License-Identifier: Apache-2.0
"""Kill every command at random moments, run it again, and compare with runs that were left alone.

    python -m experiments.kill_drill --workdir=/tmp/drill [--kills=100] [--stages=train,export]

One undisturbed run of each stage gives what must come out: prepare (Beam with two workers, a cohort of
three sites, annotations, cards), vocabulary, train (with evaluation in the loop and two input
workers), evaluate, reality check, export. A kill is a SIGKILL of the command alone, at a moment drawn over
the time that the undisturbed one took; then none of its children may be left, the same command
runs again to its end, and its result is compared: manifests and cards, bytes of the vocabulary,
checksums, losses and rows of the log, rows and predictions, the table, exported bytes; not times.
Kills are done one after the other; started again, the drill goes on with the next. Prints one line of
JSON and exits 1 when a result differs or a child was left.
"""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from absl import app, flags
from tqdm import tqdm

from medst_jax.end_with_parent import child_environment
from medst_jax.evaluate.statistics.predictions import read_predictions
from medst_jax.files.reading import read_json, read_json_lines
from medst_jax.files.writing import write_json

ROOT = pathlib.Path(__file__).resolve().parent.parent

_WORKDIR = flags.DEFINE_string("workdir", None, "Scratch folder.", required=True)
_KILLS = flags.DEFINE_integer("kills", 100, "Kills over all stages.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")
_STAGES = flags.DEFINE_list("stages", [], "Only these stages; all by default.")

SETS = ("simulated_cxr_m", "simulated_cxr_c")
TEST = "simulated_cxr_e1"
CHILDREN_END = 30.0  # seconds that children may take to notice the death of their parent
# Of the log and of summaries: what depends on the machine and its load.
TIMES = ("examples_per_second", "devices")

_CONFIG = f"""
from medst_jax.configs.dlilp import get_config as dlilp

def get_config(arg=None):
    config = dlilp("tiny,{"+".join(SETS)}")
    with config.unlocked():
        config.train.update(steps=30, batch_size=8, log_every=1, checkpoint_every=5, keep=2)
        config.data.update(size=32, num_workers=int(arg or 2))
        config.system.preprocess.size = 32
        config.system.image.update(widths=(4, 8, 8, 8), stem_width=4)
        config.system.text.update(width=16, mlp=32)
        config.system.joint = 16
        task = dict(dataset="{TEST}", split="enriched", classes=("Edema",), kind="multi")
        config.evaluate = dict(
            edema=dict(protocol="zero_shot", mode="prototypes", task=task, every=10)
        )
    return config
"""
_SUITE = f"""
from ml_collections import ConfigDict

CLASSES = ("Cardiomegaly", "Edema", "Pleural Effusion")

def get_config(arg=None):
    suite = ConfigDict(dict(draws=20, seed=0))
    task = dict(dataset="{TEST}", split="enriched", classes=CLASSES, kind="multi")
    suite.tasks = dict(findings=dict(protocol="zero_shot", task=task, mode="prototypes"))
    suite.cells = dict(
        systems=("dlilp",),
        mixtures={{"M+C": {SETS!r}}},
        seeds=(0,),
        variant="tiny",
        columns=dict(findings="auroc"),
        controls={{"the same": dict(system="dlilp", mixture="M+C")}},
        reference="the same",
    )
    return suite
"""
_CELL_FLAGS = {
    "train.steps": "20",
    "train.batch_size": "8",
    "train.checkpoint_every": "5",
    "data.size": "32",
    "data.num_workers": "0",
    "system.preprocess.size": "32",
    "system.image.widths": "(4,8,8,8)",
    "system.image.stem_width": "4",
    "system.text.width": "16",
    "system.text.mlp": "32",
    "system.joint": "16",
}


class Stage:
    """One command: what it is called with in a folder, and what it leaves there.

    `whole` is the folder of the undisturbed runs, from which later stages read.
    """

    def __init__(
        self,
        command: Callable[[pathlib.Path, pathlib.Path], list[str]],
        result: Callable[[pathlib.Path], Any],
    ) -> None:
        self.command, self.result = command, result


def _prepare(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    cohort = ("--patients=24", "--size=32", "--sites=m,c,e1", "--workers=2")
    salt = f"--salt_file={whole.parent / 'salt'}"
    return ["prepare", "--dataset=simulated_cxr", f"--data_dir={folder / 'data'}", *cohort, salt]


def _vocabulary(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    if not (folder / "data").exists():
        shutil.copytree(whole / "data", folder / "data", ignore=shutil.ignore_patterns("banks"))
    return [
        "prepare",
        "--vocabulary=simulated_cxr",
        f"--datasets={','.join(SETS)}",
        "--vocabulary_size=300",
        f"--data_dir={folder / 'data'}",
    ]


def _train(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    return [
        "train",
        f"--config={whole.parent / 'drill_config.py'}",
        f"--workdir={folder / 'run'}",
        f"--config.data.data_dir={whole / 'data'}",
        f"--config.train.compilation_cache={whole.parent / 'compiled'}",
    ]


def _evaluate(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    return [
        "evaluate",
        f"--checkpoint={whole / 'run'}",
        f"--suite={whole.parent / 'drill_suite.py'}",
        f"--data_dir={whole / 'data'}",
        f"--output={folder / 'evaluation'}",
    ]


def _check(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    values = {**_CELL_FLAGS, "train.compilation_cache": str(whole.parent / "compiled")}
    return [
        "reality_check",
        f"--suite={whole.parent / 'drill_suite.py'}",
        f"--data_dir={whole / 'data'}",
        f"--output={folder / 'check'}",
        *(f"--train_flag=--config.{key}={value}" for key, value in values.items()),
    ]


def _export(whole: pathlib.Path, folder: pathlib.Path) -> list[str]:
    return ["export", f"--checkpoint={whole / 'run'}", f"--output={folder / 'export'}"]


def _prepared(folder: pathlib.Path) -> Any:
    """Manifests and cards of all parts; of shards the sizes: the fingerprint of what they hold is in
    `dataset.json`, the order of the fields of a record is any. Not TFDS' description, with its folder.
    """
    found: dict[str, Any] = {}
    for manifest in sorted((folder / "data").glob("*/*/*/manifest.json")):
        files = read_json(manifest, "")["files"]
        files.pop("dataset_info.json")
        files = {k: v["size"] if "array_record" in k else v for k, v in files.items()}
        card = read_json(manifest.with_name("data_card.json"), "")
        found["/".join(manifest.parts[-4:-1])] = [files, card]
    return found


def _trained(folder: pathlib.Path) -> Any:
    lines = read_json_lines(folder / "run" / "log.jsonl", "")
    return [_summary(folder / "run"), [_without_times(line) for line in lines]]


def _summary(workdir: pathlib.Path) -> Any:
    return _without_times(read_json(workdir / "summary.json", ""))


def _without_times(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in TIMES}


def _evaluated(output: pathlib.Path) -> Any:
    predictions = read_predictions(output / "predictions.npz")
    arrays = {
        name: _digest(one.scores.tobytes() + one.targets.tobytes() + one.patients.tobytes())
        for name, one in predictions.items()
    }
    return [read_json(output / "metrics.json", "", list), arrays]


def _checked(folder: pathlib.Path) -> Any:
    table = read_json(folder / "check" / "table.json", "")
    for row in table["rows"]:
        row["facts"] = _without_times(row["facts"])
    cells = sorted((folder / "check" / "cells").glob("*/summary.json"))
    trained = [_summary(cell.parent) for cell in cells]
    return [table, trained, [_evaluated(cell.parent / "evaluation") for cell in cells]]


def _bytes_of(*places: str) -> Callable[[pathlib.Path], Any]:
    def result(folder: pathlib.Path) -> Any:
        files = [
            path
            for place in places
            for path in sorted((folder / place).rglob("*"))
            if path.is_file() and path.suffix != ".md" and path.name[0] != "."
        ]
        return {str(path.relative_to(folder)): _digest(path.read_bytes()) for path in files}

    return result


STAGES = {
    "prepare": Stage(_prepare, _prepared),
    "vocabulary": Stage(_vocabulary, _bytes_of("data/vocabulary")),
    "train": Stage(_train, _trained),
    "evaluate": Stage(_evaluate, lambda folder: _evaluated(folder / "evaluation")),
    "reality check": Stage(_check, _checked),
    "export": Stage(_export, _bytes_of("export")),
}


def main(_: list[str]) -> None:
    scratch = pathlib.Path(_WORKDIR.value).resolve()
    unknown = set(_STAGES.value) - set(STAGES)
    if unknown:
        raise app.UsageError(f"no stage {', '.join(unknown)}; there are {', '.join(STAGES)}")
    outcome = drill(scratch, _KILLS.value, _SEED.value, tuple(_STAGES.value) or tuple(STAGES))
    print(json.dumps(outcome))
    sys.exit(0 if outcome["equal"] == outcome["kills"] and not outcome["left_children"] else 1)


def drill(scratch: pathlib.Path, kills: int, seed: int, stages: tuple[str, ...]) -> dict[str, Any]:
    """Do the kills that are not done; counts of all of them, by stage and together."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "drill_config.py").write_text(_CONFIG)
    (scratch / "drill_suite.py").write_text(_SUITE)
    if not (scratch / "salt").exists():
        (scratch / "salt").write_text("5a" * 32 + "\n")
    seconds = {name: _undisturbed(scratch, name) for name in STAGES}
    done = []
    for number in tqdm(range(kills), unit="kill"):
        record = scratch / "kills" / f"{number}.json"
        if not record.exists():
            name = stages[number % len(stages)]
            rng = random.Random(f"{seed} {number}")
            moment = rng.uniform(0.02, 1.0) * seconds[name]
            record.parent.mkdir(exist_ok=True)
            write_json(record, _kill(scratch, f"killed-{number}", name, moment))
        done.append(read_json(record, ""))
    return {
        "kills": len(done),
        "equal": sum(one["equal"] for one in done),
        "before_the_end": sum(one["before_the_end"] for one in done),
        "left_children": sum(one["left_children"] for one in done),
        "by_stage": {
            name: [sum(one["equal"] for one in done if one["stage"] == name), count]
            for name in stages
            if (count := sum(one["stage"] == name for one in done))
        },
        "differing": [n for n, one in enumerate(done) if not one["equal"]],
    }


def _undisturbed(scratch: pathlib.Path, name: str) -> float:
    """Run a stage to its end once; the seconds that it takes, with its programs compiled."""
    record = scratch / f"whole-{name.replace(' ', '-')}.json"
    if not record.exists():
        whole, stage = scratch / "whole", STAGES[name]
        for folder in (whole, scratch / "again"):
            began = time.perf_counter()
            _finish(scratch, stage.command(whole, folder))
        if stage.result(whole) != stage.result(scratch / "again"):
            raise SystemExit(f"{name} gives another result the second time, without any kill")
        write_json(record, {"seconds": time.perf_counter() - began})
        shutil.rmtree(scratch / "again")
    seconds: float = read_json(record, "")["seconds"]
    return seconds


def _kill(scratch: pathlib.Path, place: str, name: str, moment: float) -> dict[str, Any]:
    whole, folder, stage = scratch / "whole", scratch / place, STAGES[name]
    shutil.rmtree(folder, ignore_errors=True)
    command = stage.command(whole, folder)
    process = _start(scratch, command)
    time.sleep(moment)
    ended = process.poll() is not None
    # The command alone, not its group: that its children end is its own affair.
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = _left_children(process.pid)
    _finish(scratch, command)
    equal = stage.result(folder) == stage.result(whole)
    if equal:
        shutil.rmtree(folder)
    return {
        "stage": name,
        "moment": round(moment, 2),
        "before_the_end": not ended,
        "left_children": left,
        "equal": equal,
    }


def _start(scratch: pathlib.Path, command: list[str]) -> subprocess.Popen[bytes]:
    name, *arguments = command
    with (scratch / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "launch" / f"{name}.py"), *arguments],
            stdout=log,
            stderr=log,
            env=child_environment(os.environ),
            start_new_session=True,
        )


def _finish(scratch: pathlib.Path, command: list[str]) -> None:
    code = _start(scratch, command).wait()
    if code:
        raise SystemExit(f"{' '.join(command)} exited with {code}; see {scratch / 'log.txt'}")


def _left_children(session: int) -> int:
    """How many processes of a session still run when their time is over."""
    end = time.monotonic() + CHILDREN_END
    while (left := sum(1 for _ in _of_session(session))) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _of_session(session: int) -> list[int]:
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app.run(main)
