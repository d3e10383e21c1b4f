# SPDX-License-Identifier: Apache-2.0
"""Prompt banks: the files that come with the package, and files that cannot be."""

import typing

import pytest

from medst_jax.text import label_findings
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.no_finding import NO_FINDING
from medst_jax.text.prompts import FOLDER, BankName, parse_bank, prompt_bank

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_every_file_has_a_name_that_options_accept():
    assert sorted(typing.get_args(BankName)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_bank_says_its_source(name):
    bank = prompt_bank(name)
    assert len(bank.source) > 40 and all(bank.prompts(key) for key in bank.classes)


def test_sizes_of_the_attribute_tables():
    # As CXR-CLIP evaluates GLoRIA's lists.
    sizes = {key: len(prompt_bank("gloria").prompts(key)) for key in prompt_bank("gloria").classes}
    assert sizes == {
        "atelectasis": 210,
        "cardiomegaly": 15,
        "consolidation": 192,
        "edema": 18,
        "pleural effusion": 54,
    }
    assert (
        max(len(prompt_bank("ensemble").prompts(k)) for k in prompt_bank("ensemble").classes) <= 100
    )


def test_attributes_are_combined_in_order_without_blanks():
    edema = prompt_bank("gloria").prompts("Edema")
    assert edema[0] == "pulmonary edema" and "severe interstitial edema" in edema
    assert "small pleural effusion on the left" in prompt_bank("gloria").prompts("Pleural Effusion")


@pytest.mark.parametrize("finding", [name for name in FINDINGS if name != NO_FINDING])
def test_sentences_say_what_they_stand_for(finding):
    bank = prompt_bank("cxr_clip")
    for polarity, code in (("positive", 1), ("negative", 0), ("uncertain", -1)):
        for sentence in bank.prompts(finding, polarity):
            assert label_findings(sentence).get(finding) == code, sentence


@pytest.mark.parametrize("name", ["ensemble", "gloria"])
def test_attribute_prompts_name_their_class(name):
    for key in prompt_bank("gloria").classes:
        finding = key.title()
        found = [label_findings(text).get(finding, 0) for text in prompt_bank(name).prompts(key)]
        # "volume loss" and the like are other words for it.
        assert sum(code != 0 for code in found) >= 0.6 * len(found), key


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no prompt bank 'gloriia'; there are: biovil, cxr_clip"):
        prompt_bank("gloriia")
    with pytest.raises(ValueError, match="'biovil' has no class 'Edema'; it has: pneumonia"):
        prompt_bank("biovil").prompts("Edema")
    with pytest.raises(
        ValueError, match="no uncertain prompts for 'pneumonia'; it has: positive, neg"
    ):
        prompt_bank("biovil").prompts("pneumonia", "uncertain")


GOOD = {"source": "mine", "others": "error", "classes": {"edema": {"positive": ["edema"]}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clases": {}}, "lacks or should not have: clases"),
        ({"others": "ignore"}, "others as one of"),
        ({"source": ""}, "needs a source"),
        ({"classes": {}}, "needs a source, classes"),
        ({"classes": {"Edema": {"positive": ["edema"]}}}, "lower case"),
        ({"classes": {"edema": {"negative": ["no edema"]}}}, "'edema' has negative; it needs"),
        ({"classes": {"edema": {"positive": ["a"], "attributes": [["b"]]}}}, "attributes alone"),
        ({"classes": {"edema": {"positive": []}}}, "positive prompts are texts, one at least"),
        ({"classes": {"edema": {"positive": ["a", " "]}}}, "prompts are texts"),
        ({"classes": {"edema": {"positive": ["a", "a"]}}}, "occurs twice"),
    ],
)
def test_files_that_cannot_be(change, message):
    assert parse_bank("mine", GOOD).prompts("EDEMA") == ("edema",)
    with pytest.raises(ValueError, match=message):
        parse_bank("mine", {**GOOD, **change})


def test_a_limit_draws_the_same_combinations_every_time():
    words = {"attributes": [["a", "b", "c"], ["d", "e", "f"]]}
    content = {**GOOD, "limit": 4, "classes": {"edema": words}}
    drawn = parse_bank("mine", content).prompts("edema")
    assert len(set(drawn)) == 4 and drawn == parse_bank("mine", content).prompts("edema")
