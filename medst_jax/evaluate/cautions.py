# SPDX-License-Identifier: Apache-2.0
"""What makes a number untrustworthy: seen patients, and images made another way than in training."""

from collections.abc import Mapping
from typing import Any

from medst_jax.data.studies import Studies
from medst_jax.evaluate.rows import CONTAMINATED


def data_notes(studies: Studies, stamp: Mapping[str, Any]) -> tuple[str, ...]:
    """Short notes for the rows measured on these studies; none where nothing is known of training.

    Args:
      studies: an evaluation split.
      stamp: what `TrainInput.stamp` recorded; empty for baselines that were not trained.
    """
    if not stamp:
        return ()
    notes = []
    if contaminated(studies, stamp):
        notes.append(CONTAMINATED)
    if len(_other_intensities(studies, stamp)):
        notes.append("intensity differs from training")
    return tuple(notes)


def explanations(studies: Studies, stamp: Mapping[str, Any]) -> tuple[str, ...]:
    """The notes as sentences for a report."""
    name = f"{studies.name}/{studies.split}"
    found = []
    if stamp and contaminated(studies, stamp):
        found.append(
            f"{name}: the checkpoint's stamp does not say that the patients of this evaluation set "
            "were left out of training, or it was trained on this very split; its numbers are "
            "marked contaminated."
        )
    others = _other_intensities(studies, stamp)
    if others:
        found.append(
            f"{name} was built with intensity {studies.info.get('intensity')!r}, training data "
            f"with {', '.join(map(repr, others))}: grey values may not mean the same."
        )
    return tuple(found)


def contaminated(studies: Studies, stamp: Mapping[str, Any]) -> bool:
    """Whether training may have seen these patients.

    Splits of a data set are disjoint by patient, so training on another split of the same data
    set is clean; an evaluation-only data set must be in the exclusion list of the run.
    """
    trained = {
        (name, entry.get("split")) for name, entry in stamp.get("datasets", {}).items()
    }
    if (studies.name, studies.split) in trained:
        return True
    if any(name == studies.name for name, _ in trained):
        return False
    return bool(studies.info.get("evaluation")) and studies.name not in stamp.get("exclude", ())


def _other_intensities(studies: Studies, stamp: Mapping[str, Any]) -> list[str]:
    trained = {entry.get("intensity") for entry in stamp.get("datasets", {}).values()}
    own = studies.info.get("intensity")
    return sorted(str(i) for i in trained if own is not None and i is not None and i != own)
