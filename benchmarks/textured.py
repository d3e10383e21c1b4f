# SPDX-License-Identifier: Apache-2.0
"""A data set of made images that compress like radiographs, written by the real build."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.raw import RawImage, RawSentence, RawStudy
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.data_pipelines.vocabulary import train_vocabulary

_SENTENCES = (
    "The heart is normal in size.",
    "There is no pleural effusion or pneumothorax.",
    "Mild pulmonary edema is present, worse than before.",
    "A right basal opacity may be atelectasis or pneumonia.",
    "The bones are intact.",
)


class Textured:
    """One frontal image and a report of a few sentences for each of `count` patients."""

    labels = ("Edema", "Pneumonia")
    truth_features: Mapping[str, Any] = {}
    card: Mapping[str, Any] = {
        "licence": "CC0",
        "redistributable": True,
        "description": "made texture, for benchmarks",
    }

    def __init__(self, name: str, count: int, size: int):
        self.name, self.count, self.size = name, count, size

    def units(self) -> Sequence[str]:
        return ["0"]

    def unit_hash(self, unit: str) -> str:
        return hashlib.sha256(f"{self.name} {self.count} {self.size}".encode()).hexdigest()

    def studies(self, unit: str) -> Iterator[RawStudy]:
        for patient in range(self.count):
            rng = np.random.default_rng((7, patient))
            text, sentences = "", []
            for k in rng.permutation(len(_SENTENCES)):
                sentences.append(RawSentence(0, len(text), len(text) + len(_SENTENCES[k])))
                text += _SENTENCES[k] + " "
            yield RawStudy(
                patient_id=f"p{patient}",
                study_id=f"s{patient}",
                study_index=0,
                study_days=0.0,
                images=(RawImage(f"i{patient}", "PA", _picture(rng, self.size)),),
                sections=(("FINDINGS", text.strip()),),
                sentences=tuple(sentences),
                labels={"Edema": patient % 2, "Pneumonia": patient // 2 % 2},
                split="train",
            )


def prepare_textured(data_dir: str, name: str, count: int, size: int) -> str:
    """Build the data set and its vocabulary; the vocabulary's name."""
    build(Textured(name, count, size), data_dir, BuildOptions(runner=Runner(workers=1)))
    train_vocabulary(data_dir, [name], "textured", 60)
    return "textured"


def _picture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Octaves of smooth noise, edges and grain."""
    picture = np.zeros((size, size), np.float32)
    for cells, strength in ((3, 60), (9, 30), (33, 12), (101, 5)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        picture += strength * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    ribs = np.sin(np.linspace(0, 14 * np.pi, size) + rng.uniform(0, 6))[:, None]
    picture += 15 * np.tanh(4 * ribs) + 2.5 * rng.standard_normal((size, size))
    return np.clip(picture + 120, 0, 255).astype(np.uint8)
