# SPDX-License-Identifier: Apache-2.0
"""The confounding dial: what it ties at the training sites, and the three test splits."""

import numpy as np
import pytest

from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.registry import Request, RequestError, make_sources
from medst_jax.data_pipelines.simulated_cxr.cohort.truth import TECHNIQUE
from medst_jax.data_pipelines.simulated_cxr.findings.confounding import (
    TIED_FINDINGS,
    tie,
    with_devices,
)
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from tests.data_pipelines.simulated_cxr.cohorts import cohort, column


def correlation(studies: list[RawStudy] | tuple[RawStudy, ...]) -> dict[str, float]:
    """Of disease with view, devices and exposure."""
    kept = tuple(studies)
    sick = np.any([column(kept, "truth_findings", name) == 1 for name in TIED_FINDINGS], axis=0)
    exposure = TECHNIQUE.index("exposure")
    nuisances = {
        "view": np.array([s.images[0].view == "AP" for s in kept]),
        "devices": column(kept, "truth_findings", "Support Devices") == 1,
        "exposure": np.array([-s.truth["truth_technique"][0][exposure] for s in kept]),
    }
    return {name: float(np.corrcoef(sick, x)[0, 1]) for name, x in nuisances.items()}


@pytest.mark.parametrize("name", ["simulated_cxr_m", "simulated_cxr_c", "simulated_cxr_p"])
def test_training_sites_are_confounded_as_told(name: str) -> None:
    # As many patients at each site: chance correlations of fewer reach the bound.
    patients = round(120 / SITES[name[-1]].patients)
    free, tied = (correlation(cohort(name, patients, confounding=r)) for r in (0.0, 0.8))
    for nuisance in free:
        # Patients with one finding have more of the others, devices among them.
        assert abs(free[nuisance]) < (0.4 if nuisance == "devices" else 0.2)
        assert tied[nuisance] > 0.5


def test_evaluation_sites_get_three_splits() -> None:
    studies = cohort("simulated_cxr_e1", patients=200, confounding=0.8)
    splits = {s.split for s in studies}
    free = {s.split for s in cohort("simulated_cxr_e1")}
    assert free == {"test", "enriched", "progression", "small_changes", "atypical"}
    assert splits == free | {"aligned", "neutral", "reversed"}
    three = ("aligned", "neutral", "reversed")
    found = {k: correlation([s for s in studies if s.split == k]) for k in three}
    for nuisance in ("view", "devices", "exposure"):
        assert found["aligned"][nuisance] > 0.5
        assert abs(found["neutral"][nuisance]) < (0.4 if nuisance == "devices" else 0.2)
        assert found["reversed"][nuisance] < -0.5


def test_the_dial_leaves_other_studies_alone() -> None:
    """What is not tied is the same, picture for picture, as in the free cohort."""
    free = {s.study_id: s for s in cohort("simulated_cxr_c")}
    tied = cohort("simulated_cxr_c", confounding=0.4)
    equal = [np.array_equal(s.images[0].pixels, free[s.study_id].images[0].pixels) for s in tied]
    assert 0.5 < np.mean(equal) < 0.7


def test_a_tie_holds_what_it_says() -> None:
    ties = [tie(stream(0, "test", k), 0.3, {}) for k in range(2000)]
    assert 0.26 < np.mean([t is not None for t in ties]) < 0.34
    assert all(not t.portable and not t.devices for t in ties if t)
    assert all(t.portable for k in range(50) if (t := tie(stream(0, "test", k), -1.0, {})))
    devices = with_devices(stream(0, "test", 1), {}, True)
    assert set(devices) == {"Support Devices"} and not with_devices(
        stream(0, "x", 1), devices, False
    )


def test_the_card_says_how_confounded() -> None:
    made = make_sources("simulated_cxr", Request(patients=3, size=48, confounding=0.25))
    assert [source.card["confounding"] for source in made] == [0.25] * 5
    free = make_sources("simulated_cxr", Request(patients=3, size=48))
    assert [source.card["confounding"] for source in free] == [0.0] * 5
    with pytest.raises(RequestError, match="confounding is -1"):
        make_sources("simulated_cxr", Request(confounding=-1.0))
