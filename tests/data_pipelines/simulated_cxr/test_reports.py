# SPDX-License-Identifier: Apache-2.0
"""Reports against the state of the patient."""

import pytest

from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS
from medst_jax.data_pipelines.simulated_cxr.reporter.rates import INVENTED, INVENTIBLE
from tests.data_pipelines.simulated_cxr.cohorts import cohort


@pytest.mark.parametrize("site", ["simulated_cxr_m", "simulated_cxr_e1", "simulated_cxr_e2"])
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
        said = {name for s in study.sentences for name, code in s.labels.items() if code != 0}
        if study.labels["No Finding"] == 1:
            assert said <= {"No Finding", "Support Devices"}
        assert study.labels["No Finding"] != 0
