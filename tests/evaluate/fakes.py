# SPDX-License-Identifier: Apache-2.0
"""A system, a tokenizer and studies with known geometry, for tests of the evaluator."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.data.images.preprocess import Preprocess
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.systems.system import Embedding

SIZE = 8
LENGTH = 6
WORDS = ("pad", "cls", "sep", "east", "north", "up", "down")


def unit_norm(values: jax.Array) -> jax.Array:
    """Rows over their Euclidean norm; zero rows stay zero."""
    return values / jnp.maximum(jnp.linalg.norm(values, axis=-1, keepdims=True), 1e-12)


class FakeTokenizer:
    """One token per word of WORDS; unknown words are dropped."""

    def encode_batch(self, texts: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        tokens = np.zeros((len(texts), length), np.int32)
        for row, text in enumerate(texts):
            ids = [WORDS.index(w) for w in text.lower().split() if w in WORDS][:length]
            tokens[row, : len(ids)] = ids
        return tokens, tokens > 0


class FakeSystem(nnx.Module):
    """Images: the first three pixels are the direction. Texts: the sum of their words' vectors."""

    has_image = True
    has_text = True
    has_prototypes = True
    has_maps = True
    has_text_scores = True
    has_similarities = False
    labels = ("East", "North", "Up")
    required_keys: tuple[str, ...] = ("frontal",)
    preprocess = Preprocess(size=SIZE, channels=1)

    def __init__(self) -> None:
        vectors = np.zeros((len(WORDS), 3), np.float32)
        vectors[3:7] = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]]
        self.words = nnx.Param(jnp.asarray(vectors))

    def encode_image(self, images: jax.Array) -> Embedding:
        features = images.reshape(images.shape[0], -1)[:, :3].astype(jnp.float32)
        return Embedding(unit_norm(features), unit_norm(features)[:, None], features)

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        features = (self.words[...][tokens] * token_mask[..., None]).sum(1)
        return Embedding(unit_norm(features), unit_norm(features)[:, None], features)

    def region_scores(self, images: jax.Array, *text: jax.Array) -> jax.Array:
        local = self.encode_image(images).local
        return (local * self.encode_text(*text).global_[:, None]).sum(-1)

    def text_scores(self, image: jax.Array, *text: jax.Array) -> jax.Array:
        return self.encode_text(*text).global_ @ self.encode_image(image).global_[0]

    def label_directions(self) -> jax.Array:
        return jnp.eye(3, dtype=jnp.float32)

    def class_logits(self, images: jax.Array) -> jax.Array:
        return 10.0 * self.encode_image(images).global_ @ jnp.eye(3, dtype=jnp.float32)


class LengthySystem(FakeSystem):
    """Says how long its texts' vectors are: a word that stands twice counts twice."""

    def encode_text(self, tokens: jax.Array, token_mask: jax.Array) -> Embedding:
        plain = super().encode_text(tokens, token_mask)
        return plain._replace(length=jnp.linalg.norm(plain.features, axis=-1))


class MeasuringSystem(FakeSystem):
    """Compares by twice the cosine, less the number of the text's words."""

    has_similarities = True

    def similarities(self, images: jax.Array, tokens: jax.Array, mask: jax.Array) -> jax.Array:
        cosines = self.encode_image(images).global_ @ self.encode_text(tokens, mask).global_.T
        return 2 * cosines - mask.sum(1)


class ScoringSystem(FakeSystem):
    """Images and texts meet in scores of its own alone: twice their cosine."""

    has_text = False
    has_prototypes = False
    has_similarities = True

    def similarities(self, images: jax.Array, *text: jax.Array) -> jax.Array:
        return 2 * self.encode_image(images).global_ @ self.encode_text(*text).global_.T


class ImageOnlySystem(FakeSystem):
    """Without a text encoder."""

    has_text = False
    has_maps = False
    has_text_scores = False
    has_similarities = False


class TextOnlyScores(FakeSystem):
    """Without label prototypes."""

    has_prototypes = False


@dataclasses.dataclass
class FakeStudies:
    """Studies whose images are given; sections hold one report each."""

    name: str
    split: str
    labels: tuple[str, ...]
    index: types.SimpleNamespace
    pictures: np.ndarray
    reports: tuple[str, ...]
    info: dict
    truth: tuple[dict, ...] = ()
    fingerprint: str = "f"

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> types.SimpleNamespace:
        report = self.reports[i]
        return types.SimpleNamespace(
            sections=(("FINDINGS", report),) if report else (),
            sentences=(),
            truth=self.truth[i] if self.truth else {},
            severity_source="consensus" if i % 2 else "expert",
            sex=("F", "M", "")[i % 3],
            age=(30.0, 50.0, 80.0, np.nan)[i % 4],
            frontal=lambda: types.SimpleNamespace(view=("PA", "AP")[i % 2], image_id=f"image-{i}"),
        )


def studies(
    pictures: np.ndarray,
    labels: tuple[str, ...],
    codes: np.ndarray,
    *,
    patients: np.ndarray | None = None,
    reports: tuple[str, ...] | None = None,
    name: str = "fake",
    split: str = "test",
    redistributable: bool = True,
    truth: tuple[dict, ...] = (),
    severity: np.ndarray | None = None,
) -> FakeStudies:
    """Studies with the given images uint8 [n, S, S, 1] and label codes [n, C]."""
    count = len(pictures)
    people = np.arange(count) if patients is None else np.asarray(patients)
    index = types.SimpleNamespace(
        patient=people.astype(np.int32),
        has_frontal=np.ones(count, bool),
        labels=np.asarray(codes, np.int8),
        patient_key=people.astype(np.uint64),
        severity=np.full(count, -1, np.int8) if severity is None else np.asarray(severity),
        study_index=np.arange(count),
        study_days=np.arange(count, dtype=np.float32),
    )
    info = {"redistributable": redistributable, "intensity": "minmax", "licence": "CC0"}
    return FakeStudies(name, split, labels, index, pictures, reports or ("",) * count, info, truth)


def pointing(directions: np.ndarray) -> np.ndarray:
    """Images uint8 [n, S, S, 1] whose first three pixels are the direction."""
    images = np.zeros((len(directions), SIZE, SIZE, 1), np.uint8)
    images[:, 0, :3, 0] = directions
    return images


class FakeRecords(list):
    """Annotations with a vocabulary."""

    labels: tuple[str, ...] = ()


class FakeEvaluationData(EvaluationData):
    """Evaluation data of given studies."""

    def __init__(self, *members: FakeStudies, size: int = SIZE) -> None:
        super().__init__("nowhere", size, "pad", progress=False)
        self.records: dict[type, FakeRecords] = {}
        self._members = {(m.name, m.split): m for m in members}

    def studies(self, dataset: str, split: str) -> FakeStudies:
        return self._members[dataset, split]

    def annotations(self, dataset: str, kind: type, split: str) -> "FakeRecords":
        return self.records[kind]

    def exclusion(self, dataset: str) -> str:
        return "digest"

    def truth_names(self, dataset: str) -> tuple[str, ...]:
        return ()

    def images(self, dataset: str, split: str, rows: np.ndarray) -> np.ndarray:
        return self._members[dataset, split].pictures[np.asarray(rows, np.int64)]

    def numbered_images(
        self, dataset: str, split: str, rows: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """The picture of a row, of image 1 upside down."""
        pictures = self.images(dataset, split, rows)
        return np.where(np.asarray(numbers)[:, None, None, None] == 1, pictures[:, ::-1], pictures)


def context(*members: FakeStudies, system: nnx.Module | None = None) -> EvaluationContext:
    """A context with the fake system and the given studies."""
    system = system or FakeSystem()
    size = system.preprocess.square
    embedder = Embedder(system, FakeTokenizer(), size, LENGTH, batch_size=4)
    return EvaluationContext(embedder, FakeEvaluationData(*members, size=size))
