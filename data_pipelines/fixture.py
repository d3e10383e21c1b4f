# SPDX-License-Identifier: Apache-2.0
"""Small data sets for tests and demonstrations, written through the real build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data_pipelines.build import BuildOptions, BuildResult, build
from medst_jax.data_pipelines.raw import RawImage, RawSentence, RawStudy, Reject
from medst_jax.data_pipelines.run_banks import Runner


@dataclass(frozen=True)
class FixtureSource:
    """Random patients of 1-3 studies; each label is a bright blob, named in the report."""

    name: str
    labels: tuple[str, ...]
    patients: int
    size: int
    splits: tuple[str, ...]
    seed: int
    reports: bool = True
    patients_per_unit: int = 1000
    card: Mapping[str, Any] = field(
        default_factory=lambda: {
            "licence": "CC0",
            "redistributable": True,
            "description": "random shapes, for tests",
        }
    )
    truth_features: Mapping[str, Any] = field(
        default_factory=lambda: {"truth_boxes": (np.float32, (None, 5))}
    )

    def units(self) -> Sequence[str]:
        return [f"{start}" for start in range(0, self.patients, self.patients_per_unit)]

    def unit_hash(self, unit: str) -> str:
        return hashlib.sha256(repr((self, unit)).encode()).hexdigest()

    def studies(self, unit: str) -> Iterator[RawStudy | Reject]:
        start = int(unit)
        for patient in range(start, min(self.patients, start + self.patients_per_unit)):
            rng = np.random.default_rng((self.seed, patient))
            days = np.concatenate([[0], np.cumsum(rng.integers(1, 90, 2))])
            split = self.splits[patient % len(self.splits)]
            for study in range(int(rng.integers(1, 4))):
                yield self._study(rng, f"p{patient}", study, float(days[study]), split)

    def _study(
        self, rng: np.random.Generator, patient: str, study: int, days: float, split: str
    ) -> RawStudy:
        present = rng.random(len(self.labels)) < 0.4
        boxes = _boxes(rng, present, self.size)
        views = ["PA"] + ["LATERAL"] * int(rng.random() < 0.5)
        images = tuple(
            RawImage(f"{patient}_s{study}_{view}", view, _picture(rng, boxes, self.size))
            for view in views
        )
        sections, sentences = _report(self.labels, present) if self.reports else ((), ())
        return RawStudy(
            patient_id=patient,
            study_id=f"{patient}_s{study}",
            study_index=study,
            study_days=days,
            images=images,
            sections=sections,
            sentences=sentences,
            labels={label: int(p) for label, p in zip(self.labels, present, strict=True)},
            split=split,
            age=float(rng.integers(20, 90)),
            sex="F" if rng.random() < 0.5 else "M",
            source=self.name,
            truth={"truth_boxes": boxes},
        )


def write_fixture(
    data_dir: epath.PathLike,
    name: str = "fixture",
    *,
    patients: int = 12,
    size: int = 32,
    labels: Sequence[str] = ("Effusion", "Edema", "Cardiomegaly"),
    splits: Sequence[str] = ("train", "test"),
    seed: int = 0,
    reports: bool = True,
) -> BuildResult:
    """Writes a small data set that `open_studies(data_dir, name, split)` reads.

    Args:
      patients: each has 1-3 studies; patient k belongs to split k modulo their number.
      size: side of the square images in pixels.
      labels: the vocabulary; each is positive in 40% of the studies, else negative.
      reports: with FINDINGS and IMPRESSION sections and labelled sentences, or without text.
    """
    source = FixtureSource(name, tuple(labels), patients, size, tuple(splits), seed, reports)
    return build(source, data_dir, BuildOptions(runner=Runner(workers=1)))


def _boxes(rng: np.random.Generator, present: np.ndarray, size: int) -> np.ndarray:
    """(label, x0, y0, x1, y1) of each positive label: one cell of a grid per label."""
    positives = np.flatnonzero(present)
    cells = int(np.ceil(np.sqrt(max(1, len(present)))))
    side = size / cells
    corner = np.stack([positives % cells, positives // cells], 1) * side
    jitter = rng.random((len(positives), 2)) * side * 0.2
    return np.concatenate(
        [positives[:, None], corner + jitter, corner + jitter + side * 0.7], 1
    ).astype(np.float32)


def _picture(rng: np.random.Generator, boxes: np.ndarray, size: int) -> np.ndarray:
    pixels = rng.normal(90, 12, (size, size))
    for _, x0, y0, x1, y1 in boxes:
        pixels[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] += 70
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _report(
    labels: Sequence[str], present: np.ndarray
) -> tuple[tuple[tuple[str, str], ...], tuple[RawSentence, ...]]:
    findings, sentences = "", []
    for label, positive in zip(labels, present.tolist(), strict=True):
        text = f"There is {'' if positive else 'no '}{label.lower()}."
        start = len(findings)
        findings += text + " "
        sentences.append(RawSentence(0, start, start + len(text), {label: int(positive)}))
    impression = f"{int(present.sum())} findings."
    sentences.append(RawSentence(1, 0, len(impression)))
    return (("FINDINGS", findings.strip()), ("IMPRESSION", impression)), tuple(sentences)
