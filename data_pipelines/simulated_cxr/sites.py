# SPDX-License-Identifier: Apache-2.0
"""The sites of the cohort: prevalence, views, scanner, phrasing and label noise of each.

M has reports and labels mined from them and is rich in portable AP images; C has labels only,
with asymmetric noise and blanks; P has no reports either but a wider vocabulary; E1 and E2 are for
evaluation, with labels that are the visible truth, and differ from the others and from each other.
To change a prevalence, a scanner or the noise of labels, change it here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from medst_jax.data_pipelines.simulated_cxr.findings.findings import LABELS, WIDE_LABELS
from medst_jax.data_pipelines.simulated_cxr.thorax.detector import Scanner

PREVALENCE: Mapping[str, float] = {
    "Enlarged Cardiomediastinum": 0.07,
    "Cardiomegaly": 0.20,
    "Lung Lesion": 0.10,
    "Edema": 0.17,
    "Consolidation": 0.16,
    "Atelectasis": 0.19,
    "Pneumothorax": 0.08,
    "Pleural Effusion": 0.22,
    "Pleural Other": 0.05,
    "Fracture": 0.06,
    "Support Devices": 0.28,
    "Hiatal Hernia": 0.09,
    "Emphysema": 0.08,
    "Calcified Granuloma": 0.09,
    "Scoliosis": 0.08,
    "Tortuous Aorta": 0.09,
    "Pneumoperitoneum": 0.07,
    "Subcutaneous Emphysema": 0.07,
    "Elevated Hemidiaphragm": 0.07,
    "Hilar Lymphadenopathy": 0.07,
    "Fibrosis": 0.07,
    "Cavity": 0.07,
    "Compression Fracture": 0.19,
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
    """One site.

    `patients` is per patient of the cohort; `healthy` the share of patients with next to no
    finding; `prevalence` of first studies, over all patients; `portable` the share of AP studies,
    `lateral` of the others with a lateral; `more_studies` the chance of each further study, up to
    twelve. Labels are mined from the reports where there are `reports`, and are the visible truth
    with `noise` where there are none; at a site for evaluation they are the visible truth.
    """

    name: str
    patients: float
    healthy: float
    prevalence: Mapping[str, float]
    portable: float
    lateral: float
    scanner: Scanner
    description: str
    reports: bool = False
    style: str = ""
    noise: LabelNoise = LabelNoise()
    labels: tuple[str, ...] = LABELS
    evaluation_only: bool = False
    splits: tuple[tuple[str, float], ...] = ()
    more_studies: float = 0.72  # 3.5 studies per patient


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
        portable=0.33,
        lateral=0.95,
        scanner=Scanner(),
        reports=True,
        style="m",
        splits=SPLITS,
        description="reports, labels mined from them, many portable AP images",
    ),
    "c": Site(
        name="c",
        patients=0.6,
        healthy=0.24,
        prevalence=_scaled(1.1, Support_Devices=0.4),
        portable=0.7,
        lateral=0.45,
        scanner=Scanner(scatter=0.5, dose=4000.0, gamma=0.85, high=0.95, margin=0.2, blur=0.9),
        noise=LabelNoise(missed=0.15, false=0.03, uncertain=0.06, blank=0.5),
        splits=SPLITS,
        description="no reports; labels with asymmetric noise and blanks",
    ),
    "p": Site(
        name="p",
        patients=0.4,
        healthy=0.3,
        prevalence=_scaled(0.9, Support_Devices=0.18, Scoliosis=0.11, Tortuous_Aorta=0.12),
        portable=0.25,
        lateral=0.9,
        scanner=Scanner(scatter=0.3, dose=8000.0, gamma=1.05, low=0.04, blur=0.5),
        noise=LabelNoise(missed=0.12, false=0.02, blank=0.7),
        labels=WIDE_LABELS,
        splits=SPLITS,
        description="no reports; a wider label vocabulary, mostly PA and lateral images",
    ),
    "e1": Site(
        name="e1",
        patients=0.3,
        healthy=0.32,
        prevalence=_scaled(0.85, Lung_Lesion=0.12),
        portable=0.35,
        lateral=0.85,
        scanner=Scanner(scatter=0.28, dose=9000.0, gamma=1.15, margin=0.4, blur=0.4),
        reports=True,
        style="e1",
        evaluation_only=True,
        description="evaluation only; labels are the visible truth",
    ),
    "e2": Site(
        name="e2",
        patients=0.2,
        healthy=0.2,
        prevalence=_scaled(1.2, Edema=0.28, Support_Devices=0.5, Lung_Lesion=0.06),
        portable=0.7,
        lateral=0.6,
        scanner=Scanner(
            scatter=0.42, dose=2500.0, gamma=0.9, high=0.96, margin=0.25, blur=1.1, spread=1.4
        ),
        reports=True,
        style="e2",
        evaluation_only=True,
        description="evaluation only, a ward of portable images; labels are the visible truth",
    ),
}
