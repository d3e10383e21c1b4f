# SPDX-License-Identifier: Apache-2.0
"""Labels mined from the reports of a table: languages, headings, and their counts for the card."""

from medst_jax.data_pipelines.image_table.mined import LABELERS, report_counts, with_mined
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.text.no_finding import NO_FINDING

REPORTS = (
    "FINDINGS: Small effusion. No pneumothorax.",
    "No acute cardiopulmonary process",
    "Sin derrame pleural. Opacidad basal derecha.",
    "",
)
ITEMS = [
    Item(row=n, patient_id=f"p{n}", study_id=f"s{n}", image_id=f"i{n}", report=report, labels={})
    for n, report in enumerate(REPORTS)
]


def test_only_english_reports_give_labels():
    effusion, normal, spanish, silent = with_mined(ITEMS, LABELERS["findings"])
    assert effusion.labels["Pleural Effusion"] == 1 and effusion.labels[NO_FINDING] == -2
    assert normal.labels[NO_FINDING] == 1 and normal.labels["Pleural Effusion"] == -2
    assert not spanish.labels and not silent.labels


def test_the_card_counts_reports():
    assert report_counts(ITEMS) == {
        "reports_read": 2,
        "reports_without_headings": 1,
        "reports_in_another_language": 1,
    }
