# SPDX-License-Identifier: Apache-2.0
"""The evaluation data of one folder: studies, tasks, annotations and images, each read once."""

from typing import TypeVar

import numpy as np
from etils import epath

from medst_jax.data.images import Decode, Fit
from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.annotations import (
    CONFIGS,
    Annotations,
    ImagePair,
    Phrase,
    SentencePair,
    Text,
    annotation_dir,
    open_annotations,
    read_annotation_info,
)
from medst_jax.data.records.joined import ALL, open_all_annotations, open_all_studies
from medst_jax.data.records.studies import Studies, damaged_remedy, dataset_dir, open_studies
from medst_jax.evaluate.subjects.groups import image_groups
from medst_jax.evaluate.subjects.images import Square, frontal_images, numbered_images, square_of
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions, select
from medst_jax.files.reading import read_json

T = TypeVar("T", bound=Phrase | ImagePair | SentencePair | Text)


class EvaluationData:
    """The evaluation data of one folder; opened, selected and (if kept) decoded once.

    Args:
      data_dir: folder that `prepare.py` wrote.
      size: S, side of the images.
      fit: "pad", "crop" or "stretch", as in training.
      decode: "scaled" or "full", as in training.
      square: how encoded bytes become a square of that size and fit; None as in training.
      keep_images: hold decoded images in memory; for evaluators that run again and again.
      progress: show progress bars.
    """

    def __init__(
        self,
        data_dir: epath.PathLike,
        size: int,
        fit: Fit,
        *,
        decode: Decode = "full",
        square: Square | None = None,
        keep_images: bool = False,
        progress: bool = True,
    ) -> None:
        self.size, self.progress = size, progress
        self.fit: Fit = fit
        self._square = square or square_of(size, fit, decode)
        self._data_dir, self._keep_images = data_dir, keep_images
        self._studies: dict[tuple[str, str], Studies] = {}
        self._tasks: dict[TaskOptions, Task] = {}
        self._groups: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
        self._images: dict[tuple[str, str, int], np.ndarray] = {}

    def studies(self, dataset: str, split: str) -> Studies:
        """The studies of a split, or of all of them as "all"; truth included, so for evaluators alone."""
        key = dataset, split
        if key not in self._studies:
            self._studies[key] = (
                open_all_studies(self._data_dir, dataset, truth=True)
                if split == ALL
                else open_studies(self._data_dir, dataset, split, truth=True)
            )
        return self._studies[key]

    def image_studies(self, dataset: str, split: str) -> Studies | None:
        """The studies of a split; None of a data set of texts alone, which has none."""
        texts = any(annotation_dir(self._data_dir, dataset, kind).exists() for kind in CONFIGS)
        if texts and not dataset_dir(self._data_dir, dataset).exists():
            return None
        return self.studies(dataset, split)

    def licence(self, dataset: str, split: str) -> str:
        """What the data set's source says; empty when it says nothing."""
        studies = self.image_studies(dataset, split)
        if studies is not None:
            return studies.info.get("licence") or ""
        kind = next(k for k in CONFIGS if annotation_dir(self._data_dir, dataset, k).exists())
        return read_annotation_info(self._data_dir, dataset, kind).get("licence") or ""

    def exclusion(self, dataset: str) -> str:
        """Digest of the data set's exclusion list, empty when it has none."""
        try:
            return read_exclusion(self._data_dir, (dataset,)).lists[dataset]
        except FileNotFoundError:
            return ""

    def task(self, options: TaskOptions) -> Task:
        """The selected images of a task."""
        if options not in self._tasks:
            studies = self.studies(options.dataset, options.split)
            self._tasks[options] = select(options, studies, self.truth_names(options.dataset))
        return self._tasks[options]

    def truth_names(self, dataset: str) -> tuple[str, ...]:
        """Names of the columns of `truth_findings`, from the data card; empty without truth."""
        card = dataset_dir(self._data_dir, dataset) / "data_card.json"
        values = read_json(card, damaged_remedy(card.parent, self._data_dir, dataset))
        return tuple(values.get("truth_finding_names", ()))

    def groups(self, dataset: str, split: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        """View, sex and age band of each row, see `image_groups`; a row is read once."""
        known = self._groups.setdefault((dataset, split), {})
        missing = [row for row in distinct_rows(rows) if row not in known]
        columns = image_groups(self.studies(dataset, split), np.asarray(missing, np.int64))
        for k, row in enumerate(missing):
            known[row] = {name: str(column[k]) for name, column in columns.items()}
        return {
            name: np.array([known[int(row)][name] for row in rows], dtype=str) for name in columns
        }

    def annotations(self, dataset: str, kind: type[T], split: str) -> Annotations[T]:
        """The records of a kind beside the studies: phrases, image or sentence pairs."""
        if split == ALL:
            config = next(name for name, one in CONFIGS.items() if one is kind)
            return open_all_annotations(self._data_dir, dataset, kind, config)
        return open_annotations(self._data_dir, dataset, kind, split)

    def numbered_images(
        self, dataset: str, split: str, rows: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """Images uint8 [N, S, S, 1] by row and number in the study, whatever their view."""
        places = list(zip(map(int, rows), map(int, numbers), strict=True))
        decoded = numbered_images(self.studies(dataset, split), places, self._square)
        return (
            np.stack(list(decoded)) if places else np.zeros((0, self.size, self.size, 1), np.uint8)
        )

    def images(self, dataset: str, split: str, rows: np.ndarray) -> np.ndarray:
        """Frontal images uint8 [N, S, S, 1] of the given rows."""
        loaded = self._images if self._keep_images else {}
        missing = [r for r in distinct_rows(rows) if (dataset, split, r) not in loaded]
        decoded = frontal_images(
            self.studies(dataset, split),
            missing,
            self._square,
            progress=self.progress,
        )
        loaded.update(zip(((dataset, split, r) for r in missing), decoded, strict=True))
        images = np.zeros((len(rows), self.size, self.size, 1), np.uint8)
        for k, row in enumerate(rows):
            images[k] = loaded[dataset, split, int(row)]
        return images


def distinct_rows(rows: np.ndarray) -> list[int]:
    """The rows, each once, in the order of their first place."""
    return list(dict.fromkeys(map(int, rows)))
