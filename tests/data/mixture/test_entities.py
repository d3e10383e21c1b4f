# SPDX-License-Identifier: Apache-2.0
"""Entities and places of reports: stored, read back into batches, shuffled in controls."""

import json
import shutil

import numpy as np
import pytest

from medst_jax.data.loader.input import make_input
from medst_jax.data.mixture.entities import EntityTable, mixture_entities, read_entities
from medst_jax.data.records.annotations import StudyEntities, open_annotations
from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.entities import write_entities
from medst_jax.data_pipelines.radgraph import reader
from medst_jax.options import OptionError
from medst_jax.text.places import ENTITIES, PLACES

KEYS = ("entities", "entity_place", "entity_places", "example", "study")


@pytest.fixture(scope="module")
def mined(data_dir):
    return write_entities(data_dir, "ward")


def _input(options, tokenizer, **changes):
    return make_input(
        options({"ward": {"sentences": "all"}}, **changes),
        seed=0,
        global_batch=4,
        tokenizer=tokenizer,
        required_keys=KEYS,
    )


def test_records_say_what_reports_say(data_dir, mined):
    assert tuple(mined["labels"]) == ENTITIES and tuple(mined["places"]) == PLACES
    records = open_annotations(data_dir, "ward", StudyEntities, "train")
    studies = open_studies(data_dir, "ward", "train")
    assert [record.row for record in records] == list(range(len(studies)))
    for record in records:
        # "there is edema. no mass." or an indication alone.
        names = studies[record.row].section_names
        edema, mass = (record.codes[ENTITIES.index(n)] for n in ("edema", "lung lesion"))
        assert (edema, mass) == ((1, 0) if "FINDINGS" in names else (-2, -2))
        said = {(ENTITIES[e], PLACES[p], code) for e, p, code in record.places.tolist()}
        both = {("edema", "right lung", 1), ("edema", "left lung", 1)}
        assert said == (both if edema == 1 else set())
    again = write_entities(data_dir, "ward")
    assert again == mined


def test_a_file_of_radgraph_gives_the_records_of_the_labeler(
    data_dir, mined, tmp_path, monkeypatch
):
    """Of the same reports, where RadGraph sees what the labeler sees."""
    data = shutil.copytree(data_dir, tmp_path / "data")
    studies = open_studies(data, "ward", "train")
    # "there is edema. no mass.", or an indication alone.
    seen = {"edema": ("OBS-DP", 2), "mass": ("OBS-DA", 5)}
    graph = {
        word: dict(tokens=word, label=label, start_ix=place, end_ix=place, relations=[])
        for word, (label, place) in seen.items()
    }
    reports = {
        study.study_id: dict(text="x", entities=graph if "FINDINGS" in dict(study.sections) else {})
        for study in map(studies.__getitem__, range(len(studies)))
    }
    file = tmp_path / "graphs.json"
    file.write_text(json.dumps(reports))
    monkeypatch.setattr(reader, "study_of", lambda key: ("", key))
    theirs = write_entities(data, "ward", file)
    assert theirs["build"]["arguments"]["radgraph"] == file.name
    assert theirs["fingerprint"] == mined["fingerprint"]
    assert theirs["labels"] == mined["labels"] and theirs["places"] == mined["places"]
    both = [open_annotations(d, "ward", StudyEntities, "train") for d in (data_dir, data)]
    assert len(both[0]) == len(both[1]) == len(studies)
    for ours, other in zip(*both, strict=True):
        assert ours.row == other.row
        np.testing.assert_array_equal(ours.codes, other.codes)
        np.testing.assert_array_equal(ours.places, other.places)


def test_batches_hold_codes_a_drawn_place_and_all_places(mined, options, tokenizer):
    opened = _input(options, tokenizer)
    assert opened.entities == ENTITIES and opened.places == PLACES
    assert opened.stamp()["entities"] == {"ward": mined["fingerprint"]}
    edema = ENTITIES.index("edema")
    drawn = set()
    for _, batch in zip(range(20), opened.batches(), strict=False):
        for key in KEYS:
            assert batch[key].dtype == opened.spec[key].dtype
            assert batch[key].shape == opened.spec[key].shape
        codes, place, true = (batch[key] for key in KEYS[:3])
        present = codes[:, edema] == 1
        assert set(np.flatnonzero(true.any((0, 1)))) <= {
            PLACES.index(f"{s} lung") for s in ("right", "left")
        }
        np.testing.assert_array_equal(true[:, edema].sum(-1), 2 * present)
        np.testing.assert_array_equal(place[:, edema] >= 0, present)
        drawn |= set(place[:, edema].tolist())
    opened.close()
    assert len(drawn) == 3  # none, right, left


def test_a_list_of_ones_own_in_its_order(mined, options, tokenizer):
    opened = _input(options, tokenizer, entities=("Lung lesion", "edema"))
    assert opened.entities == ("Lung lesion", "edema")
    batch = next(iter(opened.batches()))
    opened.close()
    assert batch["entities"].shape == (4, 2)
    assert set(map(tuple, batch["entities"].tolist())) <= {(0, 1), (-2, -2)}
    with pytest.raises(OptionError, match="names 'edema of the brain'"):
        mixture_entities(options({"ward": {}}, entities=("edema of the brain",)))


def test_without_records_the_command_is_named(options, tokenizer, mined):
    with pytest.raises(OptionError, match=r"cannot give 'entities'.*\n.*--entities=clinic"):
        make_input(
            options({"clinic": {}}), seed=0, global_batch=2, tokenizer=tokenizer, required_keys=KEYS
        )
    opened = make_input(
        options({"ward": {}, "clinic": {"lacks": ("entities",)}}),
        seed=0,
        global_batch=8,
        tokenizer=tokenizer,
        required_keys=KEYS,
    )
    codes = next(iter(opened.batches()))["entities"]
    opened.close()
    assert (codes == -3).all(1).any() and (codes != -3).all(1).any()


def test_a_control_that_breaks_nothing_is_refused(options, tokenizer):
    with pytest.raises(OptionError, match="'entity_place' alone"):
        make_input(
            options({"ward": {}}, shuffle="places"), seed=0, global_batch=2, tokenizer=tokenizer
        )


def _table():
    """Four studies: entity 0 at 0, 1, 2 and nowhere, entity 1 of the first two at 3."""
    triples = np.array([[0, 0, 0], [0, 1, 3], [1, 0, 1], [1, 1, 3], [2, 0, 2]])
    codes = np.array([[1, 1], [1, 1], [1, 0], [0, -1]], np.int8)
    first = np.searchsorted(triples[:, 0], np.arange(5))
    return EntityTable(("a", "b"), codes, first, triples[:, 1], triples[:, 2], 4, "f")


def test_places_of_others_keep_codes_and_the_set_of_places():
    table = _table()
    moved = table.with_places_of_others(np.arange(4), 0, "x")
    before, after = (t.rows(np.arange(4), np.zeros(4)) for t in (table, moved))
    np.testing.assert_array_equal(before["entities"], after["entities"])
    own, others = before["entity_place"][:3, 0], after["entity_place"][:3, 0]
    assert sorted(own) == sorted(others) and np.all(own != others)
    np.testing.assert_array_equal(after["entity_place"][:, 1], [3, 3, -1, -1])
    # Studies that are not drawn keep theirs.
    kept = table.with_places_of_others(np.array([0, 1]), 0, "x").rows(np.arange(4), np.zeros(4))
    assert kept["entity_place"][2, 0] == 2


def test_one_of_several_places_is_drawn_evenly():
    triples = np.array([[0, q, p] for q in range(2) for p in (0, 2, 3)])
    table = EntityTable(
        ("a", "b"), np.ones((1, 2), np.int8), np.array([0, 6]), triples[:, 1], triples[:, 2], 5, "f"
    )
    count = 3000
    variates = np.random.default_rng(0).random(count)
    place = table.rows(np.zeros(count, int), variates)["entity_place"]
    for q in range(2):
        values, counts = np.unique(place[:, q], return_counts=True)
        assert values.tolist() == [0, 2, 3] and np.all(np.abs(counts / count - 1 / 3) < 0.04)
    assert np.any(place[:, 0] != place[:, 1])


def test_a_report_as_a_list_of_its_findings(mined, options, tokenizer, data_dir):
    studies = open_studies(data_dir, "ward", "train")
    table = read_entities(studies, ENTITIES, PLACES)
    sentences, codes = table.sentences(0, ("Edema", "Mass"))
    absent = ("lung lesion definitely absent", "pulmonary mass definitely absent")
    assert sentences == ("edema definitely present", *absent)
    np.testing.assert_array_equal(codes, [[1, -2], [-2, -2], [-2, -2]])
    assert table.sentences(1, ("Edema",))[0] == ()
    opened = make_input(
        options({"ward": {"text": "entities"}}),
        seed=0,
        global_batch=8,
        tokenizer=tokenizer,
        required_keys=(*KEYS, "tokens", "token_mask", "text_source"),
    )
    batch = next(iter(opened.batches()))
    opened.close()
    said, _ = tokenizer.encode_sentences(sentences, 24)
    present = batch["text_source"] == 1
    assert present.any() and not present.all()
    np.testing.assert_array_equal(batch["tokens"][present], np.tile(said, (present.sum(), 1)))
    assert not batch["token_mask"][~present].any()


def test_names_that_a_data_set_lacks_are_outside(data_dir, mined):
    studies = open_studies(data_dir, "ward", "train")
    table = read_entities(studies, ("edema", "unheard of"), PLACES)
    assert set(table.codes[:, 1]) == {-3} and set(table.codes[:, 0]) == {1, -2}
    assert json.loads(json.dumps(mined))["config"] == "entities"
