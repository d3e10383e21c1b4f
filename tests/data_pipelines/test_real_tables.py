# SPDX-License-Identifier: Apache-2.0
"""The small real data sets build completely."""

import pytest

from medst_jax.data.records.studies import open_studies
from tests.data_pipelines.tables import build_table

# name: patients, studies, images, laterals, studies with text, labels
EXPECTED = {
    "kermany_224": (967, 1123, 1500, 0, 0, 4),
    "nih1000_64": (224, 829, 829, 0, 0, 15),
    "covid_cxr_cc": (49, 80, 100, 16, 80, 12),
    "mhh_covid": (71, 219, 243, 0, 0, 3),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_table(shared, tmp_path, name):
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    result = build_table(folder, tmp_path, size=512)
    counts = result.info["counts"]
    laterals = sum(counts["views"].get(view, 0) for view in ("LATERAL", "LL"))
    found = (counts["patients"], counts["studies"], counts["images"], laterals)
    assert (*found, counts["studies_with_text"], len(result.info["labels"])) == EXPECTED[name]
    assert not result.info["rejects"]
    for split in result.info["splits"]:
        studies = open_studies(tmp_path, "mine", split)
        assert all(image.data for image in studies[len(studies) - 1].images)
