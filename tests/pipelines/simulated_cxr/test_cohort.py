# SPDX-License-Identifier: Apache-2.0
"""The cohort as a whole: determinism, splits, truth, label noise, reports against the state."""

import pickle
from functools import lru_cache

import numpy as np
import pytest

from data_pipelines.raw import RawStudy
from data_pipelines.simulated_cxr.findings import FINDINGS, LABELS, OPACITIES, SINGLE_TARGETS
from data_pipelines.simulated_cxr.reporter import INVENTED, INVENTIBLE
from data_pipelines.simulated_cxr.source import sources

SITES = {"simulated_cxr_m": 0, "simulated_cxr_c": 1, "simulated_cxr_e1": 2}


@lru_cache
def cohort(site: str, patients: int = 120, size: int = 48, seed: int = 3) -> tuple[RawStudy, ...]:
    source = sources(patients=patients, size=size, seed=seed)[SITES[site]]
    return tuple(study for unit in source.units() for study in source.studies(unit))


def column(studies: tuple[RawStudy, ...], feature: str, name: str) -> np.ndarray:
    return np.array([study.truth[feature][FINDINGS.index(name)] for study in studies])


def same(first: RawStudy, second: RawStudy) -> bool:
    pixels = all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(first.images, second.images, strict=True)
    )
    truth = all(np.array_equal(first.truth[k], second.truth[k]) for k in first.truth)
    return (
        pixels
        and truth
        and (first.sections, first.labels, first.study_days)
        == (
            second.sections,
            second.labels,
            second.study_days,
        )
    )


@pytest.mark.parametrize("site", SITES)
def test_a_patient_does_not_depend_on_the_cohort_size(site: str) -> None:
    small = cohort(site, patients=6)
    large = {study.study_id: study for study in cohort(site)}
    assert small
    assert all(same(study, large[study.study_id]) for study in small)


def test_seeds_differ() -> None:
    first, second = cohort("simulated_cxr_m", 4), cohort("simulated_cxr_m", 4, seed=4)
    assert not np.array_equal(first[0].images[0].pixels, second[0].images[0].pixels)


def test_sources_are_picklable_and_their_hashes_differ() -> None:
    for source in sources(patients=1000, size=64, seed=0):
        assert pickle.loads(pickle.dumps(source)) == source
        units = source.units()
        assert len({source.unit_hash(unit) for unit in units}) == len(units) > 1


@pytest.mark.parametrize(("patients", "size"), [(0, 64), (5, 8)])
def test_bad_arguments_are_named(patients: int, size: int) -> None:
    with pytest.raises(ValueError, match="is 0|is 8"):
        sources(patients=patients, size=size, seed=0)


@pytest.mark.parametrize("site", SITES)
def test_no_patient_is_in_two_splits_and_time_is_ordered(site: str) -> None:
    splits: dict[str, set[str]] = {}
    last: dict[str, tuple[int, float]] = {}
    for study in cohort(site):
        splits.setdefault(study.patient_id, set()).add(study.split)
        index, days = last.get(study.patient_id, (-1, -1.0))
        assert study.study_index == index + 1 and study.study_days > days
        last[study.patient_id] = (study.study_index, study.study_days)
    assert all(len(found) == 1 for found in splits.values())
    expected = {"test", "enriched"} if site.endswith("e1") else {"train", "val", "test"}
    assert set.union(*splits.values()) == expected


@pytest.mark.parametrize("site", SITES)
def test_truth_is_consistent(site: str) -> None:
    studies = cohort(site)
    present = {name: column(studies, "truth_findings", name) == 1 for name in FINDINGS}
    parents = np.any([present[name] for name in OPACITIES], axis=0)
    assert np.array_equal(present["Lung Opacity"], parents)
    assert not (present["Pneumonia"] & ~present["Consolidation"]).any()
    others = [n for n in LABELS if n not in ("No Finding", "Support Devices")]
    assert np.array_equal(present["No Finding"], ~np.any([present[n] for n in others], axis=0))
    assert 0.15 < present["No Finding"].mean() < 0.5
    edema = np.array([study.truth["truth_edema"] for study in studies])
    assert np.array_equal(edema > 0, present["Edema"])
    for study in studies:
        visible = study.truth["truth_visible_in"]
        assert not visible[study.truth["truth_findings"] == 0].any()
        for image, finding, x0, y0, x1, y1 in study.truth["truth_boxes"]:
            side = study.images[int(image)].pixels.shape[0]
            assert 0 <= x0 < x1 <= side and 0 <= y0 < y1 <= side
            lateral = study.images[int(image)].view == "LATERAL"
            assert visible[int(finding)] & (2 if lateral else 1)


def test_labels_of_site_m_keep_their_noise_rates() -> None:
    studies = cohort("simulated_cxr_m")
    hits, false = [], []
    for name in LABELS[1:]:
        visible = column(studies, "truth_visible_in", name) > 0
        positive = np.array([study.labels[name] in (1, -1) for study in studies])
        hits.extend(positive[visible])
        false.extend(positive[~visible])
    assert 0.78 < np.mean(hits) < 0.92
    assert 0.01 < np.mean(false) < 0.05


def test_labels_of_site_c_are_blank_and_asymmetric() -> None:
    studies = cohort("simulated_cxr_c")
    codes = np.array([[study.labels[name] for name in LABELS[1:]] for study in studies])
    visible = np.array([study.truth["truth_visible_in"][1:14] > 0 for study in studies])
    assert 0.3 < (codes == -2).mean() < 0.6
    assert 0.68 < np.isin(codes, (1, -1))[visible].mean() < 0.88
    assert (codes[~visible] == 1).mean() < 0.05
    assert not any(study.sections or study.sentences for study in studies)


def test_labels_of_site_e1_are_the_visible_truth() -> None:
    for study in cohort("simulated_cxr_e1"):
        for index, name in enumerate(LABELS[1:], start=1):
            assert study.labels[name] == int(study.truth["truth_visible_in"][index] > 0)


def test_half_of_the_enriched_studies_have_one_target_only() -> None:
    studies = [s for s in cohort("simulated_cxr_e1") if s.split == "enriched"]
    counts = np.array([sum(s.labels[name] == 1 for name in SINGLE_TARGETS) for s in studies])
    assert (counts == 1).mean() > 0.45


@pytest.mark.parametrize("site", ["simulated_cxr_m", "simulated_cxr_e1"])
def test_sentences_agree_with_the_state(site: str) -> None:
    unseen = affirmed = seen = denied = 0
    for study in cohort(site):
        said: dict[str, int] = {}
        for sentence in study.sentences:
            text = study.sections[sentence.section][1][sentence.start : sentence.end]
            assert text.endswith(".") and text == text.strip() and "{" not in text
            for name, code in sentence.labels.items():
                said[name] = max(said.get(name, 0), abs(code))
        for name in INVENTIBLE:
            if study.truth["truth_visible_in"][FINDINGS.index(name)] > 0:
                seen, denied = seen + 1, denied + (said.get(name) == 0)
            else:
                unseen, affirmed = unseen + 1, affirmed + (said.get(name) == 1)
    # A sentence copied from the report before may be out of date.
    assert affirmed / unseen < 1.5 * INVENTED
    assert denied / seen < 0.12


def test_no_report_calls_itself_normal_and_names_a_finding() -> None:
    for study in cohort("simulated_cxr_m"):
        said = [name for s in study.sentences for name, code in s.labels.items() if code != 0]
        assert ("No Finding" in said) == (not set(said) - {"No Finding", "Support Devices"})
