# SPDX-License-Identifier: Apache-2.0
"""Prepared data sets and options that the input's tests share."""

import pathlib
from typing import Any

import numpy as np
import pytest

from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.tokenize.tokenizer import Tokenizer
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.raw import RawImage, RawSentence, RawStudy
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.data_pipelines.vocabulary import train_vocabulary
from medst_jax.options import parse


class Ward:
    """Studies of given label codes, with repeated views, and reports with context only."""

    def __init__(self, name, codes):
        self.name = name
        self.codes = codes
        self.labels = ("Edema", "Mass")
        self.card = {"licence": "CC0", "redistributable": True, "description": "codes"}
        self.truth_features = {}

    def units(self):
        return ["0"]

    def unit_hash(self, unit):
        return "2"

    def studies(self, unit):
        for k, (edema, mass) in enumerate(self.codes):
            views = {0: ("PA", "AP", "LATERAL"), 1: ("LATERAL",)}.get(k, ("AP",))
            names = ("INDICATION", "FINDINGS") if k % 2 == 0 else ("INDICATION",)
            texts = {"INDICATION": "fever.", "FINDINGS": "there is edema. no mass. ___."}
            sentences = [RawSentence(0, 0, 6)]
            if "FINDINGS" in names:
                sentences += [
                    RawSentence(1, 0, 15, {"Edema": 1}),
                    RawSentence(1, 16, 24, {"Mass": 0}),
                    RawSentence(1, 25, 29),
                ]
            yield RawStudy(
                patient_id=f"w{k}",
                study_id=f"w{k}s",
                study_index=0,
                study_days=0.0,
                images=tuple(
                    RawImage(f"w{k}_{i}", view, np.full((20, 24), 40 * i + 50, np.uint8))
                    for i, view in enumerate(views)
                ),
                sections=tuple((name, texts[name]) for name in names),
                sentences=tuple(sentences),
                labels={"Edema": edema, "Mass": mass},
                split="train",
                severity=k if k < 4 else -1,
            )


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Data sets `reports` (text and labels), `labelled` (no text), `ward` (every label code),
    `clinic` (a class that is positive or blank), `unread` (a study that nobody labelled) and `histories` (30 patients of 1-3 studies)."""
    folder = tmp_path_factory.mktemp("data")
    write_fixture(folder, "reports", patients=16, size=24)
    write_fixture(
        folder, "labelled", patients=10, size=24, labels=("edema", "Nodule"), reports=False
    )
    write_fixture(folder, "histories", patients=30, size=16, splits=("train",), seed=3)
    every_code = ((1, 0), (0, -1), (-1, -2), (-2, 1), (1, 1), (0, 0), (0, -2), (-1, 0))
    wards = (
        Ward("ward", every_code),
        Ward("clinic", ((1, 1), (0, -2), (0, -2), (1, 1))),
        Ward("unread", ((1, 0), (1, 1), (0, 1), (-3, -3), (0, 0), (-2, -2))),
    )
    for source in wards:
        build(source, folder, BuildOptions(runner=Runner(workers=1)))
    train_vocabulary(folder, ["reports", "labelled", "ward"], "words", 200)
    return folder


@pytest.fixture(scope="session")
def tokenizer(data_dir: pathlib.Path) -> Tokenizer:
    return Tokenizer.load(data_dir / "vocabulary" / "words.model")


@pytest.fixture
def options(data_dir: pathlib.Path):
    """Makes DataOptions of a mixture, small by default."""

    def make(mixture: dict[str, Any], **changes: Any) -> DataOptions:
        values = dict(data_dir=str(data_dir), size=16, text_length=24, mixture=mixture, threads=2)
        return parse(DataOptions, {**values, **changes}, "config.data")

    return make
