# SPDX-License-Identifier: Apache-2.0
import itertools
import json

import numpy as np
import pytest

from medst_jax.data.batch import check_batch
from medst_jax.data.loader.input import load_tokenizer, make_input
from medst_jax.data.mixture.prompts import prompt
from medst_jax.options import OptionError

MIXTURE = {"reports": {}, "labelled": {"text": "prompt", "weight": 0.5}, "ward": {"weight": 0.5}}
VIEWS = ("frontal", "lateral", "has_lateral")


@pytest.fixture
def source(options, tokenizer):
    """Makes an input; closes them all at the end."""
    made = []

    def make(mixture=MIXTURE, *, seed=0, batch=8, required=None, **changes):
        keys = {} if required is None else {"required_keys": required}
        made.append(
            make_input(
                options(mixture, **changes),
                seed=seed,
                global_batch=batch,
                tokenizer=tokenizer,
                **keys,
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


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def test_batches_keep_the_contract(source):
    made = source()
    (batch,) = take(made, 1)
    check_batch(batch, made.spec)
    assert {k: (v.shape, v.dtype) for k, v in batch.items()} == {
        k: (s.shape, s.dtype) for k, s in made.spec.items()
    }
    assert batch["has_frontal"].all() and batch["frontal"].any()
    assert set(np.unique(batch["labels"])) <= {0.0, 1.0}
    assert not batch["labels"][~batch["label_mask"]].any()
    np.testing.assert_array_equal(batch["token_mask"], batch["tokens"] > 0)
    np.testing.assert_array_equal(batch["example"], np.arange(8))


def test_restart_gives_the_tail(source):
    whole = take(source(), 6)
    for first, second in zip(whole[4:], take(source(), 2, start=4), strict=True):
        assert_same(first, second)


@pytest.mark.parametrize("parts", [[[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 1, 4, 5], [2, 3, 6, 7]]])
def test_rows_are_those_of_the_global_batch(source, parts):
    whole = take(source(), 3, start=2)
    for rows in parts:
        for step, batch in enumerate(take(source(), 3, start=2, rows=np.array(rows))):
            assert_same(batch, {key: value[rows] for key, value in whole[step].items()})


def test_batch_size_moves_no_example(source):
    assert_same(joined(take(source(batch=4), 4)), joined(take(source(batch=16), 1)))
    assert take(source(batch=1), 1)[0]["tokens"].shape == (1, 24)


def test_worker_processes_change_nothing(source):
    assert_same(
        joined(take(source(), 3, start=1)),
        joined(take(source(num_workers=1, threads=1), 3, start=1)),
    )


def test_threads_change_nothing(source):
    assert_same(joined(take(source(threads=0), 3)), joined(take(source(threads=4), 3)))


def test_an_epoch_sees_every_study_once_in_an_order_of_its_own(source):
    made = source({"reports": {}}, batch=1)
    count = made.examples
    orders = [
        [int(batch["study"][0]) for batch in take(made, count, start=epoch * count)]
        for epoch in range(2)
    ]
    for order in orders:
        assert sorted(order) == list(range(count))
    assert orders[0] != orders[1]
    other = [int(b["study"][0]) for b in take(source({"reports": {}}, batch=1, seed=1), count)]
    assert other != orders[0]


def test_weights_are_kept(source):
    drawn = joined(take(source(batch=100), 2))["source"]
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), [0.5, 0.25, 0.25], atol=0.02)


def test_text_follows_its_source(source, tokenizer):
    made = source({"reports": {}, "labelled": {"text": "prompt"}}, batch=40)
    batch = joined(take(made, 2))
    reported = batch["source"] == 0
    assert (batch["text_source"][reported] == 1).all()
    assert (batch["text_source"][~reported] == 2).all()
    texts = {
        tokenizer.encode(prompt(c), 24).tobytes() for c in ("edema", "Nodule", "other finding")
    }
    assert {row.tobytes() for row in batch["tokens"][~reported]} == texts
    # Equal tokens have equal numbers, and only they.
    pairs = {(row.tobytes(), int(n)) for row, n in zip(batch["tokens"], batch["text"], strict=True)}
    assert len(pairs) == len({t for t, _ in pairs}) == len({n for _, n in pairs})
    # The labels of a prompt: its class alone, known inside the vocabulary of its data set.
    assert (batch["text_labels"][~reported].sum(1) <= 1).all()
    known = batch["text_label_mask"][~reported]
    np.testing.assert_array_equal(known, np.tile([False, True, False, True], (len(known), 1)))


def test_unreported_studies_fall_back_to_prompts(source):
    batch = joined(take(source({"ward": {}}, batch=28), 1))
    counts = np.bincount(batch["text_source"], minlength=3)
    assert counts[0] == 0 and counts[1] > 0 and counts[2] > 0


def test_a_study_without_text_and_labels_gets_neither(source):
    batch = joined(take(source({"unread": {}}, batch=10), 1))
    silent = batch["text_source"] == 0
    # Of the two studies without findings section one was read, and mentions nothing.
    assert silent.sum() == 2 and (batch["text_source"] == 2).sum() == 2
    assert not batch["label_mask"][silent].any() and not batch["text_label_mask"][silent].any()
    assert not batch["token_mask"][silent].any()
    assert batch["label_mask"][~silent].all()


def test_one_sentence_is_drawn_uniformly_and_brings_its_labels(source, tokenizer):
    batch = joined(take(source({"ward": {}}, batch=70), 12))
    said = batch["text_source"] == 1
    edema, mass = (tokenizer.encode(text, 24) for text in ("there is edema.", "no mass."))
    are_edema, are_mass = ((batch["tokens"] == row).all(1) for row in (edema, mass))
    assert (said == (are_edema | are_mass)).all()
    assert are_edema.sum() + are_mass.sum() > 300
    np.testing.assert_allclose(are_edema.sum() / said.sum(), 0.5, atol=0.1)
    assert (batch["text_labels"][are_edema] == [1, 0]).all()
    assert not batch["text_labels"][are_mass].any()


def test_shuffled_sentences_come_in_every_order_of_their_sections(source, tokenizer):
    kwargs = dict(batch=40, text_length=64)
    (whole,) = take(source({"reports": {"sentences": "all"}}, **kwargs), 1)
    batch = joined(take(source({"reports": {"sentences": "shuffled"}}, **kwargs), 8))
    orders: dict[int, set] = {}
    for study, row in zip(batch["study"].tolist(), batch["tokens"], strict=True):
        orders.setdefault(study, set()).add(row.tobytes())
    # Four sentences, whose order within their sections is free.
    assert 2 <= min(map(len, orders.values())) and max(map(len, orders.values())) <= 24
    known = dict(zip(whole["study"].tolist(), np.sort(whole["tokens"]), strict=True))
    for study, row in zip(batch["study"].tolist(), batch["tokens"], strict=True):
        np.testing.assert_array_equal(np.sort(row), known[study])
    labels = dict(zip(whole["study"].tolist(), whole["text_labels"], strict=True))
    for study, row in zip(batch["study"].tolist(), batch["text_labels"], strict=True):
        np.testing.assert_array_equal(row, labels[study])


def test_no_text_is_masked(source):
    mixture = {"reports": {"text": "none", "lacks": ("text", "text_labels")}}
    (batch,) = take(source(mixture), 1)
    assert not batch["tokens"].any() and not batch["text_label_mask"].any()
    assert (batch["text"] == -1).all() and (batch["text_source"] == 0).all()


def test_whole_reports_number_their_sentences_and_are_cut(source):
    mixture = {"reports": {"sentences": "all"}}
    (long,) = take(source(mixture, text_length=64), 1)
    assert (long["sentence_index"].max(1) == 3).all()
    (short,) = take(source(mixture, text_length=8), 1)
    assert (short["tokens"][:, -1] == 3).all()
    np.testing.assert_array_equal(short["tokens"][:, :7], long["tokens"][:, :7])
    assert (short["text_labels"].sum(1) <= long["text_labels"].sum(1)).all()


def test_pairs_control_changes_text_alone(source):
    kwargs = dict(mixture={"reports": {"sentences": "all"}}, batch=16)
    plain, broken = (joined(take(source(shuffle=s, **kwargs), 2)) for s in ("none", "pairs"))
    for key in ("frontal", "labels", "label_mask", "study", "patient"):
        np.testing.assert_array_equal(plain[key], broken[key])
    assert (plain["tokens"] != broken["tokens"]).any()
    # The labels of a text travel with it.
    lookup = {t: tuple(r) for t, r in zip(plain["text"], plain["text_labels"], strict=True)}
    for text, row in zip(broken["text"], broken["text_labels"], strict=True):
        assert lookup.get(text, tuple(row)) == tuple(row)


def test_labels_control_changes_study_labels_alone(source):
    kwargs = dict(mixture={"ward": {}}, batch=7)
    plain, broken = (joined(take(source(shuffle=s, **kwargs), 1)) for s in ("none", "labels"))
    for key in plain.keys() - {"labels", "label_mask"}:
        np.testing.assert_array_equal(plain[key], broken[key])

    def rows(batch):
        both = np.concatenate([batch["labels"], batch["label_mask"]], axis=1)
        return sorted(map(tuple, both))

    assert rows(plain) == rows(broken)
    assert (plain["labels"] != broken["labels"]).any()


def test_several_frontal_images_are_drawn_by_position(source):
    batch = joined(take(source({"ward": {}}, batch=70, required=VIEWS), 1))
    first = batch["frontal"][batch["study"] == np.flatnonzero(_several(batch))[0]]
    assert len({row.tobytes() for row in first}) == 2
    assert batch["has_lateral"].any() and not batch["has_lateral"].all()
    assert not batch["lateral"][~batch["has_lateral"]].any()


def _several(batch):
    """For each study number whether it was seen with more than one frontal image."""
    return [
        len({row.tobytes() for row in batch["frontal"][batch["study"] == study]}) > 1
        for study in range(8)
    ]


def test_required_keys_are_checked_at_the_start(source):
    with pytest.raises(ValueError, match="truth_boxes.*evaluators"):
        source(required=("frontal", "truth_boxes"))
    with pytest.raises(ValueError, match="'frontals' is not in the input"):
        source(required=("frontals",))
    ward, nothing = {"ward": {}}, "'ward'.*cannot give '{}'.*lacks=..{}"
    for key, need in (("prior_frontal", "prior"), ("sequence_rows", "sequences")):
        with pytest.raises(OptionError, match=nothing.format(key, need)):
            source(ward, required=(key,))
    with pytest.raises(OptionError, match="shuffle is 'windows'.*'sequence_rows'"):
        source(shuffle="windows")


def test_rows_outside_the_batch_are_refused(source):
    with pytest.raises(OptionError, match="not rows of a batch of 8"):
        source().batches(0, np.array([7, 8]))
    with pytest.raises(OptionError, match="batch_size is 0"):
        source(batch=0)


def test_text_without_tokenizer(options):
    with pytest.raises(OptionError, match="'tokens'.*config.data.vocabulary"):
        make_input(options(MIXTURE), seed=0, global_batch=2, tokenizer=None)
    made = make_input(
        options(MIXTURE),
        seed=0,
        global_batch=2,
        tokenizer=None,
        required_keys=("frontal", "labels"),
    )
    (batch,) = take(made, 1)
    made.close()
    assert not batch["token_mask"].any() and (batch["text_source"] == 0).all()


def test_stamp_names_what_decides_the_examples(source):
    stamp = source().stamp()
    assert json.loads(json.dumps(stamp)) == stamp
    assert list(stamp["exclude"]) == ["labelled", "reports"]
    assert stamp["labels"] == ["Effusion", "Edema", "Cardiomegaly", "Nodule", "Mass"]
    assert source(num_workers=1, threads=1).stamp() == stamp
    for changed in (source(seed=1), source(size=24), source(batch=4), source(exclude=())):
        assert changed.stamp() != stamp


def test_description_has_counts_and_no_ids(source, capsys):
    source()
    lines = capsys.readouterr().out
    assert "ward/train: 7 studies" in lines and "1 studies without a frontal image" in lines
    assert "0 patients dropped by exclusion lists: labelled, reports" in lines


def test_tokenizer_by_name(options, tokenizer):
    assert load_tokenizer(options(MIXTURE)) is None
    assert load_tokenizer(options(MIXTURE, vocabulary="words")).fingerprint == tokenizer.fingerprint
    with pytest.raises(FileNotFoundError, match="prepare.py --vocabulary=other"):
        load_tokenizer(options(MIXTURE, vocabulary="other"))


def test_severity_follows_the_study_and_the_shuffle_of_labels(source):
    mixture = {"ward": {}}
    plain = joined(take(source(mixture, batch=4, required=("frontal", "severity")), 8))
    assert plain["severity"].dtype == np.int8
    assert set(plain["severity"]) == {-1, 0, 2, 3}  # study 1 has no frontal image
    by_study = dict(zip(plain["study"].tolist(), plain["severity"].tolist(), strict=True))
    assert by_study[0] == 0 and by_study[3] == 3 and by_study[7] == -1
    shuffled = joined(
        take(source(mixture, batch=4, required=("frontal", "severity"), shuffle="labels"), 8)
    )
    assert (plain["severity"] != shuffled["severity"]).any()
    assert "severity" not in source(mixture, batch=4).spec
