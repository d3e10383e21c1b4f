# SPDX-License-Identifier: Apache-2.0
"""What makes a number untrustworthy: seen patients, and images made another way than in training."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from medst_jax.data.records.studies import Studies
from medst_jax.evaluate.statistics.rows import CONTAMINATED, Exposure, worst
from medst_jax.evaluate.subjects.known_training import Training, exposure

TRAINING_SPLIT = "train"  # the only split that no exclusion list holds
POSSIBLY_CONTAMINATED = "possibly contaminated"
CLEAN, EXPOSURE_UNKNOWN = "clean", "training data unknown"
IN_EXPOSURE = (CLEAN, EXPOSURE_UNKNOWN)  # said by a row's `exposure`, and no caution besides
_DIFFERENT = "intensity differs from training"


@dataclasses.dataclass(frozen=True)
class SystemUnderTest:
    """Whose numbers these are.

    Attributes:
      name, seed: the system and its training seed.
      stamp: what `TrainInput.stamp` recorded; empty for baselines that were not trained.
      trained: data set to the split that training read.
      training: of an encoder of another project, what is known of its training; None for others.
      starts: what is known of the weights that the training of a checkpoint started from.
    """

    name: str
    seed: int = 0
    stamp: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trained: Mapping[str, str] = dataclasses.field(default_factory=dict)
    training: Training | None = None
    starts: tuple[Training, ...] = ()


def exposure_of(
    dataset: str, split: str, studies: Studies | None, exclusion: str, system: SystemUnderTest
) -> Exposure:
    """Whether a system has seen an evaluation split, as far as is known.

    Args:
      dataset, split: that is evaluated on.
      studies: its studies; None for a set of texts.
      exclusion: digest of the data set's exclusion list, empty when it has none.
      system: the system and what it was trained on. One without stamp and without known training
        was trained on nothing.
    """
    if system.training is not None:
        return exposure(system.training, dataset, split)
    starts = [exposure(training, dataset, split) for training in system.starts]
    return worst((_own(dataset, split, studies, exclusion, system), *starts))


def _own(
    dataset: str, split: str, studies: Studies | None, exclusion: str, system: SystemUnderTest
) -> Exposure:
    """By the training of this project alone."""
    if not system.stamp:
        return "clean"
    if studies is not None:
        if _contaminated(studies, exclusion, system):
            return "contaminated"
        if _related(studies, system):
            return "unknown"
        if exclusion and split != TRAINING_SPLIT:
            return "clean"  # the training left these patients out, whatever it read
    return exposure(Training(system.trained, "its stamp"), dataset, split)


def cautions(studies: Studies, exclusion: str, system: SystemUnderTest) -> dict[str, str]:
    """Short notes for the rows measured on these studies, each with a sentence for the report.

    Args:
      studies: an evaluation split.
      exclusion: digest of the data set's exclusion list, empty when it has none.
      system: the system and what it was trained on.
    """
    name = f"{studies.name}/{studies.split}"
    if system.training is not None:
        return _foreign(name, exposure(system.training, studies.name, studies.split), system)
    if not system.stamp:
        return {}
    notes = _of_starts(studies, system)
    if _contaminated(studies, exclusion, system):
        notes[CONTAMINATED] = (
            f"{name}: the checkpoint's stamp does not say that these patients were left out of "
            "training; its numbers are marked contaminated."
        )
    elif others := _related(studies, system):
        notes[POSSIBLY_CONTAMINATED] = (
            f"{name} has images of {', '.join(others)} under other ids, and the system was trained "
            "on it: which of these patients it has seen cannot be told."
        )
    for short, sentence in studies.info.get("cautions", {}).items():
        notes[short] = f"{name}: {sentence}."
    own = studies.info.get("intensity")
    others = sorted({str(i) for i in system.stamp.get("intensity", {}).values()} - {str(own)})
    if own is not None and others:
        notes[_DIFFERENT] = (
            f"{name} was built with intensity {own!r}, training data with "
            f"{', '.join(map(repr, others))}: grey values may not mean the same."
        )
    return notes


def _foreign(name: str, seen: str, system: SystemUnderTest) -> dict[str, str]:
    """The note of an encoder of another project, and its sentence."""
    assert system.training is not None
    source = system.training.source
    if seen == "contaminated":
        return {CONTAMINATED: f"{name}: the encoder was trained on these images ({source})."}
    if seen == "clean":
        return {CLEAN: f"{name}: the encoder was not trained on these images ({source})."}
    return {
        EXPOSURE_UNKNOWN: (
            f"{name}: whether the encoder was trained on these images is not known ({source}); say "
            "what you know with --trained_on."
        )
    }


def _of_starts(studies: Studies, system: SystemUnderTest) -> dict[str, str]:
    """Notes on the weights that a training started from, where these are not clean."""
    name = f"{studies.name}/{studies.split}"
    notes = {}
    for training in system.starts:
        seen = exposure(training, studies.name, studies.split)
        if seen == "contaminated":
            notes[CONTAMINATED] = (
                f"{name}: weights that the training started from were trained on these images "
                f"({training.source})."
            )
        elif seen == "unknown":
            notes[EXPOSURE_UNKNOWN] = (
                f"{name}: whether weights that the training started from were trained on these "
                f"images is not known ({training.source}); say what you know with --trained_on."
            )
    return notes


def _related(studies: Studies, system: SystemUnderTest) -> list[str]:
    """Data sets of the training that share images with this one under ids that do not match."""
    shared = {
        row["part"] if row["whole"] == studies.name else row["whole"]
        for row in studies.info.get("overlaps", ())
        if row["ids"] == "new"
    }
    return sorted(shared & set(system.trained))


def _contaminated(studies: Studies, exclusion: str, system: SystemUnderTest) -> bool:
    if system.trained.get(studies.name) == studies.split:
        return True
    if studies.split == TRAINING_SPLIT or not exclusion:
        return False
    # A list of another build of this data set may hold other patients.
    return system.stamp.get("exclude", {}).get(studies.name) != exclusion
