# SPDX-License-Identifier: Apache-2.0
"""What a prepared split holds for teaching: frontal images, priors, the truth and the texts."""

from dataclasses import dataclass

import numpy as np

from experiments.small_net import Data
from experiments.taught import facts
from medst_jax.data.records.timeline import patient_slices, prior_rows
from medst_jax.evaluate.protocols.parts.report_texts import report_sentences
from medst_jax.evaluate.subjects.evaluation_data import EvaluationData

SECTIONS = ("impression",)


@dataclass(frozen=True)
class Material:
    """Of the n studies of a split that have a frontal image.

    Attributes:
      images: uint8 [n, S, S].
      patients: int [n].
      priors: int [n], place of the patient's study before, -1 for none.
      truth, said: facts of the images, and of the sections that training reads.
      sentences: of those sections, study by study.
      grades: int [n], of edema: the true one. mined: as the records have it, -1 for none.
    """

    images: np.ndarray
    patients: np.ndarray
    priors: np.ndarray
    truth: facts.Facts
    said: facts.Facts
    sentences: tuple[tuple[str, ...], ...]
    grades: np.ndarray
    mined: np.ndarray


def read_material(data: EvaluationData, dataset: str, split: str, patients: int = 0) -> Material:
    """The first `patients` patients of a split; 0 for all."""
    studies = data.studies(dataset, split)
    index = studies.index
    rows = np.flatnonzero(np.asarray(index.has_frontal))
    if patients:
        slices = patient_slices(np.asarray(index.patient)[rows])
        rows = rows[: slices[min(patients, len(slices)) - 1].stop]
    people = np.asarray(index.patient)[rows]
    before = prior_rows(people, np.ones(len(rows), bool))
    images = data.images(dataset, split, rows)[..., 0]
    read = [studies[int(row)] for row in rows]
    truths = [dict(study.truth) for study in read]
    sentences = tuple(tuple(report_sentences(studies, int(row), SECTIONS)) for row in rows)
    return Material(
        images,
        people,
        before,
        facts.true(truths, before, images.shape[1]),
        facts.said(sentences),
        sentences,
        np.array([int(truth["truth_edema"]) for truth in truths]),
        np.asarray(index.severity)[rows],
    )


def lesson(material: Material, teacher: str, seed: int = 0) -> Data:
    """Rows for training: an image with the one before, and what a teacher says of them.

    Args:
      material: of the training split.
      teacher: "truth", "text", or texts of elsewhere: of the patient's "within", of the "others".
      seed: of the shuffle of texts.

    Raises:
      ValueError: there is no such teacher.
    """
    count = len(material.images)
    order, taught, grades = np.arange(count), material.said, material.mined
    if teacher == "truth":
        taught, grades = material.truth, material.grades
    elif teacher == "others":
        order = np.random.default_rng(seed).permutation(count)
    elif teacher == "within":
        rng = np.random.default_rng(seed)
        for own in patient_slices(material.patients):
            order[own] = rng.permutation(order[own])
    elif teacher != "text":
        raise ValueError(f"no teacher {teacher!r}; known: truth, text, within, others")
    known = material.priors >= 0
    priors = np.where(known, material.priors, np.arange(count))
    told = taught[order].arrays()
    told["change"] = np.where(known[:, None], told["change"], np.nan)
    pairs = np.stack([material.images[priors], material.images], axis=1)
    return {"image": pairs, **told, "grade": grades[order]}
