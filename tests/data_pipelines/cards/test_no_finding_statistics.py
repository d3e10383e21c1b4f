# SPDX-License-Identifier: Apache-2.0
"""A table's own No Finding beside what reports say."""

from types import SimpleNamespace

import numpy as np
import pytest

from medst_jax.data_pipelines.cards.no_finding_statistics import no_finding_statistics

LABELS = ("Edema", "No Finding")
NORMAL, EDEMA = "The lungs are clear. No effusion.", "Mild pulmonary edema."


def study(code, text, language="en"):
    sections = (("FINDINGS", text),) if text else ()
    return SimpleNamespace(labels=np.array([-2, code]), sections=sections, language=language)


@pytest.mark.parametrize(
    ("code", "text", "counts"),
    [
        (1, NORMAL, (1, 0, 0)),
        (1, EDEMA, (1, 1, 0)),
        (-2, NORMAL, (1, 0, 1)),
        (0, NORMAL, (1, 0, 1)),
        (-2, EDEMA, (1, 0, 0)),
        (1, "", None),
        (-3, NORMAL, None),
    ],
)
def test_disagreements_are_counted_by_side(code, text, counts):
    found = no_finding_statistics([study(code, text)], LABELS)
    expected = dict(zip(("studies", "table_alone", "report_alone"), counts or (), strict=False))
    assert found == expected


def test_other_languages_and_vocabularies_are_not_compared():
    assert no_finding_statistics([study(1, EDEMA, "es")], LABELS) == {}
    assert no_finding_statistics([study(1, EDEMA)], ("Edema", "Mass")) == {}
