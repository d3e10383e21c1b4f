# SPDX-License-Identifier: Apache-2.0
"""The configs beside the studies: built, read back, and true to the studies they point to."""

import json
import os
import re
from collections import Counter

import numpy as np
import pytest

from medst_jax.data.records.annotations import (
    OF_STUDIES,
    RELATIONS,
    ImagePair,
    Phrase,
    SentencePair,
    Text,
    annotation_dir,
    open_annotations,
)
from medst_jax.data.records.studies import DamagedDataError, MissingDataError, open_studies
from medst_jax.data_pipelines.build import BuildOptions, build_all
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.data_pipelines.simulated_cxr.findings.findings import RARE_PLACES
from medst_jax.data_pipelines.simulated_cxr.reporter.sentence_pairs import COUNT, sentence_pairs
from medst_jax.data_pipelines.simulated_cxr.source import sources
from medst_jax.text import label_sentence

NAME = "simulated_cxr_e1"


def prepare(data_dir, patients=50):
    site = [s for s in sources(patients=patients, size=32, seed=1) if s.name == NAME]
    return next(build_all([(site[0], BuildOptions())], data_dir, Runner(workers=1)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("annotations")
    return data_dir, prepare(data_dir)


def splits(built, config):
    return built[1].annotations[config]["splits"]


def test_every_config_is_built_with_a_card(built):
    data_dir, result = built
    assert set(result.annotations) == set(OF_STUDIES)
    for config, info in result.annotations.items():
        folder = annotation_dir(data_dir, NAME, config)
        card = json.loads((folder / "data_card.json").read_text())
        assert card["fingerprint"] == info["fingerprint"]
        assert (folder / "data_card.html").read_text().startswith("<!doctype html>")
        assert sum(split["records"] for split in info["splits"].values()) > 0


def test_the_card_of_the_studies_measures_labels_and_text(built):
    _, result = built
    card = json.loads((result.directory / "data_card.json").read_text())
    # The labels of a site for evaluation are what can be seen.
    assert card["label_against_truth"]["overall"] == {"sensitivity": 1.0, "specificity": 1.0}
    assert 0.3 < card["text"]["negated_mentions"] < 0.8
    text = (result.directory / "data_card.html").read_text()
    assert "no figure is a clinical claim" in text and "FINDINGS" in text


def test_phrases_lie_in_their_image_and_say_what_is_there(built):
    data_dir, _ = built
    seen = 0
    for split in splits(built, "phrases"):
        studies = open_studies(data_dir, NAME, split, truth=True)
        for phrase in open_annotations(data_dir, NAME, Phrase, split):
            study = studies[phrase.row]
            image = study.images[phrase.image]
            assert phrase.text in "\n".join(text for _, text in study.sections)
            assert label_sentence(phrase.text)[phrase.finding] == 1
            x0, y0, x1, y1 = phrase.boxes.T
            assert (x0 < x1).all() and (y0 < y1).all() and phrase.boxes.min() >= 0
            assert x1.max() <= image.width and y1.max() <= image.height
            rows = np.asarray(study.truth["truth_boxes"])[phrase.masks]
            assert np.array_equal(rows[:, 2:], phrase.boxes)
            assert (rows[:, 0] == phrase.image).all()
            seen += 1
    assert seen > 20


def test_atypical_phrases_name_no_place_and_lie_where_the_finding_rarely_does(built):
    data_dir, _ = built
    studies = open_studies(data_dir, NAME, "atypical", truth=True)
    phrases = list(open_annotations(data_dir, NAME, Phrase, "atypical"))
    rare = {*RARE_PLACES, "Pneumonia"}
    places = re.compile(r"\b(right|left|upper|lower|mid|lobe|base|bas\w+|apex|apical|zone)\b")
    assert {phrase.finding for phrase in phrases} <= rare
    assert not any(places.search(phrase.text.lower()) for phrase in phrases)
    patients = {studies[phrase.row].patient for phrase in phrases}
    # Of a cohort of 2,000 patients 300 at a site; this one has 50.
    assert len(phrases) > 300 * 50 / 2000 and len(patients) > 4


def test_image_pairs_are_successive_studies_of_a_patient(built):
    data_dir, _ = built
    seen = 0
    for split in splits(built, "image_pairs"):
        studies = open_studies(data_dir, NAME, split)
        for pair in open_annotations(data_dir, NAME, ImagePair, split):
            current, prior = studies[pair.row], studies[pair.prior_row]
            assert current.patient == prior.patient
            assert current.study_index == prior.study_index + 1
            assert current.images[pair.image].view in ("PA", "AP")
            assert prior.images[pair.prior_image].view in ("PA", "AP")
            assert np.array_equal(pair.progression, current.progression)
            assert pair.quality == "consensus" and (pair.progression != -2).any()
            seen += 1
    assert seen > 3


def test_texts_are_the_reports(built):
    data_dir, _ = built
    for split in splits(built, "texts"):
        studies = open_studies(data_dir, NAME, split)
        corpus = open_annotations(data_dir, NAME, Text, split)
        assert len(corpus) == len(studies)
        assert corpus[0].language == "en"
        assert all(text in corpus[-1].text for _, text in studies[len(studies) - 1].sections)


def test_sentence_pairs_read_back(built):
    data_dir, _ = built
    pairs = open_annotations(data_dir, NAME, SentencePair, "test")
    assert pairs[:] == list(pairs)
    assert list(pairs) == list(sentence_pairs(1, "e1", "e1"))


@pytest.mark.parametrize("style", ["m", "e1", "e2"])
def test_sentence_pairs_relate_as_they_say(style):
    pairs = list(sentence_pairs(0, style, style))
    assert {pair.relation for pair in pairs} == set(RELATIONS)
    assert Counter(pair.subset for pair in pairs) == {"progression": COUNT, "presence": COUNT}
    assert len({(pair.text_a, pair.text_b) for pair in pairs}) == len(pairs)
    for pair in pairs:
        first, second = label_sentence(pair.text_a), label_sentence(pair.text_b)
        affirmed = {name for name, code in first.items() if code == 1 and name}
        if pair.relation == "contradiction":
            assert any(second.get(name) == 0 for name in affirmed | {"Consolidation"}), pair
        elif pair.relation == "entailment":
            assert any(second.get(name) == 1 for name in affirmed), pair
        elif pair.relation == "neutral":
            assert not (affirmed - {"Lung Opacity"}) & set(second), pair


def test_a_second_build_writes_nothing_and_another_folder_gives_the_same(built, tmp_path):
    data_dir, result = built
    path = annotation_dir(data_dir, NAME, "phrases") / "dataset.json"
    before = os.stat(path).st_mtime_ns
    again = prepare(data_dir)
    assert not again.built and os.stat(path).st_mtime_ns == before
    other = prepare(tmp_path)
    for config, info in result.annotations.items():
        assert other.annotations[config]["fingerprint"] == info["fingerprint"]


def test_what_is_missing_is_named(built, tmp_path):
    data_dir, _ = built
    with pytest.raises(MissingDataError, match="(?s)no phrases.*prepare.py"):
        open_annotations(tmp_path, NAME, Phrase, "test")
    with pytest.raises(MissingDataError, match="no split 'train'"):
        open_annotations(data_dir, NAME, Phrase, "train")


def test_a_damaged_file_is_named_and_written_again(tmp_path):
    prepare(tmp_path, patients=4)
    file = next(annotation_dir(tmp_path, NAME, "texts").glob("*-test.array_record-*"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedDataError, match="instead of"):
        open_annotations(tmp_path, NAME, Text, "test")
    prepare(tmp_path, patients=4)
    assert len(open_annotations(tmp_path, NAME, Text, "test"))
