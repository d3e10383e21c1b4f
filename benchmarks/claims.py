# SPDX-License-Identifier: Apache-2.0
"""Train, evaluate and judge the claims of configs/evaluate/claims.py.

    python benchmarks/claims.py --data_dir=data --output=runs/claims [--systems=clip,dlilp]

Each run is `launch/train.py --config=configs/<system>.py:<variant>` with a seed and a control,
then `launch/evaluate.py`, in a folder of its own; finished runs are skipped, interrupted ones go
on. Writes claims.json and prints the table. The random encoder is trained with learning rate 0:
its parameters stay as initialised while its batch norm takes up the statistics of the images.
"""

import json
import os
import pathlib
import queue
import subprocess
import sys
from concurrent import futures

from absl import app, flags
from tqdm import tqdm

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from configs.evaluate import claims
from medst_jax.data.studies import read_info
from medst_jax.evaluate.comparison import compare, mean_value
from medst_jax.evaluate.predictions import read_predictions

_DATA = flags.DEFINE_string("data_dir", "data", "Prepared simulated cohort and vocabulary.")
_OUTPUT = flags.DEFINE_string("output", "runs/claims", "Folder for runs and results.")
_SYSTEMS = flags.DEFINE_list("systems", list(claims.CLAIMS), "Systems to judge.")
_SEEDS = flags.DEFINE_list("seeds", list(map(str, claims.SEEDS)), "Training seeds.")
_VARIANT = flags.DEFINE_string("variant", "smoke", "Variant of the training config.")
_RANDOM_STEPS = flags.DEFINE_integer("random_steps", 50, "Steps of the random encoder.")
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at a time; more than one pins each to a core.")
_TRAIN_FLAG = flags.DEFINE_multi_string(
    "train_flag", [], "Further flag of every training, such as --config.train.steps=300."
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    unknown = set(_SYSTEMS.value) - set(claims.CLAIMS)
    if unknown:
        raise app.UsageError(f"no claims for {sorted(unknown)}; known: {list(claims.CLAIMS)}")
    output = pathlib.Path(_OUTPUT.value)
    runs = [
        (system, control, int(seed))
        for system in _SYSTEMS.value
        for control in ("none", *claims.CLAIMS[system].controls)
        for seed in _SEEDS.value
    ]
    cores: queue.Queue[int] = queue.Queue()
    for core in range(_JOBS.value):
        cores.put(core)

    def work(run: tuple[str, str, int]) -> None:
        core = cores.get()
        try:
            finish(output / run_name(*run), *run, core=core if _JOBS.value > 1 else None)
        finally:
            cores.put(core)

    with futures.ThreadPoolExecutor(_JOBS.value) as pool:
        list(tqdm(pool.map(work, runs), total=len(runs), desc="runs", unit="run"))
    seeds = [int(seed) for seed in _SEEDS.value]
    judged = [row for system in _SYSTEMS.value for row in judge(output, system, seeds)]
    info = read_info(_DATA.value, "simulated_cxr_e1")
    result = {"fingerprint": info["fingerprint"], "seeds": seeds, "claims": judged}
    (output / "claims.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(judged))


def run_name(system: str, control: str, seed: int) -> str:
    """Folder of a run; "none" is the system as it should be."""
    return f"{system}_{control}_{seed}"


def finish(folder: pathlib.Path, system: str, control: str, seed: int, *, core: int | None) -> None:
    """Train and evaluate a run unless its results are there; on one core if it is given."""
    if (folder / "evaluation" / "metrics.json").exists():
        return
    _call(folder, [*train_command(system, control, seed), f"--workdir={folder}"], core)
    evaluate = [
        "launch/evaluate.py",
        f"--checkpoint={folder}",
        f"--suite={ROOT / 'configs/evaluate/claims.py'}",
        f"--data_dir={_DATA.value}",
        f"--name={system}_{control}",
        f"--output={folder / 'evaluation'}",
    ]
    _call(folder, evaluate, core)


def train_command(system: str, control: str, seed: int) -> list[str]:
    """`launch/train.py` and its flags for a system under a control."""
    command = [
        "launch/train.py",
        f"--config={ROOT / 'configs' / system}.py:{_VARIANT.value}",
        f"--config.seed={seed}",
        f"--config.data.data_dir={_DATA.value}",
        *_TRAIN_FLAG.value,
    ]
    if control == "random":
        steps = _RANDOM_STEPS.value
        frozen = ["--config.optimizer.learning_rate=0.0", "--config.optimizer.warmup_steps=0"]
        return [*command, *frozen, f"--config.train.steps={steps}"]
    if control == "none":
        return command
    return [*command, f"--config.data.shuffle={control}"]


def _call(folder: pathlib.Path, command: list[str], core: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    script, *arguments = command
    with (folder / "output.txt").open("a") as log:
        code = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        ).returncode
    if code:
        raise SystemExit(f"error: {script} ended with code {code}; see {folder / 'output.txt'}")


def judge(output: pathlib.Path, system: str, seeds: list[int]) -> list[dict[str, object]]:
    """One row per task and control of a system."""
    claim = claims.CLAIMS[system]

    def predictions(control: str, task: str) -> list:
        folders = [output / run_name(system, control, seed) for seed in seeds]
        return [read_predictions(f / "evaluation" / "predictions.npz")[task] for f in folders]

    rows = []
    for task in claim.tasks:
        own = predictions("none", task)
        for control in claim.controls:
            other = predictions(control, task)
            effect = compare(own, other, claims.METRIC)
            rows.append(
                {
                    "system": system,
                    "task": task,
                    "metric": claims.METRIC,
                    "control": control,
                    "required": task in claim.required[control],
                    "value": mean_value(own, claims.METRIC),
                    "control_value": mean_value(other, claims.METRIC),
                    "effect": effect.value,
                    "low": effect.low,
                    "high": effect.high,
                    "above_zero": effect.low > 0,
                    "above_minimal_effect": effect.low > claims.MINIMAL_EFFECT,
                    "n": len(own[0].patients),
                }
            )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The claims as text."""
    lines = [f"{'system':10}{'task':22}{'control':9}{'value':>7}{'control':>9}   effect [95%]"]
    for r in rows:
        reached = "> 0.03" if r["above_minimal_effect"] else "> 0" if r["above_zero"] else "no"
        verdict = reached if r["required"] else f"({reached})"
        lines.append(
            f"{r['system']:10}{r['task']:22}{r['control']:9}{r['value']:7.3f}"
            f"{r['control_value']:9.3f}   {r['effect']:+.3f} [{r['low']:+.3f}, {r['high']:+.3f}]  "
            f"{verdict}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main)
