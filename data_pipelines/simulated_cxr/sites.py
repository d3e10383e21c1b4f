# SPDX-License-Identifier: Apache-2.0
"""The sites of the cohort: prevalence, views, scanner, phrasing and label noise of each.

M has reports and labels mined from them and is rich in portable AP images; C has labels only,
with asymmetric noise and blanks; E1 is for evaluation, with labels that are the visible truth,
as a split of natural prevalence and an enriched one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from data_pipelines.simulated_cxr.detector import Scanner

PREVALENCE: Mapping[str, float] = {
    "Enlarged Cardiomediastinum": 0.07,
    "Cardiomegaly": 0.20,
    "Lung Lesion": 0.08,
    "Edema": 0.17,
    "Consolidation": 0.15,
    "Atelectasis": 0.19,
    "Pneumothorax": 0.07,
    "Pleural Effusion": 0.22,
    "Pleural Other": 0.04,
    "Fracture": 0.05,
    "Support Devices": 0.28,
    "Hiatal Hernia": 0.07,
    "Emphysema": 0.08,
    "Calcified Granuloma": 0.08,
    "Scoliosis": 0.08,
    "Tortuous Aorta": 0.09,
    "Pneumoperitoneum": 0.06,
    "Subcutaneous Emphysema": 0.06,
    "Elevated Hemidiaphragm": 0.07,
    "Hilar Lymphadenopathy": 0.07,
    "Fibrosis": 0.07,
    "Cavity": 0.06,
    "Compression Fracture": 0.07,
}


@dataclass(frozen=True)
class LabelNoise:
    """How study labels depart from the visible truth.

    `missed` and `false` are the rates of flipped positives and negatives; `uncertain` turns
    kept positives into -1 and `blank` kept negatives into -2.
    """

    missed: float = 0.0
    false: float = 0.0
    uncertain: float = 0.0
    blank: float = 0.0


@dataclass(frozen=True)
class Site:
    """One site. `portable` is the share of AP studies, `lateral` of the others with a lateral."""

    name: str
    patients: float  # per patient of the cohort
    healthy: float
    prevalence: Mapping[str, float]
    portable: float
    lateral: float
    scanner: Scanner
    reports: bool
    style: str
    noise: LabelNoise
    evaluation_only: bool = False
    splits: tuple[tuple[str, float], ...] = ()
    description: str = ""
    more_studies: float = 0.55  # chance of each further study, up to six


def _scaled(factor: float, **changes: float) -> dict[str, float]:
    named = {key.replace("_", " "): value for key, value in changes.items()}
    return {name: named.get(name, value * factor) for name, value in PREVALENCE.items()}


SPLITS = (("train", 0.75), ("val", 0.1), ("test", 0.15))
SITES: Mapping[str, Site] = {
    "m": Site(
        name="m",
        patients=1.0,
        healthy=0.26,
        prevalence=PREVALENCE,
        portable=0.6,
        lateral=0.8,
        scanner=Scanner(),
        reports=True,
        style="m",
        noise=LabelNoise(missed=0.05, false=0.015),
        splits=SPLITS,
        description="reports, labels mined from them, mostly portable AP images",
    ),
    "c": Site(
        name="c",
        patients=0.6,
        healthy=0.24,
        prevalence=_scaled(1.1, Support_Devices=0.4),
        portable=0.7,
        lateral=0.45,
        scanner=Scanner(scatter=0.5, dose=4000.0, gamma=0.85, high=0.95, margin=0.2, blur=0.9),
        reports=False,
        style="",
        noise=LabelNoise(missed=0.2, false=0.02, uncertain=0.06, blank=0.5),
        splits=SPLITS,
        description="no reports; labels with asymmetric noise and blanks",
    ),
    "e1": Site(
        name="e1",
        patients=0.3,
        healthy=0.32,
        prevalence=_scaled(0.85, Lung_Lesion=0.1),
        portable=0.35,
        lateral=0.85,
        scanner=Scanner(scatter=0.28, dose=9000.0, gamma=1.15, margin=0.4, blur=0.4),
        reports=True,
        style="e1",
        noise=LabelNoise(),
        evaluation_only=True,
        description="evaluation only; labels are the visible truth",
    ),
}


@dataclass(frozen=True)
class Enriched:
    """The enriched split of an evaluation site: patients per patient of the cohort."""

    patients: float = 0.4
    single: float = 0.62  # share of patients with exactly one of the single targets
    none: float = 0.12  # share without any finding
    others: tuple[str, ...] = field(
        default=(
            "Enlarged Cardiomediastinum",
            "Pneumonia",
            "Pleural Other",
            "Fracture",
            "Support Devices",
        )
    )


ENRICHED = Enriched()
