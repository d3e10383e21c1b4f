# SPDX-License-Identifier: Apache-2.0
"""Sequences, priors and sections as a batch holds them, and the controls that break them."""

import itertools
import pickle

import numpy as np
import pytest

from medst_jax.data.batch import check_batch
from medst_jax.data.loader.input import make_input
from medst_jax.options import OptionError

SEQUENCES = ("frontal", "tokens", "sequence_rows", "prior_frontal", "findings_tokens", "word_index")
HISTORIES = {"histories": {"sentences": "all"}}


@pytest.fixture
def source(options, tokenizer):
    made = []

    def make(mixture=HISTORIES, *, batch=8, required=SEQUENCES, **changes):
        values = {"sequence_length": 3, "pack_rows": 4, "text_length": 48, **changes}
        made.append(
            make_input(
                options(mixture, **values),
                seed=5,
                global_batch=batch,
                tokenizer=tokenizer,
                required_keys=required,
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def take(made, steps, start=0, rows=None):
    return list(itertools.islice(made.batches(start, rows), steps))


def joined(batches):
    return {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}


def sequences(batch):
    """Rows of each sequence, lists without the absent places."""
    return [rows[rows >= 0] for rows in batch["sequence_rows"] if (rows >= 0).any()]


def test_sequences_are_a_patients_studies_in_time_order(source):
    made = source()
    found = 0
    for batch in take(made, 4):
        check_batch(batch, made.spec)
        assert {k: v.shape for k, v in batch.items()} == {k: s.shape for k, s in made.spec.items()}
        for number, rows in enumerate(batch["sequence_rows"]):
            kept = rows[rows >= 0]
            days = batch["study_days"][number]
            assert np.isnan(days[len(kept) :]).all() and (rows[len(kept) :] == -1).all()
            if len(kept):
                found += 1
                assert len(kept) >= 2 and len(set(batch["patient"][kept])) == 1
                assert (np.diff(batch["study"][kept]) == 1).all()
                assert (np.diff(days[: len(kept)]) > 0).all()
    assert found > 4


def test_processes_restarts_and_batch_sizes_move_no_row(source):
    whole = take(source(), 4)
    tail = take(source(), 2, start=2)
    parts = [take(source(), 4, rows=np.arange(4) + 4 * p) for p in range(2)]
    for step, batch in enumerate(whole):
        both = joined([part[step] for part in parts])
        for key in batch:
            np.testing.assert_array_equal(batch[key], both[key], err_msg=key)
            if step >= 2:
                np.testing.assert_array_equal(batch[key], tail[step - 2][key], err_msg=key)
    other = joined(take(source(batch=16), 2))
    for key, value in joined(whole).items():
        if key != "sequence_rows":  # counted from the start of each batch
            np.testing.assert_array_equal(value, other[key], err_msg=key)


def test_a_process_reads_whole_packs(source):
    with pytest.raises(OptionError, match=r"batch_size=8 gives .* 4 rows.*pack_rows=4"):
        source().batches(0, np.array([0, 1, 4, 5]))
    with pytest.raises(OptionError, match=r"2 rows, which are not whole packs"):
        source().batches(0, np.arange(2))


def test_a_pass_sees_no_study_twice_and_the_next_is_packed_anew(source):
    made = source(batch=4)
    (epochs,) = made.packed_epochs()
    passes = [
        joined(take(made, epochs.per_epoch, start=n * epochs.per_epoch))["study"] for n in (0, 1)
    ]
    for studies in passes:
        assert len(set(studies)) == len(studies) > made.examples - 4
    assert (passes[0] != passes[1]).any()
    assert "no row is empty" in made.describe()
    copy = pickle.loads(pickle.dumps(epochs))
    np.testing.assert_array_equal(copy.pack(3)[0], epochs.pack(3)[0])


def test_every_study_but_the_first_has_its_prior(source):
    whole = joined(take(source(), 12))
    image = dict(zip(whole["study"].tolist(), whole["frontal"], strict=True))
    patient = dict(zip(whole["study"].tolist(), whole["patient"].tolist(), strict=True))
    seen = 0
    for study, own, has, prior in zip(
        whole["study"].tolist(),
        whole["patient"],
        whole["has_prior"],
        whole["prior_frontal"],
        strict=True,
    ):
        assert has == prior.any()
        if has and study - 1 in image:
            assert patient[study - 1] == own
            np.testing.assert_array_equal(prior, image[study - 1])
            seen += 1
        elif not has:
            assert patient.get(study - 1, -1) != own
    assert seen > 10


def test_sections_hold_their_sentences_alone(source, tokenizer):
    (batch,) = take(source(), 1)
    for name in ("findings", "impression"):
        np.testing.assert_array_equal(batch[f"{name}_mask"], batch[f"{name}_tokens"] > 0)
        assert batch[f"{name}_mask"].any(1).all()
    # The fixture's report is its findings followed by its impression.
    for whole, findings in zip(batch["tokens"], batch["findings_tokens"], strict=True):
        count = int((findings > 0).sum()) - 1
        np.testing.assert_array_equal(whole[:count], findings[:count])
    (shuffled,) = take(source({"histories": {"sentences": "shuffled"}}), 1)
    assert (shuffled["findings_tokens"] != batch["findings_tokens"]).any()
    np.testing.assert_array_equal(
        np.sort(shuffled["findings_tokens"]), np.sort(batch["findings_tokens"])
    )


def test_words_are_numbered_across_their_pieces(source, tokenizer):
    (batch,) = take(source(), 1)
    for tokens, words in zip(batch["tokens"], batch["word_index"], strict=True):
        inside = words >= 0
        np.testing.assert_array_equal(inside, tokens > 4)
        assert set(np.diff(words[inside])) <= {0, 1} and words[inside][0] == 0
    tokens = tokenizer.encode("there is no effusion", 16)
    assert tokenizer.word_index(tokens).max() == 3


def test_controls_break_one_thing_each(source):
    plain = joined(take(source(), 8))

    def differing(shuffle):
        broken = joined(take(source(shuffle=shuffle), 8))
        return broken, {key for key in plain if (plain[key] != broken[key]).any()} - {"study_days"}

    text = {"tokens", "token_mask", "sentence_index", "text", "text_labels", "word_index"}
    text |= {"findings_tokens", "findings_mask", "impression_tokens", "impression_mask"}
    within, changed = differing("within_patient")
    assert "tokens" in changed and changed <= text
    # The texts of every patient are the same, in another order.
    for patient in set(plain["patient"]):
        if (plain["patient"] == patient).sum() == 3:
            own = sorted(plain["text"][plain["patient"] == patient])
            assert own == sorted(within["text"][within["patient"] == patient])
    prior, changed = differing("prior")
    assert changed == {"prior_frontal"}
    assert (
        (prior["prior_frontal"] != plain["prior_frontal"])[plain["has_prior"]].any((1, 2, 3)).all()
    )
    order, changed = differing("order")
    assert changed == {"sequence_rows"}
    np.testing.assert_array_equal(np.sort(order["sequence_rows"]), np.sort(plain["sequence_rows"]))
    np.testing.assert_array_equal(order["study_days"], plain["study_days"])
    for batch in take(source(shuffle="windows"), 8):
        for rows in sequences(batch):
            assert len(set(batch["study"][rows])) == len(rows)
    mixed = [
        len(set(b["patient"][r])) for b in take(source(shuffle="windows"), 8) for r in sequences(b)
    ]
    assert np.mean(np.array(mixed) > 1) > 0.8


def test_packs_that_do_not_fit_are_named(source):
    with pytest.raises(OptionError, match=r"batch_size=6 gives .* 6 rows.*pack_rows=4"):
        source(batch=6)
    with pytest.raises(OptionError, match="pack_rows is 3; it must be even"):
        source(pack_rows=3)
    with pytest.raises(OptionError, match=r"'reports' has .* fewer than the 64 rows"):
        source({"reports": {}}, pack_rows=64, batch=64)


def test_a_data_set_without_sequences_or_priors_can_be_masked(source):
    mixture = {"ward": {"lacks": ("sequences", "prior", "sections")}}
    (batch,) = take(source(mixture, batch=4), 1)
    assert (batch["sequence_rows"] == -1).all() and not batch["has_prior"].any()
    assert np.isnan(batch["study_days"]).all() and not batch["prior_frontal"].any()
