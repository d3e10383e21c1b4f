# SPDX-License-Identifier: Apache-2.0
"""What a claim asks for is in the texts and images that its configuration really draws.

No system can learn a course from impressions that never tell one, and none can point where no text says
where. So each claim about time, place and severity is held to the small variant's own batches: the words
that are left after the text is cut, the priors that come with them, and the pixels that change.
"""

import importlib
import itertools
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece

from experiments.taught import facts
from experiments.taught.comparisons import compared
from experiments.taught.pairs import image_pairs
from medst_jax.configs.evaluate import edema_claims, place_claims, temporal_claims
from medst_jax.data.loader.input import load_tokenizer, make_input
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import NATURAL
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.data_pipelines.simulated_cxr.source import sources
from medst_jax.data_pipelines.vocabulary import train_vocabulary
from medst_jax.evaluate.protocols.parts.location_baseline import place
from medst_jax.options import parse
from medst_jax.systems.registry import system_class

PATIENTS, SIDE, BATCH, BATCHES = 150, 32, 64, 4
PRIORS, SEQUENCES, PLACED = ("biovil_t",), ("medst",), (*place_claims.CLAIMS, "biovil")
EDEMA = "mutual_information"
FRONTAL = replace(SITES["e1"], lateral=0.0, reports=False)
Drawn = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Drawn]:
    """By system, `BATCHES` batches of its small variant with the words that its tokens stand for."""
    folder = tmp_path_factory.mktemp("signal")
    made = {one.name: one for one in sources(patients=PATIENTS, size=SIDE, seed=11)}
    build(made["simulated_cxr_m"], folder, BuildOptions())
    vocabulary = train_vocabulary(folder, ["simulated_cxr_m"], "simulated_cxr", 1000)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))

    def read(system: str) -> Drawn:
        return batches_of(folder, pieces, system)

    return read


def batches_of(
    folder: pathlib.Path, pieces: sentencepiece.SentencePieceProcessor, system: str
) -> Drawn:
    config = importlib.import_module(f"medst_jax.configs.{system}").get_config("smoke")
    values = {**config.data.to_dict(), "data_dir": str(folder), "size": SIDE, "threads": 2}
    options = parse(DataOptions, values, "config.data")
    keys = system_class(config.system.name).required_keys
    made = make_input(
        options,
        seed=0,
        global_batch=BATCH,
        tokenizer=load_tokenizer(options),
        required_keys=keys,
    )
    stream: Iterator[Drawn] = made.batches(0)
    taken = [next(stream) for _ in range(BATCHES)]
    together = {key: np.concatenate([np.asarray(one[key]) for one in taken]) for key in taken[0]}
    for batch, one in enumerate(taken):  # rows of a pack are numbered within their batch
        if "sequence_rows" in one:
            rows = np.asarray(one["sequence_rows"])
            shifted = np.where(rows >= 0, rows + batch * BATCH, -1)
            part = len(rows)
            together["sequence_rows"][batch * part : (batch + 1) * part] = shifted
    if "tokens" in together:
        read = zip(together["tokens"], together["token_mask"], strict=True)
        texts = [pieces.decode(row[kept].tolist()) for row, kept in read]
        together["words"] = np.array(texts, str)
    return together


def share(found: Iterator[bool] | list[bool]) -> float:
    return float(np.mean(list(found)))


def sentences_of(words: str) -> list[str]:
    return [part for part in words.replace("?", ".").split(".") if part.strip()]


def test_every_claim_about_time_and_place_is_held_to_its_signal() -> None:
    assert {*PRIORS, *SEQUENCES, *PLACED} == {*temporal_claims.CLAIMS, *place_claims.CLAIMS}
    assert EDEMA in edema_claims.CLAIMS


@pytest.mark.parametrize("system", PRIORS)
def test_texts_with_a_prior_tell_the_course(drawn, system):
    """A quarter of the rows has a prior image and words of change, and all three directions occur."""
    batch = drawn(system)
    with_prior = batch["has_prior"].astype(bool)
    assert 0.4 < with_prior.mean() < 0.95
    found = [compared(words) for words in batch["words"][with_prior]]
    assert share(c is not None for c in found) > 0.35
    codes = [c.code for c in found if c is not None]
    assert all(codes.count(code) > 0.12 * len(codes) for code in (-1, 0, 1))
    different = batch["prior_frontal"][with_prior] != batch["frontal"][with_prior]
    assert different.any((1, 2, 3)).all()


@pytest.mark.parametrize("system", SEQUENCES)
def test_texts_of_a_patient_differ_from_study_to_study(drawn, system):
    """Half of a patient's successive texts state another set of findings, sides or sizes."""
    batch = drawn(system)
    told = facts.said([sentences_of(words) for words in batch["words"]])
    stated = np.concatenate([told.present, told.right, told.severity], axis=1)
    pairs = [
        (a, b)
        for row in batch["sequence_rows"]
        for a, b in itertools.pairwise(row)
        if a >= 0 and b >= 0
    ]
    assert len(pairs) > BATCH
    other = [not np.array_equal(stated[a], stated[b], equal_nan=True) for a, b in pairs]
    assert share(other) > 0.5


@pytest.mark.parametrize("system", PLACED)
def test_texts_say_where_findings_are(drawn, system):
    """Of findings that have a side, most texts name it, and many the zone."""
    words = drawn(system)["words"]
    told = facts.said([sentences_of(text) for text in words])
    sided = [
        facts.NAMES.index(name) for name in ("Consolidation", "Pleural Effusion", "Atelectasis")
    ]
    affirmed = (told.present[:, sided] == 1).any(1)
    assert affirmed.mean() > 0.15
    places = [place("", text) for text in words[affirmed]]
    assert share(bool(side) for _, side, _ in places) > 0.7
    assert share(bool(zone) for _, _, zone in places) > 0.3


def test_texts_name_edema(drawn):
    """Mutual information has nothing else to learn grades from."""
    texts = [text.lower() for text in drawn(EDEMA)["words"]]
    assert share("edema" in text or "vascular" in text for text in texts) > 0.03


def test_every_grade_of_edema_is_judged_and_can_be_seen():
    grades, seen = [], []
    for number in range(PATIENTS):
        for study in patient_studies(Case(FRONTAL, 11, number, SIDE, NATURAL)):
            grades.append(study.severity)
            seen.append(int(study.truth["truth_visible_in"][FINDINGS.index("Edema")]) & 1)
    for grade in (1, 2, 3):
        own = np.array(grades) == grade
        assert own.mean() > 0.015 and np.array(seen)[own].mean() > 0.95


def test_changes_of_the_judged_pairs_are_in_the_pixels():
    """Where an effusion is, pixels brighten with its severity, although both images differ in all else."""
    pairs = image_pairs(1_000_000, 1_000_300, seed=11, size=64)
    later = slice(1, None, 2)  # every pair comes a second time, reversed
    images = pairs["image"][later].astype(np.float32)
    part = images.shape[-1] // facts.GRID
    cells = images.reshape(len(images), 2, facts.GRID, part, facts.GRID, part).mean((3, 5))
    cells = cells.reshape(len(images), 2, -1)
    moved = np.diff((cells - cells.mean(-1, keepdims=True)) / cells.std(-1, keepdims=True), axis=1)
    column = facts.NAMES.index("Pleural Effusion")
    severity = pairs["severity"][:, column]
    change = severity[1::2] - severity[::2]
    inside = (pairs["region"][1::2] | pairs["region"][::2])[:, column] > 0
    seen = pairs["present"][:, column] == 1
    rows = ~np.isnan(pairs["change"][later, column]) & seen[1::2] & seen[::2]
    mean = [
        row[where].mean() - row[~where].mean()
        for row, where in zip(moved[rows, 0], inside[rows], strict=True)
    ]
    assert np.corrcoef(mean, change[rows])[0, 1] > 0.2
