# SPDX-License-Identifier: Apache-2.0
"""How the public data sets are judged where a suite does nothing special: what `prepare.py` gives."""

FIRST_FRONTAL = "the first frontal image of a study; laterals and further frontals are not used"
ONE_IMAGE = "none: every image stands alone"
OWN_PATIENTS = "training images of a probe whose patient is among the test images"
NO_THRESHOLD = "none: the class of the highest score, areas under curves"

CHEXPERT_5X200 = dict(
    unit="image",
    views=ONE_IMAGE,
    excluded="images with a further positive or uncertain finding, by the rule that the data card "
    "names; the patients of the 1,000 images are left out of pre-training",
    split="chexpert_5x200.csv where the folder holds it, else the published rule with seed 0 (MGCA's "
    "list); probes in five folds by patient",
    thresholds=NO_THRESHOLD,
)
MIMIC_5X200 = dict(
    unit="image",
    views=ONE_IMAGE,
    excluded="images with two of the five findings, further images of a patient; the patients are left "
    "out of pre-training",
    split="mimic_5x200.csv where the folder holds it, else DLILP's rule with seed 42; probes in five "
    "folds by patient",
    thresholds=NO_THRESHOLD,
)
RSNA = dict(
    unit="image",
    views=ONE_IMAGE,
    excluded=OWN_PATIENTS,
    split="70/15/15 of GLoRIA and MGCA (scikit-learn, random_state 0), over patients where RSNA's "
    "mapping to NIH is in the folder, else over images",
    thresholds=NO_THRESHOLD,
)
SIIM = dict(
    unit="image",
    views=ONE_IMAGE,
    excluded="nothing: no patients are published",
    split="70/15/15 (scikit-learn, random_state 0) over images, not over rows of the table as MGCA does, "
    "which tears images with several masks",
    thresholds=NO_THRESHOLD,
)
