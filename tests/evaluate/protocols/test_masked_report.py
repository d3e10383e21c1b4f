# SPDX-License-Identifier: Apache-2.0
"""The gain of an image for hidden words: by a system whose errors are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.evaluate.protocols.masked_report import MaskedReportOptions, masked_report
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.embedder import Embedder
from tests.evaluate.fakes import (
    LENGTH,
    SIZE,
    FakeSystem,
    FakeTokenizer,
    context,
    pointing,
    studies,
)

REPORTS = ("east", "north", "up", "east", "", "north")
DIRECTIONS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 255, 0], [9, 9, 9], [0, 255, 0]])


class Words(FakeTokenizer):
    def word_index(self, tokens: np.ndarray) -> np.ndarray:
        return np.where(tokens > 0, 0, -1)


class Restoring(FakeSystem):
    """An error of 1 nat where the image points as its report says, of 3 where not."""

    restores_reports = True

    def masked_report_errors(
        self,
        images: jax.Array,
        tokens: jax.Array,
        token_mask: jax.Array,
        word_index: jax.Array,
        keys: jax.Array,
    ) -> jax.Array:
        alike = jnp.sum(
            self.encode_image(images).global_ * self.encode_text(tokens, token_mask)[0], 1
        )
        hidden = jnp.any((word_index >= 0) & token_mask, axis=1)
        return jnp.where(hidden, 3.0 - 2.0 * alike, jnp.nan)


def made(system: FakeSystem, patients: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> EvaluationContext:
    base = studies(
        pointing(DIRECTIONS),
        ("A",),
        np.zeros((6, 1)),
        patients=np.array(patients),
        reports=REPORTS,
    )
    result = context(base, system=system)
    return dataclasses.replace(result, embedder=Embedder(system, Words(), SIZE, LENGTH, 4))


def test_the_gain_is_the_other_patients_error_less_the_own() -> None:
    outcome = masked_report(MaskedReportOptions("fake"), made(Restoring()))
    (part,) = outcome.parts
    assert part.predictions.classes == ("image_gain", "own_image", "other_patient")
    assert sorted(part.rows) == [0, 1, 2, 3, 5]  # one has no report
    numbers = dict(zip(part.rows.tolist(), part.predictions.scores[0].tolist(), strict=True))
    assert {row: n[1] for row, n in numbers.items()} == {0: 1, 1: 1, 2: 1, 3: 3, 5: 1}
    for gain, own, other in numbers.values():
        assert gain == other - own and other in (1.0, 3.0)


def test_fewer_reports_where_so_many_are_asked_for() -> None:
    outcome = masked_report(MaskedReportOptions("fake", limit=3), made(Restoring()))
    assert len(outcome.parts[0].rows) == 3
    with pytest.raises(ValueError, match="limit is 1"):
        MaskedReportOptions("fake", limit=1)


def test_it_is_of_systems_that_restore_reports_and_of_two_patients() -> None:
    with pytest.raises(NotApplicable, match="restores no hidden words"):
        masked_report(MaskedReportOptions("fake"), made(FakeSystem()))
    with pytest.raises(NotApplicable, match="no two patients"):
        masked_report(MaskedReportOptions("fake"), made(Restoring(), (7,) * 6))


def test_a_suite_names_it() -> None:
    entry = parse_protocol({"protocol": "masked_report", "dataset": "fake"}, "suite.tasks.x")
    assert entry.needs() == (("fake", "test"),)
    assert len(entry.run(made(Restoring())).parts) == 1
