# SPDX-License-Identifier: Apache-2.0
"""Words on which a known score rests are found, and shown only where they may be."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.evaluate.protocols.word_attribution import (
    WordAttributionOptions,
    word_attribution,
)
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.embedder import Embedder
from medst_jax.evaluate.suite import parse_suite, run_suite
from tests.evaluate.fakes import (
    FakeSystem,
    FakeTokenizer,
    ImageOnlySystem,
    context,
    pointing,
    studies,
)

VOCABULARY = ("pad", "edema", "fracture", "heart", "normal", "present.", "size.")
OPTIONS = WordAttributionOptions("fake")


class Words(FakeTokenizer):
    def encode_batch(self, texts: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        tokens = np.zeros((len(texts), 12), np.int32)
        for row, text in enumerate(texts):
            ids = [VOCABULARY.index(word) for word in text.lower().split()]
            tokens[row, : len(ids)] = ids
        return tokens, tokens > 0


class Counts(FakeSystem):
    """The first two pixels say which finding there is; the score counts its name in the text."""

    def text_scores(self, image: jax.Array, tokens: jax.Array, token_mask: jax.Array) -> jax.Array:
        shown = image.reshape(-1)[:2].astype(jnp.float32) / 255
        named = jnp.stack([(tokens == k).sum(1) for k in (1, 2)], axis=1)
        return named @ shown


def made(system: FakeSystem, *, redistributable: bool = True) -> EvaluationContext:
    kinds = np.arange(40) % 2
    directions = np.zeros((40, 3), int)
    directions[np.arange(40), kinds] = 255
    reports = tuple(f"Heart normal size. {('Edema', 'Fracture')[kind]} present." for kind in kinds)
    base = studies(
        pointing(directions),
        ("A",),
        np.zeros((40, 1)),
        reports=reports,
        redistributable=redistributable,
    )
    result = context(base, system=system)
    embedder = Embedder(system, Words(), 8, 12, batch_size=4)
    return dataclasses.replace(result, embedder=embedder)


@pytest.fixture(autouse=True)
def sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(split: object, row: int) -> list[str]:
        return [f"{part.strip('.')}." for part in split.reports[row].split(". ") if part]

    monkeypatch.setattr("medst_jax.evaluate.protocols.word_attribution.report_sentences", cut)


def test_the_name_of_the_finding_bears_the_score() -> None:
    outcome = word_attribution(OPTIONS, made(Counts()))
    found = {p.name: p.predictions.scores[0, :, 0].mean() for p in outcome.parts}
    # One of the two affirming words bears it, three others and the second nothing: 1/2 + 1/2 * 1/2.
    assert found["own image"] == pytest.approx(0.75)
    assert 0.5 <= found["other_patient"] <= 0.75
    assert found["position"] == 0.0  # findings come last here
    first = outcome.attributions[0]
    assert first.words[int(np.argmax(first.values))] in ("Edema", "Fracture")


def test_the_report_colours_words_where_they_may_be_shown() -> None:
    values = {"protocol": "word_attribution", **dataclasses.asdict(OPTIONS)}
    suite, tasks = parse_suite({"tasks": {"words": values}})
    for allowed in (True, False):
        shown = made(Counts(), redistributable=allowed)
        result = run_suite(suite, tasks, shown, SystemUnderTest("fake"))
        page = render(ReportOptions("t"), result, shown.data, SystemUnderTest("fake"))
        assert ("<mark" in page) == allowed and ("Fracture" in page) == allowed
        assert ("words/own image", "word_auroc") in {(r.task, r.metric) for r in result.rows}


def test_what_cannot_be_attributed() -> None:
    with pytest.raises(NotApplicable, match="scores no texts of an image"):
        word_attribution(OPTIONS, made(ImageOnlySystem()))
    silent = made(Counts())
    split = silent.data.studies("fake", "test")
    split.reports = ("Heart normal size.",) * 40
    with pytest.raises(NotApplicable, match="no report that affirms a finding"):
        word_attribution(OPTIONS, silent)
    with pytest.raises(ValueError, match="limit is 0"):
        WordAttributionOptions("fake", limit=0)
