# SPDX-License-Identifier: Apache-2.0
"""The generator is frozen: what it makes for a version never changes.

`golden.json` holds, per version and site, a hash of everything stored of a few patients: pixels,
texts, labels, truth. Grey values are rounded renderings in floating point, so the hash belongs to
a platform (`PLATFORM`); elsewhere the test compares everything but the pixels. After a change of the
generator raise `seeds.VERSION` and run this file with `python -m`, which adds the new version.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import pytest

from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from tests.data_pipelines.simulated_cxr.cohorts import EVALUATION, SITES, cohort

FILE = Path(__file__).with_name("golden.json")
PLATFORM = f"{platform.system()} {platform.machine()}"
PIXELS = ("pixels", "truth_masks", "truth_boxes")


def digests(name: str) -> dict[str, str]:
    """Hashes of a site: of the pixels and what follows from them, and of the rest."""
    parts = {"pixels": hashlib.sha256(), "facts": hashlib.sha256()}
    for confounding in (0.0, 0.5):
        for study in cohort(name, patients=4, size=48, seed=0, confounding=confounding):
            for image in study.images:
                parts["pixels"].update(image.pixels.tobytes())
            parts["pixels"].update(study.truth["truth_masks"].tobytes())
            parts["pixels"].update(np.round(study.truth["truth_boxes"]).astype(int).tobytes())
            parts["facts"].update(json.dumps(facts(study), sort_keys=True).encode())
    return {key: value.hexdigest() for key, value in parts.items()}


def facts(study: RawStudy) -> list:
    """What is stored besides pixels, floats rounded to four digits."""
    truth = {
        name: np.round(np.asarray(value, float), 4).tolist()
        for name, value in study.truth.items()
        if name not in PIXELS
    }
    sentences = [[s.section, s.start, s.end, dict(s.labels)] for s in study.sentences]
    images = [[image.image_id, image.view] for image in study.images]
    identity = [study.patient_id, study.study_id, study.split, study.age, study.sex]
    course = [study.study_index, study.study_days, study.severity, study.severity_source]
    codes = [dict(study.labels), dict(study.progression)]
    return [identity, course, codes, images, list(study.sections), sentences, truth]


@pytest.mark.parametrize("name", [*SITES, *EVALUATION])
def test_the_version_makes_what_it_made(name: str) -> None:
    stored = json.loads(FILE.read_text())
    assert VERSION in stored, f"version {VERSION} is new: run {FILE.with_name('test_golden.py')}"
    golden = stored[VERSION]
    found = digests(name)
    message = "the generator changed: raise medst_jax.data_pipelines.simulated_cxr.seeds.VERSION"
    assert found["facts"] == golden["sites"][name]["facts"], message
    if golden["platform"] != PLATFORM:
        pytest.skip(f"the golden pixels are of {golden['platform']}, this is {PLATFORM}")
    assert found["pixels"] == golden["sites"][name]["pixels"], message


def main() -> None:
    """Adds the version; one that is there already stays as it is."""
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    if VERSION in stored:
        raise SystemExit(f"{VERSION} is frozen: raise seeds.VERSION first")
    sites = {name: digests(name) for name in (*SITES, *EVALUATION)}
    stored[VERSION] = {"platform": PLATFORM, "sites": sites}
    FILE.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
