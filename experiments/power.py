# SPDX-License-Identifier: Apache-2.0
"""Can a claim be judged at all? Both gates of configs/evaluate/gates.py, by nets that are taught.

    python launch/prepare.py --dataset=simulated_cxr --sites=m --patients=8000 --size=64 --seed=299792 --data_dir=power
    python launch/prepare.py --dataset=simulated_cxr --sites=e1 --patients=4000 --size=64 --seed=299792 --data_dir=power
    python -m experiments.power --data_dir=power --output=runs/power [--seeds=0,1,2] [--pair_patients=20000]

A net with the image encoder of the small variants is given as many pairs of images as these, and what a
teacher says of each: the truth, or the impression, parsed. Where a claim's protocol reads an encoder, the net's
readings stand for its features, and parsed statements for its texts; what is measured is the claim's own
metric, with its own rule. Controls of the claims have counterparts:

  random          a net without training, but for its batch norm
  pairs           taught by the impressions of other studies
  within_patient  taught by impressions permuted within each patient
  current, prior, other_prior, no_prior, location, other_patient   the net's own, as for a system

`no_cycle` and `windows` have none: whether a term helps is what a claim asks. Sentences are read by
a reader of words (experiments/taught/sentences.py). Finished nets are not trained again; each takes `--steps` of
`--batch` pairs. Writes gates.json and prints it as tables.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags

from experiments.gating import Gate, gate
from experiments.taught import sentences
from experiments.taught.facts import NAMES
from experiments.taught.material import Material, lesson, read_material
from experiments.taught.net import TaughtNet, read_changes, read_images, teach
from experiments.taught.pairs import own_reading, taught_by_pairs
from experiments.taught.readers import ImageReader, TextReader
from experiments.truth_reader import informative, likelihoods, measure_reader, readable, word_table
from medst_jax.configs.evaluate import edema_claims, gates, place_claims, temporal_claims
from medst_jax.configs.evaluate.claims import Control
from medst_jax.data.records.studies import read_info
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.evaluate.protocols.parts.progression_pairs import annotated_pairs
from medst_jax.evaluate.statistics.comparison import mean_value
from medst_jax.evaluate.statistics.metrics import grouped_mean
from medst_jax.evaluate.statistics.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData, ImageEmbedder
from medst_jax.evaluate.suite import parse_suite

SIZE, TRAIN, TEST = 64, "simulated_cxr_m", "simulated_cxr_e1"
UNTAUGHT_STEPS, RATE = 50, 2e-3
REFERENCE = 2000  # images over which a text's mean likelihood is taken
TEACHERS = ("truth", "text", "random", "others", "within")
# Which net stands for a control of a system; the others are the net's own.
COUNTERPARTS = {"random": "random", "pairs": "others", "within_patient": "within"}
SUITES = (temporal_claims, place_claims, edema_claims)
# Which tasks of these suites are measured, and what reads them.
READERS = {
    "findings": "image",
    "changed": "image",
    "course": "pair",
    "progression": "pair",
    "sentences": "sentence",
    "retrieval": "text",
    "grounding": "text",
    "places": "text",
    edema_claims.PROBE: "image",
}
Named = dict[str, Predictions]


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    folder = Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    data = EvaluationData(_DATA.value, SIZE, "pad", keep_images=True, progress=False)
    material = read_material(data, TRAIN, "train", _PATIENTS.value)
    seeds = [int(seed) for seed in _SEEDS.value]
    measured: dict[tuple[str, int], Named] = {}
    for seed in seeds:
        for teacher in _TEACHERS.value:
            file = folder / f"{teacher}_{seed}.npz"
            if not file.exists():
                write_predictions(file, predictions(material, data, teacher, seed))
            measured[teacher, seed] = read_predictions(file)
            print(f"{teacher} {seed}: done", flush=True)
    people = np.asarray(data.studies(TEST, "test").index.patient)
    share = len(np.unique(people)) / (SITES["e1"].patients * gates.JUDGED_PATIENTS)
    info = read_info(_DATA.value, TRAIN)
    result: dict[str, Any] = {
        "fingerprint": info["fingerprint"],
        "patients": len(np.unique(material.patients)),
        "studies": len(material.images),
        "follow_ups": int((material.priors >= 0).sum()),
        "steps": _STEPS.value,
        "batch": _BATCH.value,
        "seeds": seeds,
        "gates": list(judged(measured, seeds, share)),
        "aims": aims(measured, seeds, data),
    }
    if _PAIR_PATIENTS.value:
        result["pair_net"] = pair_net(material, data, folder)
    (folder / "gates.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def predictions(material: Material, data: EvaluationData, teacher: str, seed: int) -> Named:
    """What a net of that teacher predicts on every task, by "task/part"."""
    net = net_of(material, teacher, seed)
    chosen = np.random.default_rng(0).permutation(len(material.images))[:REFERENCE]
    embedders: dict[str, Callable[[], ImageEmbedder]] = {
        "image": lambda: ImageReader(net, SIZE, pairs=False),
        "pair": lambda: ImageReader(net, SIZE, pairs=True),
        "text": lambda: TextReader(net, SIZE, material.images[chosen]),
        "sentence": lambda: sentence_reader(material, net, teacher, seed),
    }
    contexts = {name: EvaluationContext(make(), data) for name, make in embedders.items()}
    named: Named = {}
    for suite in SUITES:
        _, tasks = parse_suite(suite.get_config())
        for name, task in tasks.items():
            if name not in _TASKS.value or any(key.startswith(f"{name}/") for key in named):
                continue
            for part in task.run(contexts[READERS[name]]).parts:
                named["/".join(filter(None, (name, part.name)))] = part.predictions
    return named


def net_of(material: Material, teacher: str, seed: int) -> TaughtNet:
    """The net of a teacher."""
    if teacher == "random":
        data = lesson(material, "text")
        return teach(data, steps=UNTAUGHT_STEPS, batch=_BATCH.value, seed=seed, rate=0.0)
    data = lesson(material, teacher, seed)
    return teach(data, steps=_STEPS.value, batch=_BATCH.value, seed=seed, rate=RATE)


def sentence_reader(
    material: Material, net: TaughtNet, teacher: str, seed: int
) -> sentences.SentenceReader:
    """Of the truth: what the net that it taught reads of both images tells what sentences mean."""
    if teacher == "text":
        return sentences.by_rules()
    if teacher == "random":
        return sentences.untaught(seed)
    rows = np.flatnonzero(material.priors >= 0)
    change = np.full(material.truth.change.shape, np.nan)
    cells = read_images(net, material.images)["cells"]
    read = read_changes(net, cells[material.priors[rows]], cells[rows]).argmax(-1) - 1.0
    change[rows] = read
    return sentences.by_change(material, change)


def judged(
    measured: dict[tuple[str, int], Named], seeds: list[int], share: float
) -> Iterator[dict[str, Any]]:
    """Both gates of every task and required control of the claims."""
    for suite, system, task, control in required():
        metric = suite.METRICS.get(task, suite.METRIC)
        least = suite.MINIMAL_EFFECTS.get(metric, suite.MINIMAL_EFFECT)
        elsewhere = suite.CONTROLS.get(control, Control()).tasks.get(task)
        for teacher in ("truth", "text"):
            own = _runs(measured, teacher, seeds, task)
            other = COUNTERPARTS.get(control, teacher if elsewhere else "")
            against = _runs(measured, other, seeds, elsewhere or task)
            if not own or not against:
                continue
            # The number of sentence pairs does not depend on that of the patients.
            part = 1.0 if task == temporal_claims.SENTENCES else share
            outcome = gate(own, against, metric, least=least, seeds=len(suite.SEEDS), share=part)
            yield {
                "systems": system,
                "task": task,
                "control": control,
                "teacher": teacher,
                "metric": metric,
                **dataclasses.asdict(outcome),
                "signal": outcome.signal,
                "precision": outcome.precision,
            }


def _runs(
    measured: dict[tuple[str, int], Named], teacher: str, seeds: list[int], task: str
) -> list[Predictions]:
    runs = [measured[teacher, seed] for seed in seeds if (teacher, seed) in measured]
    return [run[task] for run in runs if task in run]


def required() -> Iterator[tuple[Any, str, str, str]]:
    """(suite, systems, task, control) of what the claims require, each once."""
    systems: dict[tuple[Any, str, str], list[str]] = {}
    for suite in SUITES:
        for system, claim in suite.CLAIMS.items():
            for control, tasks in claim.required.items():
                for task in tasks:
                    if task.partition("/")[0] in READERS:
                        systems.setdefault((suite, task, control), []).append(system)
    for (suite, task, control), names in systems.items():
        yield suite, ", ".join(names), task, control


def aims(
    measured: dict[tuple[str, int], Named], seeds: list[int], data: EvaluationData
) -> dict[str, Any]:
    """The cohort's own aims: places, vascular edema, and a reader of the truth within a patient."""
    outcome: dict[str, Any] = {}
    for prefix in ("grounding", "places"):
        if usual := _runs(measured, "truth", seeds, f"{prefix}/location"):
            outcome[f"{prefix}: location contrast"] = mean_value(usual, "signed_cnr")
            outcome[f"{prefix}: phrases"] = len(usual[0].patients)
    if grades := _runs(measured, "truth", seeds, f"{edema_claims.PROBE}/pairwise"):
        outcome["edema 0 v 1"] = mean_value(grades, "auroc/0 v 1")
    studies = data.studies(TEST, "test")
    patients, truths, texts = readable(studies, ("impression",), _READABLE.value)
    train = patients < np.median(patients)
    scores = likelihoods(truths, word_table(texts), train)
    test_texts = [text for text, used in zip(texts, train, strict=True) if not used]
    within = measure_reader(informative(scores), patients[~train], test_texts)
    outcome["truth within a patient"] = {name: value._asdict() for name, value in within.items()}
    return outcome


def pair_net(material: Material, data: EvaluationData, folder: Path) -> dict[str, Any]:
    """The net that the truth taught, after pairs like those that are judged, of other patients."""
    net = taught_by_pairs(
        net_of(material, "truth", 0),
        patients=_PAIR_PATIENTS.value,
        seed=_COHORT_SEED.value,
        size=SIZE,
        steps=_PAIR_STEPS.value,
        batch=_BATCH.value,
        workers=1,
        cache=_CACHE.value,
    )
    context = EvaluationContext(ImageReader(net, SIZE, pairs=True), data)
    _, tasks = parse_suite(temporal_claims.get_config())
    named = {part.name: part.predictions for part in tasks["progression"].run(context).parts}
    write_predictions(folder / "pair_net.npz", named)
    kinds = ("pair", "current", "prior", "other_prior", "no_prior")
    values = {k: mean_value([named[f"mean/{k}"]], "balanced_accuracy") for k in kinds}
    gains = {
        k: dataclasses.asdict(
            gate([named["mean/pair"]], [named[f"mean/{k}"]], "balanced_accuracy", least=0, seeds=1)
        )
        for k in ("current", "prior")
    }
    return {"patients": _PAIR_PATIENTS.value, "own": own(net, context), **values, "gains": gains}


def own(net: TaughtNet, context: EvaluationContext) -> float:
    """Macro accuracy of the net's own reading, mean over findings."""
    hits, groups = [], []
    pairs = annotated_pairs(context, TEST, "progression", NAMES)
    for column, name in enumerate(NAMES):
        own = pairs[name]
        if not own.rarest:
            continue
        prior, current = (
            context.data.images(TEST, "progression", rows)[..., 0]
            for rows in (own.priors, own.rows)
        )
        hits.append(own_reading(net, prior, current)[:, column] + 1 == own.targets)
        groups.append(3 * column + own.targets)
    joined = np.concatenate(hits).astype(np.float64)
    return float(grouped_mean(joined, np.concatenate(groups), np.ones((1, len(joined))))[0])


def table(result: dict[str, Any]) -> str:
    """The gates as text."""
    lines = [f"{'task':26}{'control':16}{'taught by':10}value control   effect [95%]   smallest"]
    for row in result["gates"]:
        outcome = Gate(**{f.name: row[f.name] for f in dataclasses.fields(Gate)})
        lines.append(
            f"{row['task']:26}{row['control']:16}{row['teacher']:8}{outcome.value:7.3f}"
            f"{outcome.control_value:8.3f}  {outcome.effect:+.3f} [{outcome.low:+.3f}, {outcome.high:+.3f}]"
            f"  {'signal' if outcome.signal else 'NO    '} {outcome.smallest:.3f} of {outcome.least:.3f}"
            f" {'seen' if outcome.precision else 'NO'}  ({row['systems']})"
        )
    rest = {name: result[name] for name in ("aims", "pair_net") if name in result}
    return "\n".join([*lines, json.dumps(rest, indent=1)])


if __name__ == "__main__":
    _DATA = flags.DEFINE_string("data_dir", "power", "Prepared cohort of the gates' own seed.")
    _OUTPUT = flags.DEFINE_string("output", "runs/power", "Folder of predictions and gates.json.")
    _PATIENTS = flags.DEFINE_integer("patients", 0, "Of site M that teach; 0 for all prepared.")
    _SEEDS = flags.DEFINE_list("seeds", ["0"], "Training seeds of the nets.")
    _TEACHERS = flags.DEFINE_list("teachers", list(TEACHERS), "Which nets are trained.")
    _TASKS = flags.DEFINE_list("tasks", list(READERS), "Which tasks of the claims are measured.")
    _STEPS = flags.DEFINE_integer("steps", 700, "Of each net, as the small variants train.")
    _BATCH = flags.DEFINE_integer("batch", 64, "Pairs of a step, likewise.")
    _READABLE = flags.DEFINE_integer("readable", 4000, "Studies of the reader of the truth.")
    _PAIR_PATIENTS = flags.DEFINE_integer("pair_patients", 0, "Of the pair net; 0 leaves it out.")
    _PAIR_STEPS = flags.DEFINE_integer("pair_steps", 2500, "Of the pair net.")
    _COHORT_SEED = flags.DEFINE_integer("cohort_seed", gates.COHORT_SEED, "Of the pair net.")
    _CACHE = flags.DEFINE_string("cache", "", "Folder of generated pairs, empty = none.")
    app.run(main)
