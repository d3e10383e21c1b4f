# SPDX-License-Identifier: Apache-2.0
"""How the annotations of MIMIC-CXR are judged: MS-CXR, MS-CXR-T and its sentences."""

from typing import Any

from medst_jax.configs.evaluate.parts.designs import NO_THRESHOLD

_OUT = "the patients are left out of pre-training where its data say who they are"

MS_CXR_T: dict[str, Any] = dict(
    unit="image pair",
    views="the current and the prior image that the table names, whatever their view",
    excluded="of a finding, the pairs whose progression is blank; a finding with fewer patients of a class "
    f"than folds; {_OUT}",
    split="all of MS-CXR-T, cut in ten folds over three seeds: by patient, and as the release cuts it "
    "(part `released`)",
    thresholds=NO_THRESHOLD,
)
MS_CXR_T_SENTENCES: dict[str, Any] = dict(
    unit="sentence pair",
    views="none: text alone",
    excluded="pairs of other subsets than the task names",
    split="all pairs",
    thresholds="for the accuracy: of nine folds for the tenth, pairs about one sentence together; for "
    "`released accuracy` the best fold's, which has seen the test pairs",
)
MS_CXR: dict[str, Any] = dict(
    unit="phrase",
    views="the image that the phrase is about",
    excluded=f"nothing; {_OUT}",
    split="all phrases: every split of the table. The location baseline is made of the other patients' phrases",
    thresholds="0.1 to 0.5 of the map, averaged, for mIoU; none for the contrast",
)
