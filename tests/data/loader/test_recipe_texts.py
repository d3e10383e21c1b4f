# SPDX-License-Identifier: Apache-2.0
"""Texts as published recipes read them: order, words alone, second draws, texts of another data set."""

import itertools
import pickle

import numpy as np
import pytest

from medst_jax.data.batch import check_batch
from medst_jax.data.loader.input import make_input
from medst_jax.data.loader.stamp import config_hash
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.raw import RawImage, RawSentence, RawStudy
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.options import OptionError

SECOND = ("frontal", "tokens", "second_tokens", "second_labels")
LABELS = ("Effusion", "Edema", "Cardiomegaly")  # of `reports`


@pytest.fixture
def source(options, tokenizer):
    made = []

    def make(mixture, *, required=("frontal", "tokens"), batch=24, seed=0, **changes):
        made.append(
            make_input(
                options(mixture, **{"text_length": 64, **changes}),
                seed=seed,
                global_batch=batch,
                tokenizer=tokenizer,
                required_keys=required,
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def take(made, steps=4, start=0):
    batches = list(itertools.islice(made.batches(start), steps))
    check_batch(batches[0], made.spec)
    return {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}


def _report(labels) -> list[str]:
    """Words of the findings of a study of `reports`."""
    return [
        f"there is {'' if positive else 'no '}{name.lower()}"
        for name, positive in zip(LABELS, labels, strict=True)
    ]


def test_the_impression_comes_first_and_numbers_and_stops_are_left_out(source, tokenizer):
    text = dict(sections=("impression", "findings"), order="sections", cleaning="words")
    batch = take(source({"reports": {"sentences": "all", **text}}))
    for row, labels in zip(batch["tokens"], batch["labels"], strict=True):
        # The impression is "2 findings." or the like.
        expected, _ = tokenizer.encode_sentences(["findings", *_report(labels)], 64)
        np.testing.assert_array_equal(row, expected)
    # A label belongs to its sentence, whatever the order.
    np.testing.assert_array_equal(batch["text_labels"], batch["labels"])
    shuffled = take(source({"reports": {"sentences": "shuffled", **text}}))
    first, _ = tokenizer.encode_sentences(["findings"], 64)
    words = int((first > 0).sum()) - 2
    assert (shuffled["tokens"][:, 1 : words + 1] == first[1 : words + 1]).all()
    assert (shuffled["tokens"] != batch["tokens"]).any()


def test_a_second_draw_is_independent_and_brings_its_labels(source, tokenizer):
    batch = take(source({"reports": {"sections": ("findings",)}}, required=SECOND), 16)
    equal = batch["text"] == batch["second_text"]
    # Three sentences: by chance the same one is drawn in a third of the rows.
    assert abs(equal.mean() - 1 / 3) < 0.1
    np.testing.assert_array_equal(equal, (batch["tokens"] == batch["second_tokens"]).all(1))
    known = {}
    for texts, labels in (("tokens", "text_labels"), ("second_tokens", "second_labels")):
        for row, said in zip(batch[texts], batch[labels], strict=True):
            assert known.setdefault(row.tobytes(), said.tolist()) == said.tolist()
    assert len(known) == 6
    np.testing.assert_array_equal(batch["second_mask"], batch["second_tokens"] > 0)


def test_the_first_draw_is_the_same_with_and_without_a_second(source):
    mixture = {"reports": {}, "labelled": {"text": "prompt"}}
    alone, both = (take(source(mixture, required=keys)) for keys in (("tokens",), SECOND))
    for key in ("tokens", "text_labels", "text", "frontal"):
        np.testing.assert_array_equal(alone[key], both[key])


def test_two_draws_from_a_prompt_bank_differ(source, tokenizer):
    mixture = {"ward": {"text": "prompt", "prompts": "cxr_clip", "sentences": "shuffled"}}
    batch = take(source(mixture, required=SECOND, batch=7), 20)
    differ = batch["text"] != batch["second_text"]
    assert 0.5 < differ[batch["text_source"] == 2].mean()
    np.testing.assert_array_equal(batch["text_labels"], batch["second_labels"])


@pytest.fixture
def unpaired():
    return {"reports": {"weight": 0.2}, "labelled": {"text": "unpaired", "texts_of": "reports"}}


def _rows_of_labelled(made, batch):
    here = batch["source"] == 1
    edema = made.labels.index("Edema")
    return here, edema


def test_unpaired_texts_affirm_a_class_of_the_image(source, unpaired, tokenizer):
    made = source(unpaired)
    batch = take(made, 20)
    here, edema = _rows_of_labelled(made, batch)
    assert made.labels == (*LABELS, "Nodule") and here.sum() > 300
    assert (batch["text_source"][here] == 1).all()
    # Reports know nothing of nodules: a study with edema gets a sentence that affirms it.
    ill = here & (batch["labels"][:, edema] == 1)
    there, _ = tokenizer.encode_sentences(["There is edema."], 64)
    assert (batch["tokens"][ill] == there).all()
    assert (batch["text_labels"][ill, edema] == 1).all()
    assert len(set(batch["text"][here & ~ill].tolist())) >= 6  # anyone's
    # The image and its labels are the study's own.
    plain = take(source({**unpaired, "labelled": {"text": "prompt"}}), 20)
    for key in ("frontal", "labels", "study"):
        np.testing.assert_array_equal(plain[key], batch[key])


def test_unpaired_texts_are_many_studies_and_follow_the_position(source, unpaired):
    mixture = {**unpaired, "reports": {"weight": 0.2, "sentences": "all"}}
    made = source(mixture)
    batch = take(made, 20)
    here, edema = _rows_of_labelled(made, batch)
    ill = here & (batch["labels"][:, edema] == 1)
    assert (batch["text_labels"][ill, edema] == 1).all()
    assert len(set(batch["text"][ill].tolist())) > 1  # whole reports of several studies
    tail = take(source(mixture), 2, start=18)
    for key, value in tail.items():
        np.testing.assert_array_equal(value, batch[key][-48:])
    maker = pickle.loads(pickle.dumps(made._batch_maker()))
    assert maker.unpaired[1].source == 0


def test_the_control_breaks_unpaired_texts_too(source, unpaired):
    made = source(unpaired, shuffle="pairs")
    batch = take(made, 20)
    here, edema = _rows_of_labelled(made, batch)
    affirmed = batch["text_labels"][here, edema] == 1
    assert (affirmed != (batch["labels"][here, edema] == 1)).mean() > 0.1


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"reports": {"text": "unpaired"}}, "text is 'unpaired' and texts_of ''"),
        ({"reports": {"texts_of": "ward"}}, "text is 'report' and texts_of 'ward'"),
        (
            {"labelled": {"text": "unpaired", "texts_of": "reports"}},
            "labelled.texts_of is 'reports'; it must be an entry",
        ),
        ({"reports": {"order": "sections"}}, "sections names none"),
    ],
)
def test_what_cannot_be_read_is_refused(options, mixture, message):
    with pytest.raises(OptionError, match=message):
        options(mixture)


def test_texts_of_a_data_set_without_reports_are_refused(source):
    mixture = {"ward": {"text": "unpaired", "texts_of": "labelled"}, "labelled": {}}
    with pytest.raises(OptionError, match="ward.texts_of names 'labelled', of which no study has"):
        source(mixture)._batch_maker()


class Contradicted:
    """Studies whose report says both that nothing is seen and that there is edema."""

    name, labels = "contradicted", ("No Finding", "Edema")

    def __init__(self):
        self.card = {"licence": "CC0", "redistributable": True, "description": "contradictions"}
        self.truth_features = {}

    def units(self):
        return ["0"]

    def unit_hash(self, unit):
        return "1"

    def studies(self, unit):
        for k in range(4):
            yield RawStudy(
                patient_id=f"c{k}",
                study_id=f"c{k}s",
                study_index=0,
                study_days=0.0,
                images=(RawImage(f"c{k}", "AP", np.arange(400, dtype=np.uint8).reshape(20, 20)),),
                sections=(("FINDINGS", "there is edema. no mass."),),
                sentences=(
                    RawSentence(0, 0, 15, {"Edema": 1}),
                    RawSentence(0, 16, 24, {"No Finding": 1}),
                ),
                labels={"No Finding": 0, "Edema": 1},
                split="train",
            )


def test_no_finding_by_the_rule_of_before(options, tokenizer, tmp_path):
    build(Contradicted(), tmp_path, BuildOptions(runner=Runner(workers=1)))
    said = {}
    for rule in ("whole_text", "any_sentence"):
        for sentences in ("all", "shuffled"):
            chosen = options(
                {"contradicted": {"sentences": sentences}},
                data_dir=str(tmp_path),
                no_finding=rule,
            )
            made = make_input(
                chosen,
                seed=0,
                global_batch=4,
                tokenizer=tokenizer,
                required_keys=("tokens",),
            )
            batch = next(iter(made.batches()))
            made.close()
            assert (batch["text_labels"][:, 1] == 1).all()
            said.setdefault(rule, []).extend(batch["text_labels"][:, 0].tolist())
    assert set(said["whole_text"]) == {0.0} and set(said["any_sentence"]) == {1.0}


def test_stored_runs_without_these_options_have_the_same_stamp(options):
    plain = options({"reports": {}})
    assert config_hash(plain, 0) == config_hash(
        options(
            {"reports": {"order": "report", "cleaning": "none", "texts_of": ""}},
            no_finding="whole_text",
            windows="even",
        ),
        0,
    )
    for changed in (
        options({"reports": {"cleaning": "words"}}),
        options({"reports": {}}, no_finding="any_sentence"),
        options({"reports": {}}, windows="full"),
    ):
        assert config_hash(changed, 0) != config_hash(plain, 0)


def test_texts_of_an_evaluation_are_cleaned_as_the_reports_were(options):
    words, prompts = {"cleaning": "words"}, {"text": "prompt"}
    assert options({"reports": words, "labelled": prompts}).cleans_reports
    assert not options({"reports": words, "ward": {}}).cleans_reports
    assert not options({"labelled": prompts}).cleans_reports
