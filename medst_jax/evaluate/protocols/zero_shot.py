# SPDX-License-Identifier: Apache-2.0
"""Zero-shot classification by text prompts or by the system's label prototypes.

Text: the score is the mean cosine of the image with the prompts of a class, which is its dot
product with their mean vector, not normalised again (DLILP and MedCLIP; the temperature changes
neither the argmax nor a ROC curve), or the highest of them (GLoRIA, Huang et al., ICCV 2021), or the
cosine with their mean, see `class_vector`.
GLoRIA compares more than the two vectors: its own measure takes the place of the cosine.
Prototypes: the score is the logit; when several labels stand for a class, the mean of their logits,
or the logit of their mean prototype brought back to unit norm (DLILP's release, for COVID-19).
Pairs: the cosine with a text that affirms the class minus that with one that denies it, for
systems of whole reports, which mention most findings to deny them (as BioViL, arXiv:2204.09817,
section 4.3, does for pneumonia, and CheXzero, Tiu et al., Nature BME 2022, for every class). A class is
present where the difference is above zero; CheXzero's probability, the softmax of the two cosines,
rises with it, so its ROC curve is the same. Of several checkpoints the score is the logarithm of the
odds of their mean probability, as CheXzero averages ten.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from medst_jax.evaluate.protocols.parts.checkpoint_mean import best_checkpoints, odds_of_the_mean
from medst_jax.evaluate.protocols.parts.class_keys import check_class_keys, of_class
from medst_jax.evaluate.protocols.parts.class_prompts import (
    AFFIRM,
    DENY,
    PromptMode,
    class_prompts,
    class_vector,
    presence_prompts,
)
from medst_jax.evaluate.protocols.parts.similarity_maps import similarity_map, smoothed
from medst_jax.evaluate.protocols.parts.validation_thresholds import decided
from medst_jax.evaluate.statistics.outcome import (
    DerivedMetric,
    LocalizationMaps,
    NotApplicable,
    Outcome,
    Part,
)
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext, ImageEmbedder
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.options import before

Mode = Literal["auto", "text", "prototypes", "pairs"]
_MAPPED = 16  # prompts of a class whose maps are averaged, at most
_POOLS: dict[str, Callable[..., np.ndarray]] = {"mean": np.mean, "max": np.max}


@dataclasses.dataclass(frozen=True)
class ZeroShotOptions:
    """Options of `zero_shot`.

    Attributes:
      task: the test images and classes.
      mode: "text", "prototypes" or "pairs", which reads of the options below `affirm` and `deny`
        alone; "auto" takes prototypes when every class has one, else text.
      prompts: how a class is put into words in text mode: "names", or a prompt bank.
      own_prompts: class to prompts, before those of the bank; letter case does not count, and a key
        that is no class of the task is refused.
      prototypes: class to the labels that stand for it, where the names differ; keys likewise.
      pool: of a class's prompts, the "mean" of their cosines or the "max"; or the cosine with their
        mean, of "unit_vectors" or "raw_vectors".
      heat_maps: map, for the report, where each class is seen; in text mode, for systems whose
        patches form a square. Costs one more compilation.
      prototype_mean: of several labels' "logits", or of their "directions", brought to unit norm.
      affirm, deny: texts of a pair, in which {} stands for the class in lower case.
      validation: images that give each class its threshold, see `validation_thresholds`; of kind
        "multi". None decides nothing.
      similarity: in text mode, of image and prompt: the "system"'s own measure, if it has one other than
        the cosine, or the "cosine". A pool of vectors needs the cosine. Without a joint space it is the
        system's own, of pairs too.
      best_checkpoints: of several checkpoints (`evaluate --steps`) how many are averaged, those with the
        highest mean AUROC on the validation images; 0 for all.
      standardise: whether scores of a class are brought to mean 0 and deviation 1 over the test images
        (GLoRIA's release).
    """

    task: TaskOptions
    mode: Mode = "auto"
    prompts: PromptMode = "ensemble"
    own_prompts: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    prototypes: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    pool: Literal["mean", "max", "unit_vectors", "raw_vectors"] = "mean"
    heat_maps: bool = False
    prototype_mean: Literal["logits", "directions"] = dataclasses.field(
        default="logits", metadata=before("logits")
    )
    affirm: str = dataclasses.field(default=AFFIRM, metadata=before(AFFIRM))
    deny: str = dataclasses.field(default=DENY, metadata=before(DENY))
    validation: TaskOptions | None = dataclasses.field(default=None, metadata=before(None))
    similarity: Literal["system", "cosine"] = dataclasses.field(
        default="system", metadata=before("cosine")
    )
    standardise: bool = dataclasses.field(default=False, metadata=before(False))
    best_checkpoints: int = dataclasses.field(default=0, metadata=before(0))

    @property
    def averages_checkpoints(self) -> bool:
        """Whether several checkpoints can be asked: only a pair of texts gives a probability."""
        return self.mode == "pairs"

    def __post_init__(self) -> None:
        if self.validation is not None and self.task.kind != "multi":
            raise ValueError(
                f"validation images give thresholds of classes asked one by one; kind is "
                f"{self.task.kind!r}"
            )
        if self.best_checkpoints and (self.validation is None or self.mode != "pairs"):
            raise ValueError(
                f"best_checkpoints is {self.best_checkpoints}: checkpoints are chosen by validation "
                "images, and averaged with mode='pairs'; give both"
            )
        if self.validation is not None and self.standardise:
            raise ValueError(
                "standardise moves the scores by the test images, so that no threshold of validation "
                "images fits them: leave one of the two out"
            )
        if self.task.classes:  # else they are known with the data
            self.check_keys(self.task.classes)
        for name in ("affirm", "deny"):
            if "{}" not in getattr(self, name):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}: put {{}} where the class stands"
                )

    def check_keys(self, classes: tuple[str, ...]) -> None:
        """Raise an OptionError for an entry of a class that is not asked about."""
        known = (*filter(None, [self.task.rest]), *classes)
        check_class_keys(self.own_prompts, known, "own_prompts")
        check_class_keys(self.prototypes, known, "prototypes")


def zero_shot(options: ZeroShotOptions, context: EvaluationContext) -> Outcome:
    """Score every test image for every class.

    Raises:
      NotApplicable: the mode needs a text encoder, or prototypes, that the system lacks.
    """
    task = context.data.task(options.task)
    options.check_keys(task.classes)
    members = _members(options, context)
    scores = _scores(options, members, task)
    if options.standardise:
        scores = (scores - scores.mean(0)) / np.maximum(scores.std(0), 1e-12)
    predictions = Predictions(
        options.task.kind, task.patients, task.targets, scores[None], task.classes
    )
    part = Part("", predictions, task.rows)
    mapped = _mapped(options, context, task, scores) if options.heat_maps else None
    derived = tuple(_decided(options, members, predictions)) if options.validation else ()
    mode = _mode(options, context.embedder, task.classes)
    place = options.task.dataset, options.task.split
    return Outcome(*place, (part,), derived, localization=mapped, mode=mode)


def _mode(options: ZeroShotOptions, embedder: ImageEmbedder, classes: tuple[str, ...]) -> Mode:
    """How the classes are asked; "auto" as what it is for this system."""
    if options.mode != "auto":
        return options.mode
    return "text" if _without_prototype(options, embedder, classes) else "prototypes"


Members = tuple[EvaluationContext, ...]


def _members(options: ZeroShotOptions, context: EvaluationContext) -> Members:
    """The checkpoints that are asked together: all that there are, or the best of them."""
    every = (context, *context.further)
    if not 0 < options.best_checkpoints < len(every):
        return every
    validated = _validated(options, context, options.task.classes)
    scores = [_scores(options, (member,), validated) for member in every]
    chosen = best_checkpoints(validated.targets, scores, options.best_checkpoints)
    return tuple(every[place] for place in chosen)


def _validated(
    options: ZeroShotOptions, context: EvaluationContext, classes: tuple[str, ...]
) -> Task:
    """The validation images, with the classes of the test images."""
    assert options.validation is not None
    return context.data.task(dataclasses.replace(options.validation, classes=classes, kind="multi"))


def _decided(
    options: ZeroShotOptions, members: Members, predictions: Predictions
) -> list[DerivedMetric]:
    validated = _validated(options, members[0], predictions.classes)
    return decided(predictions, validated.targets, _scores(options, members, validated))


def _scores(options: ZeroShotOptions, members: Members, task: Task) -> np.ndarray:
    """Scores [N, C] of the images of a task, by the options' prompts or prototypes."""
    return odds_of_the_mean([_scores_of_one(options, member, task) for member in members])


def _scores_of_one(options: ZeroShotOptions, context: EvaluationContext, task: Task) -> np.ndarray:
    if _compares_otherwise(options, context.embedder, task.classes):
        return _system_scores(options, context, task)
    embedded = context.embed(task.options.dataset, task.options.split, task.rows)
    return class_scores(options, context.embedder, embedded, task.classes)


def _compares_otherwise(
    options: ZeroShotOptions, embedder: ImageEmbedder, classes: tuple[str, ...]
) -> bool:
    """Whether prompts are scored by a measure of the system's that is not the cosine.

    Without a joint space there is no other measure, for pairs of prompts too.
    """
    by_text = _mode(options, embedder, classes) == "text"
    if not embedder.has_text:
        return embedder.has_similarities and (by_text or options.mode == "pairs")
    own = options.similarity == "system" and embedder.has_similarities
    return by_text and own and options.pool in _POOLS


def _system_scores(options: ZeroShotOptions, context: EvaluationContext, task: Task) -> np.ndarray:
    place = task.options.dataset, task.options.split
    if options.mode == "pairs":
        present, absent = (
            context.similarities(*place, task.rows, texts)
            for texts in presence_prompts(task.classes, options.affirm, options.deny)
        )
        return present - absent
    if options.pool not in _POOLS:
        raise NotApplicable(
            f"pool={options.pool!r} averages vectors of texts, and this system has scores of texts "
            "alone"
        )
    groups = [class_prompts(name, options.prompts, options.own_prompts) for name in task.classes]
    prompts = [text for group in groups for text in group]
    per_text = context.similarities(*place, task.rows, prompts)
    ends = np.cumsum([len(group) for group in groups])
    pooled = [_POOLS[options.pool](s, axis=1) for s in np.split(per_text, ends[:-1], axis=1)]
    return np.stack(pooled, axis=1)


def _mapped(
    options: ZeroShotOptions, context: EvaluationContext, task: Task, scores: np.ndarray
) -> LocalizationMaps | None:
    if options.mode != "text":
        return None
    rows = task.rows[scores.argmax(0)]
    images = context.data.images(options.task.dataset, options.task.split, rows)
    if not context.embedder.has_text:
        return _own_maps(options, context, task, rows, images)
    patches = context.embedder.patches(images)
    if round(patches.shape[1] ** 0.5) ** 2 != patches.shape[1]:
        return None
    texts = [v.mean(0) for v in prompt_vectors(options, context.embedder, task.classes)]
    square = context.data.size, context.embedder.window
    maps = [similarity_map(p, t, *square) for p, t in zip(patches, texts, strict=True)]
    title = "where each class is seen in its highest-scoring image: cosine with its prompts"
    return LocalizationMaps(title, rows, task.classes, np.stack(maps))


def _own_maps(
    options: ZeroShotOptions,
    context: EvaluationContext,
    task: Task,
    rows: np.ndarray,
    images: np.ndarray,
) -> LocalizationMaps | None:
    """Where a system without a joint space sees each class: the mean map of its prompts."""
    if not context.embedder.has_maps:
        return None
    maps = []
    for image, name in zip(images, task.classes, strict=True):
        prompts = class_prompts(name, options.prompts, options.own_prompts)[:_MAPPED]
        shown = np.broadcast_to(image, (len(prompts), *image.shape))
        scores = context.embedder.maps(shown, prompts).mean(0)
        if round(len(scores) ** 0.5) ** 2 != len(scores):
            return None
        maps.append(smoothed(scores, context.data.size))
    title = "where each class is seen in its highest-scoring image: the system's own map"
    return LocalizationMaps(title, rows, task.classes, np.stack(maps))


def class_scores(
    options: ZeroShotOptions, embedder: ImageEmbedder, images: Embeddings, classes: tuple[str, ...]
) -> np.ndarray:
    """Scores float32 [N, C] of embedded images for the classes."""
    mode = _mode(options, embedder, classes)
    missing = _without_prototype(options, embedder, classes)
    if mode != "prototypes" and not embedder.has_text:
        raise NotApplicable("this system has no text encoder; prompts cannot be embedded")
    if mode == "pairs":
        pairs = presence_prompts(classes, options.affirm, options.deny)
        present, absent = (embedder.texts(texts).global_ for texts in pairs)
        return images.global_ @ (present - absent).T
    if mode == "text" and options.pool in ("unit_vectors", "raw_vectors"):
        prompts = embedded_prompts(options, embedder, classes)
        return images.global_ @ np.stack([class_vector(p, options.pool) for p in prompts]).T
    if mode == "text":
        cosines = [images.global_ @ v.T for v in prompt_vectors(options, embedder, classes)]
        return np.stack([_POOLS[options.pool](c, axis=1) for c in cosines], axis=1)
    if missing or images.logits is None:
        raise NotApplicable(
            f"no label prototype for {', '.join(missing)}; use mode='text' or map the class with "
            f"prototypes={{...}}; labels of the checkpoint: {', '.join(embedder.labels) or 'none'}"
        )
    columns = {label.lower(): k for k, label in enumerate(embedder.labels)}
    members = [[columns[label.lower()] for label in _labels_of(options, name)] for name in classes]
    scores = np.stack([images.logits[:, of_class].mean(1) for of_class in members], axis=1)
    return scores if options.prototype_mean == "logits" else scores / _mean_norms(embedder, members)


def _mean_norms(embedder: ImageEmbedder, members: list[list[int]]) -> np.ndarray:
    """Norm [C] of the mean prototype of each class, by which its mean logit is divided.

    A logit is a scale times a cosine with a unit vector, so the mean logit is the scale times the
    product with the mean vector.
    """
    directions = embedder.prototypes()
    if directions is None:
        raise NotApplicable(
            "the labels of this system have no directions whose mean could be taken; use "
            "prototype_mean='logits'"
        )
    return np.array([np.linalg.norm(directions[of_class].mean(0)) for of_class in members])


def prompt_vectors(
    options: ZeroShotOptions, embedder: ImageEmbedder, classes: tuple[str, ...]
) -> list[np.ndarray]:
    """For each class the unit-norm vectors float32 [prompts, E] of its prompts."""
    return [prompts.global_ for prompts in embedded_prompts(options, embedder, classes)]


def embedded_prompts(
    options: ZeroShotOptions, embedder: ImageEmbedder, classes: tuple[str, ...]
) -> list[Embeddings]:
    """For each class its prompts, embedded."""
    groups = [class_prompts(name, options.prompts, options.own_prompts) for name in classes]
    embedded = embedder.texts([text for group in groups for text in group])
    ends = np.cumsum([len(group) for group in groups])
    return [embedded[rows] for rows in np.split(np.arange(ends[-1]), ends[:-1])]


def _labels_of(options: ZeroShotOptions, name: str) -> tuple[str, ...]:
    return of_class(options.prototypes, name, (name,))


def _without_prototype(
    options: ZeroShotOptions, embedder: ImageEmbedder, classes: tuple[str, ...]
) -> list[str]:
    known = {label.lower() for label in embedder.labels}
    return [
        name
        for name in classes
        if not all(label.lower() in known for label in _labels_of(options, name))
    ]
