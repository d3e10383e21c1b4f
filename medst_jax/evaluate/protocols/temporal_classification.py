# SPDX-License-Identifier: Apache-2.0
"""Temporal image classification: has a finding improved, stayed or worsened since the prior image?

Frozen features of a current image and its prior, a linear classifier per finding, 10-fold cross
validation by patient over three seeds. The macro accuracy ("balanced_accuracy") comes first. The
rows beside it show what the number is made of:

  pair            current and prior image
  current, prior  one image alone
  majority        the most frequent class of the training folds
  swapped         trained on pairs, tested with current and prior exchanged
  other_prior     trained on pairs, tested with the prior of another patient
  no_prior        trained on pairs, tested without a prior (systems that read both at once)
  released        the Med-ST release (arXiv:2405.19654): SVM, folds that split patients, and another
                  number: the plain "accuracy", mean over folds, then findings

A system that reads a prior embeds both images at once; of others the two embeddings are joined.
Where one image tells a part, what the prior adds is the gain of "pair" over "current" and that over
"prior", both on the same pairs and with the same classifier: "mean/gain over current" and so on.
"""

import dataclasses
from typing import Literal

import numpy as np
from tqdm import tqdm

from medst_jax.data.records.timeline import other_patients
from medst_jax.evaluate.protocols.parts.progression_pairs import (
    CHANGED,
    CLASSES,
    ProgressionPairs,
    annotated_pairs,
    labelled_pairs,
)
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.folds import (
    CLASSIFIERS,
    cross_scores,
    fold_accuracy,
    patient_folds,
    released_folds,
    scores_of_altered,
)
from medst_jax.options import before

PAIRS = {"annotated": annotated_pairs, "labels": labelled_pairs}
FINDINGS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumonia", "Pneumothorax")
RELEASED = "released"
METRIC = "balanced_accuracy"
SINGLE = ("current", "prior")


@dataclasses.dataclass(frozen=True)
class TemporalClassificationOptions:
    """Options of `temporal_classification`.

    Attributes:
      dataset, split: with `image_pairs`, or with labels.
      changes: "annotated" pairs, whose change somebody stated, or of "labels": gone, still there or
        new. Of the latter one image tells a part, so only a gain over it counts.
      asks: the "direction" of three classes, or whether anything "changed": improving and worsening are
        one class then.
      findings: names of labels; those without enough pairs are left out.
      classifier: "svm", the published one, "linear" or "scaled" (see `folds`).
      folds: of the cross validation.
      seeds: one cross validation each; numbers are means over them.
    """

    dataset: str
    split: str = "test"
    changes: Literal["annotated", "labels"] = "annotated"
    asks: Literal["direction", "changed"] = dataclasses.field(
        default="direction", metadata=before("direction")
    )
    findings: tuple[str, ...] = FINDINGS
    classifier: Literal["svm", "linear", "scaled"] = "svm"
    folds: int = 10
    seeds: tuple[int, ...] = (42, 100, 666)


def temporal_classification(
    options: TemporalClassificationOptions, context: EvaluationContext
) -> Outcome:
    """Classify the pairs of every finding from every kind of input.

    Raises:
      NotApplicable: no finding has a pair of each class for every fold.
    """
    parts: list[Part] = []
    quiet = not context.data.progress
    for name, pairs in tqdm(_findings(options, context).items(), desc="temporal", disable=quiet):
        both = _paired(options, context, pairs.rows, pairs.priors)
        for kind, scores in _scores(options, context, pairs, both).items():
            predictions = Predictions(
                "single", pairs.patients, pairs.targets, scores, pairs.classes
            )
            parts.append(Part(f"{name}/{kind}", predictions, pairs.rows))
        parts.append(_released(options, name, pairs, both))
    kinds = dict.fromkeys(part.name.rpartition("/")[2] for part in parts)
    means = {kind: _mean(kind, [p for p in parts if p.name.endswith(f"/{kind}")]) for kind in kinds}
    gains = tuple(_gain(means["pair"], means[single], single) for single in SINGLE)
    return Outcome(options.dataset, options.split, (*means.values(), *parts), derived=gains)


def _findings(
    options: TemporalClassificationOptions, context: EvaluationContext
) -> dict[str, ProgressionPairs]:
    read = PAIRS[options.changes]
    pairs = read(context, options.dataset, options.split, options.findings)
    if options.asks == "changed":
        pairs = {name: some.changed() for name, some in pairs.items()}
    enough = {name: some for name, some in pairs.items() if some.rarest >= options.folds}
    if not enough:
        classes = CHANGED if options.asks == "changed" else CLASSES
        raise NotApplicable(
            f"no finding of {options.dataset}/{options.split} has {options.folds} patients in each "
            f"of {', '.join(classes)}; use more patients or fewer folds"
        )
    return enough


def _scores(
    options: TemporalClassificationOptions,
    context: EvaluationContext,
    pairs: ProgressionPairs,
    both: np.ndarray,
) -> dict[str, np.ndarray]:
    """Scores float32 [seeds, n, 3] by kind of input; `both` are features [n, D] of the pairs."""
    current = context.embed(options.dataset, options.split, pairs.rows).global_
    prior = context.embed(options.dataset, options.split, pairs.priors).global_
    elsewhere = pairs.priors[other_patients(pairs.patients)]
    altered = {
        "swapped": _paired(options, context, pairs.priors, pairs.rows),
        "other_prior": _paired(options, context, pairs.rows, elsewhere),
    }
    if context.embedder.reads_priors:
        altered["no_prior"] = current
    single = {"current": current, "prior": prior}
    runs = [_cross_validated(options, pairs, both, single, altered, seed) for seed in options.seeds]
    return {kind: np.stack([run[kind] for run in runs]) for kind in runs[0]}


def _cross_validated(
    options: TemporalClassificationOptions,
    pairs: ProgressionPairs,
    both: np.ndarray,
    single: dict[str, np.ndarray],
    altered: dict[str, np.ndarray],
    seed: int,
) -> dict[str, np.ndarray]:
    """Scores float32 [n, 3] by kind of input under one seed's folds.

    Args:
      both: features [n, D] of pairs.
      single: features of one image alone, each with a classifier of its own.
      altered: features of altered pairs, scored by the classifier of true pairs.
    """
    folds = patient_folds(pairs.targets, pairs.patients, options.folds, seed)
    classifier = CLASSIFIERS[options.classifier](seed)
    targets = pairs.targets
    read = scores_of_altered(both, targets, folds, classifier, {"pair": both, **altered})
    scores = {"pair": read.pop("pair")}
    for kind, features in single.items():
        scores[kind] = cross_scores(features, targets, folds, classifier)
    majority = _majority(targets, folds, len(pairs.classes))
    return scores | {"majority": majority, **read}


def _released(
    options: TemporalClassificationOptions, name: str, pairs: ProgressionPairs, both: np.ndarray
) -> Part:
    """The accuracy of the release's protocol: the number that its paper prints."""
    runs = []
    for seed in options.seeds:
        folds = released_folds(pairs.targets, options.folds, seed, pairs.place, pairs.table)
        runs.append(fold_accuracy(both, pairs.targets, folds, CLASSIFIERS["svm"](seed)))
    predictions = Predictions.measured(pairs.patients, np.stack(runs)[..., None], ("accuracy",))
    return Part(f"{name}/{RELEASED}", predictions, pairs.rows)


def _paired(
    options: TemporalClassificationOptions,
    context: EvaluationContext,
    rows: np.ndarray,
    priors: np.ndarray,
) -> np.ndarray:
    """Features [n, D] of images `rows` with priors `priors`."""
    if context.embedder.reads_priors:
        images = (context.data.images(options.dataset, options.split, r) for r in (rows, priors))
        current, prior = images
        return context.embedder.pairs(current, prior, np.ones(len(rows), bool)).global_
    embedded = (context.embed(options.dataset, options.split, r).global_ for r in (rows, priors))
    return np.concatenate(list(embedded), axis=1)


def _majority(
    targets: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]], classes: int
) -> np.ndarray:
    scores = np.zeros((len(targets), classes), np.float32)
    for train, test in folds:
        scores[test] = np.bincount(targets[train], minlength=classes) / len(train)
    return scores


def _gain(pair: Part, single: Part, name: str) -> DerivedMetric:
    """What both images tell beyond one of them, of the same pairs."""
    both, alone = (statistic(part.predictions, METRIC) for part in (pair, single))
    return DerivedMetric(
        f"mean/gain over {name}", METRIC, lambda w: both(w) - alone(w), pair.predictions.patients
    )


def _mean(kind: str, parts: list[Part]) -> Part:
    """The number averaged over findings, as the papers' tables give it.

    Of the release its accuracy. Of the others the macro accuracy: a mean over classes of the share of
    hits, then over findings with every class, which is the mean over their pairs (finding, class).
    """
    if kind == RELEASED:
        metric, values = "accuracy", [part.predictions.scores[..., 0] for part in parts]
        groups = [np.full(len(part.rows), k) for k, part in enumerate(parts)]
    else:
        metric = METRIC
        values = [
            np.stack([p.predicted(repeat) == p.targets for repeat in range(len(p.scores))])
            for p in (part.predictions for part in parts)
        ]
        classes = len(parts[0].predictions.classes)
        groups = [k * classes + part.predictions.targets for k, part in enumerate(parts)]
    predictions = Predictions.measured(
        np.concatenate([part.predictions.patients for part in parts]),
        np.concatenate(values, axis=1)[..., None],
        (metric,),
        np.concatenate(groups),
    )
    return Part(f"mean/{kind}", predictions, np.concatenate([part.rows for part in parts]))
