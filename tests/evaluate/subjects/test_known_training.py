# SPDX-License-Identifier: Apache-2.0
"""Whether an encoder of another project saw a test set."""

import types

import pytest

from medst_jax.data_pipelines.overlaps import read_overlaps
from medst_jax.evaluate.statistics.rows import worst
from medst_jax.evaluate.subjects.cautions import SystemUnderTest, cautions, exposure_of
from medst_jax.evaluate.subjects.known_training import (
    KNOWN,
    Training,
    exposure,
    training_of,
)


@pytest.mark.parametrize(
    ("sets", "dataset", "split", "expected"),
    [
        (None, "chexpert", "test", "unknown"),
        ({}, "chexpert", "test", "clean"),
        ({"padchest": "train"}, "chexpert", "test", "clean"),
        ({"chexpert": "train"}, "chexpert", "test", "clean"),
        ({"chexpert": "train"}, "chexpert", "train", "contaminated"),
        ({"chexpert": "all"}, "chexpert", "test", "contaminated"),
        ({"chexpert": "train"}, "chexpert", "all", "contaminated"),
        ({"chexpert": "unknown"}, "chexpert", "test", "unknown"),
        # All of RSNA's images are NIH's, under new ids.
        ({"nih_chestxray14": "all"}, "rsna_pneumonia", "test", "contaminated"),
        ({"nih_chestxray14": "train"}, "rsna_pneumonia", "test", "unknown"),
        ({"rsna_pneumonia": "all"}, "nih_chestxray14", "test", "unknown"),
        # Through a third set: its COVID set took RSNA's images, which are NIH's.
        ({"nih_chestxray14": "train"}, "covidx", "test", "unknown"),
        ({"padchest": "train", "chexpert": "all"}, "chexpert_5x200", "test", "contaminated"),
        ({"mimic_cxr_jpg": "unknown", "chexpert": "all"}, "chexpert", "test", "contaminated"),
    ],
)
def test_exposure(sets, dataset, split, expected):
    assert exposure(Training(sets, "a paper"), dataset, split) == expected


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("hf-hub:microsoft/rad-dino", "rad-dino"),
        ("/models/MedSigLIP-448", "medsiglip"),
        ("google/siglip-so400m-patch14-384", "siglip"),
        ("StanfordAIMI/XraySigLIP__vit-l-16-siglip-384__webli", "xraysiglip"),
        ("microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", "biomedclip"),
        ("medclip_vit", "medclip"),
        ("openai/clip-vit-base-patch32", "clip"),
        ("/models/rad-dino/model.safetensors", "rad-dino"),
        ("gloria/open_clip_model.safetensors", "gloria"),
        ("swin_tiny_imagenet", "imagenet"),
        ("emilyalsentzer/Bio_ClinicalBERT", "clinicalbert"),
        ("microsoft/BiomedVLP-CXR-BERT-general", "cxr-bert"),
        ("ark6_teacher", "ark"),
    ],
)
def test_encoders_are_known_by_name(name, key):
    assert training_of(name) is KNOWN[key]


@pytest.mark.parametrize(
    "name", ["/home/benchmark/clark", "rad-dino/mine", "claritymodel", "", "/"]
)
def test_a_name_inside_another_word_or_folder_tells_nothing(name):
    assert training_of(name).sets is None and "nothing is known" in training_of(name).source


def test_the_worst_of_several_counts():
    assert worst([]) == worst(["clean"]) == "clean"
    assert worst(["clean", "unknown"]) == "unknown"
    assert worst(["unknown", "contaminated", "clean"]) == "contaminated"


_STUDIES = types.SimpleNamespace(name="padchest_gr", split="test", info={})


@pytest.mark.parametrize(
    ("trained", "excluded", "starts", "expected"),
    [
        ({"other": "train"}, {"padchest_gr": "d"}, (), "clean"),
        ({"padchest": "train"}, {"padchest_gr": "d"}, (), "clean"),
        ({"padchest": "train"}, {"padchest_gr": "e"}, (), "contaminated"),
        ({"other": "train"}, {"padchest_gr": "d"}, ({"padchest": "unknown"},), "unknown"),
        ({"other": "train"}, {"padchest_gr": "d"}, ({"padchest": "all"},), "contaminated"),
        ({"other": "train"}, {"padchest_gr": "d"}, ({}, None), "unknown"),
    ],
)
def test_a_checkpoint_has_its_own_training_and_that_of_its_start(
    trained, excluded, starts, expected
):
    known = tuple(Training(sets, "its paper") for sets in starts)
    system = SystemUnderTest("s", stamp={"exclude": excluded}, trained=trained, starts=known)
    assert exposure_of("padchest_gr", "test", _STUDIES, "d", system) == expected
    notes = cautions(_STUDIES, "d", system)
    assert ("contaminated" in notes) == (expected == "contaminated")
    assert ("training data unknown" in notes) == (expected == "unknown")


def test_sets_without_a_list_are_judged_by_what_they_share():
    stamp = {"exclude": {}}
    for trained, expected in (({"padchest": "train"}, "unknown"), ({"brax": "train"}, "clean")):
        system = SystemUnderTest("s", stamp=stamp, trained=trained)
        assert exposure_of("padchest_gr", "test", _STUDIES, "", system) == expected
        # A set of sentences has no studies; these are of the reports.
        assert exposure_of("padchest_gr_es", "test", None, "", system) == expected
    assert exposure_of("padchest_gr", "test", _STUDIES, "d", SystemUnderTest("pixels")) == "clean"


def test_users_know_better():
    assert training_of("rad-dino", "none").sets == {}
    told = training_of("rad-dino", "chexpert:train, padchest").sets
    assert told == {"chexpert": "train", "padchest": "unknown"}
    assert training_of("mine", "rad-dino") is KNOWN["rad-dino"]
    assert training_of("mine").sets is None
    with pytest.raises(ValueError, match="write DATASET:SPLIT"):
        training_of("mine", "chexpert,,x")


def test_every_known_encoder_has_a_source_and_sets_that_exist():
    names = {name for row in read_overlaps() for name in (row.part, row.whole)}
    names |= {"padchest", "brax", "vindr_cxr"}
    for training in KNOWN.values():
        assert training.source
        assert set(training.sets or ()) <= names


@pytest.mark.parametrize(
    ("sets", "note"),
    [
        ({"chexpert": "all"}, "contaminated"),
        ({"padchest": "all"}, "clean"),
        (None, "training data unknown"),
    ],
)
def test_rows_and_report_say_it(sets, note):
    studies = types.SimpleNamespace(name="chexpert", split="test", info={})
    system = SystemUnderTest("encoder", training=Training(sets, "its paper"))
    ((short, sentence),) = cautions(studies, "", system).items()
    assert short == note
    assert sentence.startswith("chexpert/test: ") and "(its paper)" in sentence
