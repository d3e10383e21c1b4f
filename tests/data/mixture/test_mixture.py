# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.mixture.mixture import mixture_labels, open_mixture
from medst_jax.data.records.studies import MissingDataError
from medst_jax.options import OptionError

IMAGES = ("frontal", "has_frontal")
BOTH = {"reports": {}, "labelled": {"text": "prompt"}}


def opened(options, required=IMAGES, seed=0):
    return open_mixture(options, required, read_exclusion(options.data_dir, options.exclude), seed)


def test_union_vocabulary_maps_each_data_set(options):
    mixture = options(BOTH)
    assert mixture_labels(mixture) == ("Effusion", "Edema", "Cardiomegaly", "Nodule")
    reports, labelled = opened(mixture, (*IMAGES, "labels"))
    assert (reports.codes(reports.rows)[:, 3] == -3).all()
    codes = labelled.codes(labelled.rows)
    assert (codes[:, [0, 2]] == -3).all() and set(np.unique(codes[:, [1, 3]])) == {0, 1}
    stored = labelled.studies.index.labels
    np.testing.assert_array_equal(codes[:, [1, 3]], stored[labelled.rows])


def test_ids_do_not_overlap_between_data_sets(options):
    first, second = opened(options(BOTH))
    assert second.first_study == len(first.studies)
    assert second.first_patient > first.studies.index.patient.max()


def test_studies_without_frontal_are_dropped_only_where_it_is_needed(options):
    (needed,) = opened(options({"ward": {}}))
    assert len(needed.rows) == 7 and needed.without_frontal == 1
    (unneeded,) = opened(options({"ward": {}}), ("tokens",))
    assert len(unneeded.rows) == 8 and unneeded.without_frontal == 0


def test_evaluation_patients_are_dropped_and_counted(options):
    with pytest.raises(OptionError, match="'reports' has no study left in split 'test'"):
        opened(options({"reports": {"split": "test"}}))
    (kept,) = opened(options({"reports": {"split": "test"}}, exclude=()))
    assert kept.excluded_patients == 0 and len(kept.rows) == len(kept.studies)


@pytest.mark.parametrize("shuffle", ["none", "pairs", "labels", "both"])
def test_controls_are_real_permutations(options, shuffle):
    (corpus,) = opened(options({"reports": {}}, shuffle=shuffle))
    for name, shuffled in (("text_rows", "pairs"), ("label_rows", "labels")):
        rows = getattr(corpus, name)
        np.testing.assert_array_equal(np.sort(rows), corpus.rows)
        assert np.mean(rows != corpus.rows) == (shuffle in (shuffled, "both"))
    assert shuffle != "both" or (corpus.text_rows != corpus.label_rows).any()


def test_controls_change_with_the_seed_only(options):
    mixture = options({"reports": {}}, shuffle="pairs")
    first, again, other = (opened(mixture, seed=seed)[0].text_rows for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_class_without_negative_is_an_error_with_counts_and_remedies_that_work(options):
    def check(mixture, **changes):
        opened(options(mixture, **changes), (*IMAGES, "labels"))

    masked = {"clinic": {"blank": "mask"}}
    with pytest.raises(OptionError, match=r"'Mass' \(2 positive, 0 negative\)"):
        check(masked)
    check({"clinic": {}})
    check({**masked, "ward": {}})
    check(masked, drop_labels=("mass",))
    opened(options(masked))  # a system that reads no labels does not mind


@pytest.mark.parametrize(
    ("mixture", "required", "message"),
    [
        ({"labelled": {"text": "none"}}, ("tokens",), "'labelled'.*'tokens'.*text=\"prompt\""),
        ({"reports": {"lacks": ("label",)}}, (), "lacks has 'label'"),
        ({"reports": {"weight": 0.0}}, (), "weight is 0.0"),
        ({"reports": {"splits": "train"}}, (), "did you mean config.data.mixture.reports.split"),
        ({"reports": {"policy": "gloria"}}, (), "reports.policy is 'gloria'"),
    ],
)
def test_impossible_mixtures_are_named(options, mixture, required, message):
    with pytest.raises(OptionError, match=message):
        opened(options(mixture), required)


def test_declared_lack_is_accepted(options):
    mixture = options({"labelled": {"text": "none", "lacks": ("text",)}})
    assert len(opened(mixture, ("tokens",))) == 1


def test_missing_data_prints_the_command(options):
    with pytest.raises(MissingDataError, match="prepare.py .*--name=chest"):
        opened(options({"chest": {}}))


def test_entries_that_share_a_data_set_share_its_ids(options):
    graded, everything = opened(
        options({"graded": {"dataset": "ward", "only": ("severity",)}, "ward": {}})
    )
    assert set(graded.rows) < set(everything.rows) and len(graded.rows) == 3
    assert (graded.studies.index.severity[graded.rows] >= 0).all()
    assert graded.first_study == everything.first_study
    assert graded.first_patient == everything.first_patient


def test_an_unknown_choice_of_studies_is_an_error(options):
    with pytest.raises(OptionError, match="ward.only has 'age'; it may have: severity"):
        opened(options({"ward": {"only": ("age",)}}))


def test_severity_must_be_there_where_it_is_needed(options):
    with pytest.raises(OptionError, match="'reports'.*cannot give 'severity'"):
        opened(options({"reports": {}}), (*IMAGES, "severity"))
    (masked,) = opened(options({"reports": {"lacks": ("severity",)}}), (*IMAGES, "severity"))
    assert (masked.studies.index.severity == -1).all()
