# SPDX-License-Identifier: Apache-2.0
"""Kill every command at random moments, run it again, and compare with runs that were left alone.

    python -m experiments.kill_drill --workdir=/tmp/drill [--kills=100] [--stages=train,export]
        [--minutes=90] [--json_output=kill_drill.json]

One undisturbed run of each stage gives what must come out: prepare (Beam with two workers, a cohort of
three sites, annotations, cards), vocabulary, train (with evaluation in the loop and two input
workers), evaluate, reality check, export. A kill is a SIGKILL of the command alone, at a moment drawn over
the processor time that the undisturbed one took, which a machine's load does not change, and up to
a fifth of a second later, so that it meets waits too; then none of its children may be left, the same command
runs again to its end, and its result is compared: manifests and cards, bytes of the vocabulary,
checksums, losses and rows of the log, rows and predictions, the table, exported bytes; not times.

First it says about how long the kills will take. They are done one after the other; started again, the drill
goes on with the next, with the code that it began with alone: run it from a clone that stays as it is.
Prints one line of JSON, which `--json_output` keeps, and exits 1 when a kill is not done, a result differs
or a child was left.
"""

import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from absl import app, flags
from tqdm import tqdm

from medst_jax import __version__
from medst_jax.end_with_parent import child_environment
from medst_jax.evaluate.statistics.predictions import read_predictions
from medst_jax.files.reading import read_json, read_json_lines
from medst_jax.files.writing import write_json

ROOT = pathlib.Path(__file__).resolve().parent.parent

_WORKDIR = flags.DEFINE_string("workdir", None, "Scratch folder.", required=True)
_KILLS = flags.DEFINE_integer("kills", 100, "Kills over all stages.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")
_STAGES = flags.DEFINE_list("stages", [], "Only these stages; all by default.")
_MINUTES = flags.DEFINE_float("minutes", 90.0, "No kill begins that would end later.")
_OUTPUT = flags.DEFINE_string("json_output", None, "Also a file for the JSON.")

SETS = ("simulated_cxr_m", "simulated_cxr_c")
TEST = "simulated_cxr_e1"
CHILDREN_END = 30.0  # seconds that children may take to notice the death of their parent
LATER = 0.2  # seconds at most between the processor time that was drawn and the kill
# A kill and what follows it take this much of an undisturbed run: half of it, and a whole one.
CYCLE = 1.5
_TICKS = os.sysconf("SC_CLK_TCK")
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
    stages = tuple(_STAGES.value) or tuple(STAGES)
    outcome = drill(scratch, _KILLS.value, _SEED.value, stages, _MINUTES.value)
    print(json.dumps(outcome))
    if _OUTPUT.value:
        write_json(pathlib.Path(_OUTPUT.value), outcome)
    whole = outcome["equal"] == outcome["wanted"] and not outcome["left_children"]
    sys.exit(0 if whole else 1)


def drill(
    scratch: pathlib.Path, kills: int, seed: int, stages: tuple[str, ...], minutes: float = 90.0
) -> dict[str, Any]:
    """Do the kills that are not done and for which there is time; counts of all of them.

    Raises:
      SystemExit: the folder holds kills of other code; an undisturbed run fails or is not repeatable.
    """
    end = time.monotonic() + 60 * minutes
    scratch.mkdir(parents=True, exist_ok=True)
    code = _code(scratch)
    (scratch / "drill_config.py").write_text(_CONFIG)
    (scratch / "drill_suite.py").write_text(_SUITE)
    if not (scratch / "salt").exists():
        (scratch / "salt").write_text("5a" * 32 + "\n")
    whole = {name: _undisturbed(scratch, name) for name in STAGES}
    records = [scratch / "kills" / f"{number}.json" for number in range(kills)]
    names = [stages[number % len(stages)] for number in range(kills)]
    ahead = [name for record, name in zip(records, names, strict=True) if not record.exists()]
    print(_estimate(ahead, whole), file=sys.stderr, flush=True)
    for number in tqdm(range(kills), unit="kill"):
        record, name = records[number], names[number]
        if record.exists():
            continue
        if time.monotonic() + CYCLE * whole[name]["seconds"] > end:
            print(f"the time is over at kill {number}; start again to go on", file=sys.stderr)
            break
        rng = random.Random(f"{seed} {number}")
        moment = rng.uniform(0.02, 1.0) * whole[name]["processor_seconds"]
        record.parent.mkdir(exist_ok=True)
        began = time.perf_counter()
        found = _kill(scratch, f"killed-{number}", name, moment, rng.uniform(0.0, LATER))
        write_json(record, {**found, "seconds": time.perf_counter() - began})
    done = {k: read_json(record, "") for k, record in enumerate(records) if record.exists()}
    return {**code, "seed": seed, "wanted": kills, **_counts(done, stages), "undisturbed": whole}


def _counts(done: dict[int, dict[str, Any]], stages: tuple[str, ...]) -> dict[str, Any]:
    def of(name: str) -> list[dict[str, Any]]:
        return [one for one in done.values() if one["stage"] == name]

    return {
        "kills": len(done),
        "equal": sum(one["equal"] for one in done.values()),
        "before_the_end": sum(one["before_the_end"] for one in done.values()),
        "left_children": sum(one["left_children"] for one in done.values()),
        "minutes": round(sum(one["seconds"] for one in done.values()) / 60, 1),
        "by_stage": {
            name: {
                "kills": len(of(name)),
                "equal": sum(one["equal"] for one in of(name)),
                "mean_seconds": round(sum(one["seconds"] for one in of(name)) / len(of(name)), 1),
            }
            for name in stages
            if of(name)
        },
        "differing": {n: one["reason"] for n, one in done.items() if not one["equal"]},
    }


def _code(scratch: pathlib.Path) -> dict[str, str]:
    """Version and commit of the code, the same as when the folder's drill began."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    code = {"version": __version__, "commit": asked.stdout.strip() or "unknown"}
    record = scratch / "code.json"
    if not record.exists():
        write_json(record, code)
    if (begun := read_json(record, "")) != code:
        raise SystemExit(
            f"error: the drill in {scratch} is of {begun['commit']}, this is {code['commit']}: "
            "its kills would be of two programs; take another --workdir"
        )
    return code


def _estimate(ahead: list[str], whole: dict[str, dict[str, float]]) -> str:
    """One line of how long kills of these stages take."""
    each = {name: CYCLE * whole[name]["seconds"] for name in dict.fromkeys(ahead)}
    parts = [f"{ahead.count(name)} of {name} at {seconds:.0f} s" for name, seconds in each.items()]
    minutes = sum(each[name] for name in ahead) / 60
    return f"{len(ahead)} kills ahead, about {minutes:.0f} minutes: {', '.join(parts)}"


def _undisturbed(scratch: pathlib.Path, name: str) -> dict[str, float]:
    """Run a stage to its end twice; what the second run took, with its programs compiled."""
    record = scratch / f"whole-{name.replace(' ', '-')}.json"
    if not record.exists():
        whole, stage = scratch / "whole", STAGES[name]
        for folder in (whole, scratch / "again"):
            began, used = time.perf_counter(), _used_by_children()
            if failure := _finish(scratch, stage.command(whole, folder)):
                raise SystemExit(failure)
        taken = {
            "seconds": time.perf_counter() - began,
            "processor_seconds": _used_by_children() - used,
        }
        if stage.result(whole) != stage.result(scratch / "again"):
            raise SystemExit(f"{name} gives another result the second time, without any kill")
        write_json(record, taken)
        shutil.rmtree(scratch / "again")
    taken_before: dict[str, float] = read_json(record, "")
    return taken_before


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kill(
    scratch: pathlib.Path, place: str, name: str, moment: float, later: float
) -> dict[str, Any]:
    whole, folder, stage = scratch / "whole", scratch / place, STAGES[name]
    shutil.rmtree(folder, ignore_errors=True)
    command = stage.command(whole, folder)
    process = _start(scratch, command)
    while process.poll() is None and _processor_seconds(process.pid) < moment:
        time.sleep(0.01)
    time.sleep(later)
    ended = process.poll() is not None
    # The command alone, not its group: that its children end is its own affair.
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = _left_children(process.pid)
    reason = _finish(scratch, command)
    if not reason:
        try:
            if stage.result(folder) != stage.result(whole):
                reason = "another result"
        except (OSError, ValueError, KeyError) as error:
            reason = f"no result: {error}"
    if not reason:
        shutil.rmtree(folder)
    return {
        "stage": name,
        "processor_seconds": round(moment, 2),
        "before_the_end": not ended,
        "left_children": left,
        "equal": not reason,
        "reason": reason,
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


def _finish(scratch: pathlib.Path, command: list[str]) -> str:
    """Run a command to its end; why it did not get there, else empty."""
    code = _start(scratch, command).wait()
    return f"{' '.join(command)} exited with {code}; see {scratch / 'log.txt'}" if code else ""


def _left_children(session: int) -> int:
    """How many processes of a session still run when their time is over."""
    end = time.monotonic() + CHILDREN_END
    while (left := len(_of_session(session))) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _processor_seconds(session: int) -> float:
    """What the processes of a session, and those that ended in it, have used."""
    # Fields 14 to 17 of proc(5), here behind the name: of a process and of its ended children.
    return sum(sum(map(int, fields[11:15])) for fields in _of_session(session)) / _TICKS


def _of_session(session: int) -> list[list[str]]:
    """Of each running process of a session, the fields of its `stat` behind the name."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(fields)
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app.run(main)
