# SPDX-License-Identifier: Apache-2.0
"""Facts of the truth and of texts have one form; nets learn them, and readers say how well texts suit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.small_net import normalised
from experiments.taught import facts, sentences
from experiments.taught.comparisons import compared
from experiments.taught.material import Material, lesson
from experiments.taught.net import TaughtNet, highest, loss, read_changes, read_images, teach
from experiments.taught.pairs import image_pairs
from experiments.taught.readers import ImageReader, TextReader
from medst_jax.data_pipelines.simulated_cxr.reporter import phrases_change

EFFUSION, LESION = facts.NAMES.index("Pleural Effusion"), facts.NAMES.index("Lung Lesion")
SIZE = 64


def column(name: str) -> int:
    return facts.NAMES.index(name)


@pytest.mark.parametrize("code", [-1, 0, 1])
def test_every_wording_of_a_change_is_read(code):
    for words in phrases_change.CHANGES[code]:
        found = compared(f"Compared with the prior study of ___, the left effusion {words}.")
        assert found is not None and found.code == code, words


def test_what_is_new_and_what_has_gone():
    for words in phrases_change.NEW:
        assert compared(f"Small left effusion, {words}.").kind == "new", words
    for words in phrases_change.RESOLVED:
        assert compared(f"The edema {words}.").kind == "resolved", words
    for plain in ("Small left effusion.", "No pneumothorax.", "Moderate cardiomegaly is seen."):
        assert compared(plain) is None


def test_a_text_says_which_where_how_large_and_how_changed():
    told = facts.said(
        [["The small left basal pleural effusion has decreased.", "No pneumothorax."], []]
    )
    assert told.present[0, EFFUSION] == 1 and told.right[0, EFFUSION] == 0
    assert told.severity[0, EFFUSION] == 0.25 and told.change[0, EFFUSION] == -1
    assert facts.ZONES[int(told.zone[0, EFFUSION])] == "lower"
    assert told.present[0, column("Pneumothorax")] == 0 == told.severity[0, column("Pneumothorax")]
    region = told.region[0, EFFUSION].reshape(facts.GRID, facts.GRID)
    assert not region[:, : facts.GRID // 2].any() and not region[:3].any() and region[-1, -1]
    assert np.isnan(told.present[1]).all() and told.region[1].all()


def test_the_truth_has_the_same_form():
    shape = len(facts.FINDINGS)
    at = facts.FINDINGS.index("Pleural Effusion")
    truth = {
        "truth_visible_in": np.zeros(shape, np.int8),
        "truth_severity": np.zeros(shape, np.float32),
        "truth_side": np.zeros(shape, np.int8),
        "truth_boxes": np.array([[0, at, 40, 44, 60, 62]], np.float32),
    }
    later = {name: values.copy() for name, values in truth.items()}
    for study, severity in ((truth, 0.3), (later, 0.6)):
        study["truth_visible_in"][at] = 1
        study["truth_severity"][at] = severity
        study["truth_side"][at] = facts.SIDE_LEFT
    so = facts.true([truth, later], np.array([-1, 0]), SIZE)
    assert so.present[:, EFFUSION].tolist() == [1, 1] and so.right[1, EFFUSION] == 0
    assert np.isnan(so.change[0]).all() and so.change[1, EFFUSION] == 1
    assert np.isnan(so.change[1, LESION])  # in neither image
    assert facts.ZONES[int(so.zone[1, EFFUSION])] == "lower"
    region = so.region[1, EFFUSION].reshape(facts.GRID, facts.GRID)
    assert region[6, 6] == 1 and region.sum() == 9


def test_a_smooth_maximum_follows_the_highest_cell_of_its_part():
    maps = jnp.zeros((1, 16, 2)).at[0, 3, 1].set(20.0)
    everywhere, elsewhere = jnp.ones(16, bool), jnp.arange(16) > 8
    assert float(highest(maps, everywhere)[0, 1]) > 15
    np.testing.assert_allclose(highest(maps, elsewhere)[0], highest(maps, elsewhere)[0, ::-1])


def material(count: int = 24) -> Material:
    rng = np.random.default_rng(0)
    told = [["Large right pleural effusion is worse."] if k % 2 else [] for k in range(count)]
    said = facts.said(told)
    priors = np.where(np.arange(count) % 4 > 0, np.arange(count) - 1, -1)
    images = rng.integers(0, 255, (count, SIZE, SIZE), np.uint8)
    grades = np.arange(count) % 4
    return Material(
        images, np.arange(count) // 4, priors, said, said, tuple(map(tuple, told)), grades, grades
    )


def test_teachers_shuffle_what_they_should():
    made = material()
    own, others, within = (lesson(made, name)["present"] for name in ("text", "others", "within"))
    assert not np.array_equal(own, others, equal_nan=True)
    for patient in range(6):
        rows = slice(4 * patient, 4 * patient + 4)
        told, moved = (sorted(map(str, table[rows].tolist())) for table in (own, within))
        assert told == moved
    changes = lesson(made, "text")["change"]
    assert np.isnan(changes[::4]).all() and (changes[1::4, EFFUSION] == 1).all()
    with pytest.raises(ValueError, match="no teacher 'x'"):
        lesson(made, "x")


@pytest.fixture(scope="module")
def untaught() -> TaughtNet:
    return teach(lesson(material(), "text"), steps=1, batch=4, seed=0, rate=0.0)


def test_a_net_starts_without_an_opinion_on_changes_and_learns_from_known_facts_alone(untaught):
    made = material()
    cells = read_images(untaught, made.images)["cells"]
    np.testing.assert_allclose(read_changes(untaught, cells[:4], cells[4:8]), 0, atol=1e-5)
    data = lesson(made, "text")
    rows = {name: jnp.asarray(values[:4]) for name, values in data.items()}
    keys = jax.random.split(jax.random.key(0), 4)
    value, gradient = nnx.value_and_grad(loss)(untaught, rows, keys)
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
    nothing = facts.unknown(4).arrays() | {"grade": np.full(4, -1)}
    blank = {name: jnp.asarray(v) for name, v in nothing.items()} | {"image": rows["image"]}
    assert float(loss(untaught, blank, keys)) == 0.0


def test_readers_stand_where_encoders_do(untaught):
    made = material()
    square = made.images[:6, ..., None]
    single = ImageReader(untaught, SIZE, pairs=False)
    both = ImageReader(untaught, SIZE, pairs=True)
    alone = single.images(square).global_
    pair = both.pairs(square, square[::-1], np.ones(6, bool)).global_
    np.testing.assert_allclose(pair[:, : alone.shape[1]], alone, rtol=1e-5)
    assert both.reads_priors and not single.reads_priors
    without = both.images(square).global_
    np.testing.assert_array_equal(without[:, : alone.shape[1]], alone)
    assert without.shape == pair.shape and not without[:, alone.shape[1] :].any()
    reader = TextReader(untaught, SIZE, made.images[:6])
    vectors = reader.images(square).global_
    np.testing.assert_allclose(vectors.mean(0), 0, atol=1e-5)
    texts = ["Large right pleural effusion.", "No pneumothorax."]
    scores = vectors @ reader.texts(texts).global_.T
    assert scores.shape == (6, 2)
    read = read_images(untaught, made.images[:6])
    present = np.clip(read["present"][:, EFFUSION], -3, 3)
    other = np.clip(np.delete(read["present"], EFFUSION, 1), -3, 3)
    # The log likelihood of "effusion, and nothing else", less its mean over the six images.
    states = -np.logaddexp(0, -present) - np.logaddexp(0, other).sum(1)
    whole = read["right"][:, EFFUSION], (read["severity"][:, EFFUSION] - 0.4) / 0.1
    states += sum(-np.logaddexp(0, -np.clip(logit, -3, 3)) for logit in whole)
    rest = np.delete(np.arange(len(facts.NAMES)), EFFUSION)
    assert len(rest) == other.shape[1]
    np.testing.assert_allclose(scores[:, 0], states - states.mean(), atol=1e-4)
    maps = reader.maps(square[:2], texts)
    inside = facts.region_of("right", "").ravel()
    assert maps[0, inside].min() > maps[0, ~inside].max()


def test_sentences_are_read_by_rules_or_from_what_became_of_findings():
    texts = ["The edema has increased.", "The effusion is worse.", "The edema has improved."]
    same = sentences.by_rules().texts(texts).global_
    assert (same @ same.T)[0].tolist() == [1, 1, 0]
    told = tuple(
        ("The effusion is larger.",) if k % 2 else ("Effusion improved.",) for k in range(40)
    )
    change = np.full((40, len(facts.NAMES)), np.nan)
    change[:, EFFUSION] = np.where(np.arange(40) % 2, 1, -1)
    made = material()
    learned = sentences.by_change(Material(**{**vars(made), "sentences": told}), change).texts(
        ["Effusion is larger.", "The effusion improved.", "Improved."]
    )
    likeness = learned.global_ @ learned.global_.T
    assert likeness[1, 2] > 0.9 and likeness[0, 1] < 0


def test_pairs_come_twice_the_second_time_reversed():
    pairs = image_pairs(1_000_000, 1_000_006, seed=0, size=32)
    assert pairs["image"].shape == (12, 2, 32, 32)
    np.testing.assert_array_equal(pairs["image"][::2, 0], pairs["image"][1::2, 1])
    known = ~np.isnan(pairs["change"][::2])
    assert known.any()
    np.testing.assert_array_equal(pairs["change"][::2][known], -pairs["change"][1::2][known])
    assert normalised(pairs["image"][:1]).shape == (1, 2, 32, 32, 1)
