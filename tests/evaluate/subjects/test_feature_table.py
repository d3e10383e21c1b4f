# SPDX-License-Identifier: Apache-2.0
"""Features computed elsewhere, met by image id, probed like any encoder's."""

import pathlib
import re

import numpy as np
import pytest

from medst_jax.evaluate.protocols.linear_probe import LinearProbeOptions, linear_probe
from medst_jax.evaluate.protocols.phrase_grounding import (
    PhraseGroundingOptions,
    phrase_grounding,
)
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions, zero_shot
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.feature_table import feature_table_context
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import FakeEvaluationData, pointing, studies

COUNT = 40
TASK = TaskOptions("fake", classes=("East", "North"))


def _evaluation_data() -> FakeEvaluationData:
    codes = np.eye(2, dtype=int)[np.arange(COUNT) % 2]
    return FakeEvaluationData(studies(pointing(np.ones((COUNT, 3))), ("East", "North"), codes))


def _write(path: pathlib.Path, ids: list[str], features: np.ndarray) -> pathlib.Path:
    np.savez(path, image_id=np.array(ids), features=features)
    return path


def test_a_probe_reads_the_rows_of_its_images(tmp_path: pathlib.Path) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    signal = np.eye(2)[np.arange(COUNT) % 2]
    ids = [f"image-{k}" for k in order]
    context = feature_table_context(
        _write(tmp_path / "f.npz", ids, signal[order]), _evaluation_data()
    )
    np.testing.assert_array_equal(
        context.embed("fake", "test", np.array([5, 2])).features, signal[[5, 2]]
    )
    outcome = linear_probe(LinearProbeOptions(TASK, shots=(2,), draws=1), context)
    assert (outcome.parts[0].predictions.predicted() == outcome.parts[0].predictions.targets).all()
    with pytest.raises(NotApplicable, match="relates no sentence"):
        phrase_grounding(PhraseGroundingOptions("fake", "fake"), context)
    with pytest.raises(NotApplicable, match="no text encoder"):
        zero_shot(ZeroShotOptions(TASK, mode="text", prompts="names"), context)


def test_images_without_features_are_counted(tmp_path: pathlib.Path) -> None:
    ids = [f"image-{k}" for k in range(COUNT - 3)]
    context = feature_table_context(
        _write(tmp_path / "f.npz", ids, np.ones((COUNT - 3, 2))), _evaluation_data()
    )
    with pytest.raises(ValueError, match=f"no features of 3 of {COUNT} images of fake/test"):
        context.embed("fake", "test", np.arange(COUNT))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(features=np.ones((2, 2))), "no array image_id"),
        (dict(image_id=np.array(["a"]), features=np.ones((2, 2))), "must be [N] and [N, D]"),
        (dict(image_id=np.array(["a", "a"]), features=np.ones((2, 2))), "1 images more than once"),
        (dict(image_id=np.array(["a"]), features=np.full((1, 2), np.nan)), "not finite for 1"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: pathlib.Path, arrays, message) -> None:
    np.savez(tmp_path / "f.npz", **arrays)
    with pytest.raises(ValueError, match=re.escape(message)):
        feature_table_context(tmp_path / "f.npz", _evaluation_data())
