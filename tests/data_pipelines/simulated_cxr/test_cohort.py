# SPDX-License-Identifier: Apache-2.0
"""The cohort as a whole: determinism, splits, truth, labels against the truth."""

import pickle

import numpy as np
import pytest

from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.registry import Request, RequestError, make_sources
from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    EXTRA,
    FINDINGS,
    LABELS,
    OPACITIES,
    SINGLE_TARGETS,
    WIDE_LABELS,
)
from medst_jax.data_pipelines.simulated_cxr.source import sources
from medst_jax.data_pipelines.simulated_cxr.thorax.masks import unpack
from tests.data_pipelines.simulated_cxr.cohorts import (
    EVALUATION,
    SITES,
    cohort,
    column,
    site,
    visible,
)


def same(first: RawStudy, second: RawStudy) -> bool:
    pixels = all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(first.images, second.images, strict=True)
    )
    truth = all(np.array_equal(first.truth[k], second.truth[k]) for k in first.truth)
    texts = (first.sections, first.labels, first.study_days, first.severity, first.progression)
    others = (second.sections, second.labels, second.study_days, second.severity)
    return pixels and truth and texts == (*others, second.progression)


@pytest.mark.parametrize("name", [*SITES, *EVALUATION])
def test_a_patient_does_not_depend_on_the_cohort_size(name: str) -> None:
    small = cohort(name, patients=6)
    large = {study.study_id: study for study in cohort(name)}
    assert small
    assert all(same(study, large[study.study_id]) for study in small)


def test_a_patient_does_not_depend_on_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cohort("simulated_cxr_m", patients=10)
    monkeypatch.setattr("medst_jax.data_pipelines.simulated_cxr.source.UNIT", 3)
    source = site("simulated_cxr_m", 10, 48, 3, 0.0)
    assert len(source.units()) == 4
    parts = [study for unit in reversed(source.units()) for study in source.studies(unit)]
    found = {study.study_id: study for study in parts}
    assert len(found) == len(parts) == len(whole)
    assert all(same(study, found[study.study_id]) for study in whole)


def test_seeds_differ() -> None:
    first, second = cohort("simulated_cxr_m", 4), cohort("simulated_cxr_m", 4, seed=4)
    assert not np.array_equal(first[0].images[0].pixels, second[0].images[0].pixels)
    assert not {s.patient_id for s in first} & {s.patient_id for s in second}


def test_sources_are_picklable_and_their_hashes_differ() -> None:
    for source in sources(patients=2100, size=64, seed=0):
        assert pickle.loads(pickle.dumps(source)) == source
        units = source.units()
        assert len({source.unit_hash(unit) for unit in units}) == len(units) > 1
        other = site(source.name, 2100, 64, 0, 0.5)
        assert other.unit_hash(units[0]) != source.unit_hash(units[0])


@pytest.mark.parametrize(
    ("patients", "size", "confounding"), [(0, 64, 0.0), (5, 8, 0.0), (5, 64, 1.5)]
)
def test_bad_arguments_are_named(patients: int, size: int, confounding: float) -> None:
    with pytest.raises(ValueError, match=r"is 0|is 8|is 1\.5"):
        sources(patients=patients, size=size, seed=0, confounding=confounding)


@pytest.mark.parametrize("name", [*SITES, *EVALUATION])
def test_no_patient_is_in_two_splits_and_time_is_ordered(name: str) -> None:
    splits: dict[str, set[str]] = {}
    last: dict[str, tuple[int, float]] = {}
    for study in cohort(name):
        splits.setdefault(study.patient_id, set()).add(study.split)
        index, days = last.get(study.patient_id, (-1, -1.0))
        assert study.study_index == index + 1 and study.study_days > days
        last[study.patient_id] = (study.study_index, study.study_days)
    assert all(len(found) == 1 for found in splits.values())
    evaluation = {"test", "enriched", "progression", "small_changes", "atypical"}
    expected = evaluation if name in EVALUATION else {"train", "val", "test"}
    assert set.union(*splits.values()) == expected


@pytest.mark.parametrize("name", [*SITES, *EVALUATION])
def test_truth_is_consistent(name: str) -> None:
    studies = cohort(name)
    present = {finding: column(studies, "truth_findings", finding) == 1 for finding in FINDINGS}
    parents = np.any([present[finding] for finding in OPACITIES], axis=0)
    assert np.array_equal(present["Lung Opacity"], parents)
    assert not (present["Pneumonia"] & ~present["Consolidation"]).any()
    others = [n for n in LABELS if n not in ("No Finding", "Support Devices")]
    assert np.array_equal(present["No Finding"], ~np.any([present[n] for n in others], axis=0))
    edema = np.array([study.truth["truth_edema"] for study in studies])
    assert np.array_equal(edema > 0, present["Edema"])
    for study in studies:
        shown = study.truth["truth_visible_in"]
        assert not shown[study.truth["truth_findings"] == 0].any()
        assert len(study.truth["truth_technique"]) == len(study.images)
        marked = np.zeros(len(FINDINGS), np.int8)
        for row in study.truth["truth_boxes"]:
            lateral = study.images[int(row[0])].view == "LATERAL"
            marked[int(row[1])] |= 2 if lateral else 1
        rendered = [k for k, n in enumerate(FINDINGS) if n not in ("Lung Opacity", "Pneumonia")]
        assert np.array_equal(marked[rendered], shown[rendered])


@pytest.mark.parametrize("seed", [3, 11])
@pytest.mark.parametrize("size", [48, 96])
def test_boxes_hold_the_masks(seed: int, size: int) -> None:
    tight = []
    for study in cohort("simulated_cxr_e1", 25, size, seed):
        boxes, masks = study.truth["truth_boxes"], unpack(study.truth["truth_masks"])
        assert len(boxes) == len(masks)
        for (image, _, *box), mask in zip(boxes, masks, strict=True):
            side = study.images[int(image)].pixels.shape[0]
            x0, y0, x1, y1 = box
            assert 0 <= x0 < x1 <= side and 0 <= y0 < y1 <= side
            scale = mask.shape[0] / side
            rows, columns = np.nonzero(mask)
            assert rows.size
            # A cell of the grid may stick out of the box by less than itself.
            assert x0 * scale < columns.min() + 1 and columns.max() < x1 * scale
            assert y0 * scale < rows.min() + 1 and rows.max() < y1 * scale
            tight.append((columns.max() + 1 - columns.min()) > 0.7 * (x1 - x0) * scale - 2)
    # Thin lines and far single pixels may leave less of themselves in cells.
    assert len(tight) > 100 and np.mean(tight) > 0.9


def rates(name: str, labels: tuple[str, ...]) -> tuple[float, float]:
    """Sensitivity and specificity of the positive code against the visible truth."""
    studies = cohort(name, patients=160)
    hits, right = [], []
    for finding in labels:
        seen = visible(studies, finding)
        positive = np.array([study.labels[finding] in (1, -1) for study in studies])
        hits.extend(positive[seen])
        right.extend(~positive[~seen])
    return float(np.mean(hits)), float(np.mean(right))


def test_labels_mined_at_site_m_keep_their_rates() -> None:
    sensitivity, specificity = rates("simulated_cxr_m", LABELS[1:])
    assert 0.8 < sensitivity < 0.92
    assert 0.95 < specificity


def test_labels_of_site_c_are_blank_and_asymmetric() -> None:
    studies = cohort("simulated_cxr_c")
    codes = np.array([[study.labels[name] for name in LABELS[1:]] for study in studies])
    assert 0.3 < (codes == -2).mean() < 0.6
    sensitivity, specificity = rates("simulated_cxr_c", LABELS[1:])
    assert 0.81 < sensitivity < 0.89
    assert 0.955 < specificity < 0.985
    assert not any(study.sections or study.sentences for study in studies)


def test_site_p_labels_more_findings() -> None:
    studies = cohort("simulated_cxr_p")
    assert site("simulated_cxr_p", 5, 48, 3, 0.0).labels == WIDE_LABELS
    assert set(studies[0].labels) == set(WIDE_LABELS)
    assert len(set(WIDE_LABELS) & set(EXTRA)) >= 6
    sensitivity, specificity = rates("simulated_cxr_p", WIDE_LABELS[1:])
    assert 0.82 < sensitivity < 0.93
    assert 0.965 < specificity < 0.99


@pytest.mark.parametrize("name", EVALUATION)
def test_labels_for_evaluation_are_the_visible_truth(name: str) -> None:
    for study in cohort(name):
        for index, label in enumerate(LABELS[1:], start=1):
            assert study.labels[label] == int(study.truth["truth_visible_in"][index] > 0)


def test_half_of_the_enriched_studies_have_one_target_only() -> None:
    studies = [s for s in cohort("simulated_cxr_e1") if s.split == "enriched"]
    counts = np.array([sum(s.labels[name] == 1 for name in SINGLE_TARGETS) for s in studies])
    assert (counts == 1).mean() > 0.45


def test_some_findings_show_in_the_lateral_image_only() -> None:
    names = ("simulated_cxr_m", "simulated_cxr_p")
    shown = np.concatenate(
        [s.truth["truth_visible_in"] for name in names for s in cohort(name, patients=160)]
    )
    share = (shown == 2).sum() / (shown > 0).sum()
    assert 0.05 < share < 0.2


def test_edema_grades_and_their_sources() -> None:
    studies = cohort("simulated_cxr_e1")
    sources_ = np.array([s.severity_source for s in studies])
    assert set(sources_) == {"expert", "consensus"}
    truth = np.where(visible(studies, "Edema"), [int(s.truth["truth_edema"]) for s in studies], 0)
    grades = np.array([s.severity for s in studies])
    assert np.array_equal(grades[sources_ == "consensus"], truth[sources_ == "consensus"])
    expert, wrong = sources_ == "expert", grades != truth
    # Nobody grades what is not there, and slips are between neighbouring grades of what is.
    assert not wrong[truth == 0].any()
    assert 0.005 < wrong[expert & (truth > 0)].mean() < 0.12
    assert (abs(grades - truth)[wrong] == 1).all() and (grades[wrong] > 0).all()
    assert set(grades) == {0, 1, 2, 3}
    present = np.array([int(s.truth["truth_edema"]) for s in studies])
    for grade in (1, 2, 3):
        assert (truth[present == grade] == grade).mean() > 0.7
    mined = [s for s in cohort("simulated_cxr_m", patients=160) if s.severity_source]
    assert {s.severity_source for s in mined} == {"mined"}
    assert 0 < len(mined) < 0.05 * len(cohort("simulated_cxr_m", patients=160))
    assert not any(s.severity_source for s in cohort("simulated_cxr_c"))


def test_ids_tell_nothing() -> None:
    """Neither the split nor any label can be read from an id."""
    studies = cohort("simulated_cxr_e1")
    digits = np.array([[int(c, 16) for c in s.patient_id[2:14]] for s in studies])
    splits = np.array([s.split for s in studies])
    assert {len(s.patient_id) for s in studies} == {14}
    for split in np.unique(splits):
        difference = digits[splits == split].mean() - digits[splits != split].mean()
        assert abs(difference) < 0.5


def test_sites_can_be_made_alone() -> None:
    alone = make_sources("simulated_cxr", Request(patients=3, size=48, sites=("e1", "m")))
    assert [source.name for source in alone] == ["simulated_cxr_m", "simulated_cxr_e1"]
    with pytest.raises(RequestError, match=r"no sites \['x'\]: give some of m, c, p"):
        make_sources("simulated_cxr", Request(sites=("m", "x")))
