# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.mixture.data_options import DataSetOptions
from medst_jax.data.mixture.labels import union_columns
from medst_jax.data.mixture.prompts import all_prompts, prompt
from medst_jax.data.mixture.text_sampling import (
    candidate_sentences,
    draw_bank_sentences,
    no_text,
    prompts_of,
    report_sentences,
    report_texts,
)
from medst_jax.data.randomness import generator
from medst_jax.data.records.studies import open_studies
from medst_jax.options import OptionError
from medst_jax.text.prompts import prompt_bank

UNION = ("Mass", "Edema", "Nodule")


@pytest.fixture(scope="module")
def ward(data_dir):
    return open_studies(data_dir, "ward", "train")


@pytest.fixture(scope="module")
def columns(ward):
    return union_columns(ward.labels, UNION)


def test_context_and_wordless_sentences_are_never_drawn(ward):
    described = [report_sentences(study) for study in map(ward.__getitem__, range(len(ward)))]
    assert sorted(map(tuple, described)) == [()] * 4 + [(1, 2)] * 4


def test_one_sentence_brings_its_own_labels(ward, columns):
    study = next(s for s in map(ward.__getitem__, range(8)) if report_sentences(s))
    texts = report_texts(study, columns, [[k] for k in candidate_sentences(study)])
    assert [text.sentences for text in texts] == [("there is edema.",), ("no mass.",)]
    assert [text.codes_of_first(1).tolist() for text in texts] == [[-2, 1, -3], [0, -2, -3]]
    assert all(text.source == 1 for text in texts)


def test_whole_report_keeps_order_and_merges_labels_of_what_is_kept(ward, columns):
    study = next(s for s in map(ward.__getitem__, range(8)) if report_sentences(s))
    (text,) = report_texts(study, columns, [candidate_sentences(study)])
    assert text.sentences == ("there is edema.", "no mass.")
    assert text.codes_of_first(2).tolist() == [0, 1, -3]
    assert text.codes_of_first(1).tolist() == [-2, 1, -3]


def test_study_without_usable_text_gives_none(ward, columns):
    study = next(s for s in map(ward.__getitem__, range(8)) if not report_sentences(s))
    assert candidate_sentences(study) == []


def test_sections_are_those_named_where_the_report_has_them(ward, columns):
    study = next(s for s in map(ward.__getitem__, range(8)) if report_sentences(s))
    study.section_names, study.section_texts = ("FINDINGS", "IMPRESSION"), ("first.", "second.")
    study.spans = ((0, 0, 6), (1, 0, 7))
    study.all_sentence_codes = np.full((2, len(ward.labels)), -2, np.int8)

    def drawn(*sections):
        return report_texts(study, columns, [candidate_sentences(study, sections)])[0].sentences

    assert drawn("impression") == ("second.",)
    assert drawn("impression", "findings") == drawn() == ("first.", "second.")
    assert drawn("impression", "impression") == ("second.",)
    assert drawn("conclusion") == ("first.", "second.")  # it has none


def test_unknown_sections_are_refused():
    with pytest.raises(OptionError, match="impresion.*findings, impression"):
        DataSetOptions(sections=("impresion",))


def test_each_positive_has_its_prompt():
    codes, present = np.array([1, 1, -3], np.int8), np.array([True, True, False])
    texts = prompts_of(UNION, codes, present)
    assert [text.sentences for text in texts] == [(prompt("Mass"),), (prompt("Edema"),)]
    assert [text.codes_of_first(1).tolist() for text in texts] == [[1, 0, -3], [0, 1, -3]]
    assert all(text.source == 2 for text in texts)


def test_prompt_of_a_study_without_positives():
    (text,) = prompts_of(UNION, np.array([0, -2, -3], np.int8), np.zeros(3, bool))
    assert text.sentences == ("A radiology image of other finding",)
    assert text.codes_of_first(1).tolist() == [0, 0, -3]
    assert text.sentences[0] in all_prompts(UNION)


STATED = ("Edema", "Fracture", "Mass", "Pneumonia", "Cardiomegaly")
CODES = np.array([1, 0, 1, -1, -2], np.int8)


def test_a_bank_affirms_denies_and_doubts_what_the_labels_say():
    bank = prompt_bank("cxr_clip")
    orders, used = set(), set()
    for i in range(60):
        text = draw_bank_sentences(bank, STATED, CODES, "shuffled", generator(0, "text", i))
        # "Mass" is in no list of the bank and cardiomegaly is blank: nothing is said of them.
        assert len(text.sentences) == 3 and text.source == 2
        said = [np.flatnonzero(codes != -2).tolist() for codes in text.codes]
        assert sorted(said) == [[0], [1], [3]]
        for sentence, (c,) in zip(text.sentences, said, strict=True):
            polarity = {1: "positive", 0: "negative", -1: "uncertain"}[int(CODES[c])]
            assert sentence in bank.prompts(STATED[c], polarity)
        assert text.codes_of_first(3).tolist() == [1, 0, -2, -1, -2]
        orders.add(tuple(map(tuple, said)))
        used.update(text.sentences)
    assert len(orders) == 6 and len(used) > 6
    ordered = draw_bank_sentences(bank, STATED, CODES, "all", generator(0, "text", 0))
    assert [int(np.argmax(codes != -2)) for codes in ordered.codes] == [0, 1, 3]


def test_one_sentence_of_a_bank_is_of_a_positive_class_if_there_is_one():
    bank = prompt_bank("cxr_clip")
    for codes, expected in ((CODES, 0), (np.array([-3, -1, 0, -2, -2], np.int8), 1)):
        text = draw_bank_sentences(bank, STATED, codes, "one", generator(0, "text", 3))
        (row,) = text.codes
        assert int(np.argmax(row > -2)) == expected and (row[codes == -3] == -3).all()
    blank = np.full(5, -2, np.int8)
    assert draw_bank_sentences(bank, STATED, blank, "one", generator(0, "text", 0)) is None


def test_no_text_has_no_labels():
    assert no_text(2).source == 0 and no_text(2).codes_of_first(0).tolist() == [-3, -3]
