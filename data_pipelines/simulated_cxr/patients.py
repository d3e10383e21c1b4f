# SPDX-License-Identifier: Apache-2.0
"""All studies of one patient: anatomy, states, images with truth, report and labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.raw import RawImage, RawStudy
from data_pipelines.simulated_cxr.anatomy import Anatomy, draw_anatomy
from data_pipelines.simulated_cxr.findings import (
    FINDINGS,
    LABELS,
    MIDLINE,
    OPACITIES,
    SIDE_BOTH,
    SIDE_LEFT,
    SIDE_MIDLINE,
    SIDE_RIGHT,
    SINGLE_TARGETS,
)
from data_pipelines.simulated_cxr.labeling import implied, visible_labels, with_noise
from data_pipelines.simulated_cxr.render import draw_view, render
from data_pipelines.simulated_cxr.reporter import STEP, Report, Reporter
from data_pipelines.simulated_cxr.seeds import stream, uniform_hash
from data_pipelines.simulated_cxr.sites import ENRICHED, Site
from data_pipelines.simulated_cxr.states import (
    Finding,
    State,
    edema_grade,
    enriched_state,
    first_state,
    next_state,
)
from data_pipelines.simulated_cxr.visibility import SEEN, see

TRUTH_FEATURES: Mapping[str, tuple[np.dtype, tuple[int | None, ...]]] = {
    "truth_findings": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_severity": (np.dtype(np.float32), (len(FINDINGS),)),
    "truth_side": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_visible_in": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_boxes": (np.dtype(np.float32), (None, 6)),
    "truth_edema": (np.dtype(np.int8), ()),
}
MAX_STUDIES = 6
CHILDREN: Mapping[str, tuple[str, ...]] = {
    "Lung Opacity": OPACITIES,
    "Pneumonia": ("Consolidation",),
}


@dataclass(frozen=True)
class _Case:
    """A patient to be generated, and the source of its random streams."""

    site: Site
    seed: int
    number: int
    size: int
    split: str

    def stream(self, *purpose: str | int) -> np.random.Generator:
        return stream(self.seed, self.site.name, self.number, self.split, *purpose)


@dataclass(frozen=True)
class _Truth:
    features: Mapping[str, np.ndarray]
    visibility: Mapping[str, float]
    visible: frozenset[str]


def patient_split(site: Site, seed: int, patient_id: str) -> str:
    """Returns the split of a patient, from a hash of the id alone."""
    place = uniform_hash("split", seed, site.name, patient_id)
    for split, share in site.splits:
        if place < share:
            return split
        place -= share
    return site.splits[-1][0]


def patient_studies(
    site: Site, seed: int, number: int, size: int, split: str
) -> Iterator[RawStudy]:
    """Yields the studies of a patient in time order.

    Args:
      site: the site.
      seed: of the cohort.
      number: of the patient at the site.
      size: of the images, pixels.
      split: "" to derive it from the patient's id; "enriched" also changes the states.
    """
    case = _Case(site, seed, number, size, split)
    rng = case.stream("patient")
    anatomy = draw_anatomy(rng)
    patient_id = f"{site.name}{'x' if split == 'enriched' else ''}{number:07d}"
    days, prior, seen, previous = 0.0, None, frozenset[str](), None
    state = _opening(rng, site, split)
    for index in range(_count(rng, site, split)):
        if index:
            gap = float(np.ceil(rng.lognormal(2.6, 1.5)))
            days += gap
            prior, state = state, next_state(rng, state, site.prevalence, gap)
        views = _views(rng, site)
        images, truth = _images(case, index, views, anatomy, state)
        report, labels = _text(case, index, views, state, truth, prior, seen, previous)
        severity, severity_source = _grade(rng, site, state, truth, labels)
        yield RawStudy(
            patient_id=patient_id,
            study_id=f"{patient_id}s{index + 1}",
            study_index=index,
            study_days=days,
            images=tuple(
                RawImage(f"{patient_id}s{index + 1}i{k + 1}", view, pixels, None, (mm, mm))
                for k, (view, pixels, mm) in enumerate(images)
            ),
            sections=report.sections if report else (),
            sentences=report.sentences if report else (),
            labels=labels,
            split=split or patient_split(site, seed, patient_id),
            severity=severity,
            severity_source=severity_source,
            progression=_progression(site, state, prior, truth, seen, report),
            age=anatomy.age,
            sex=anatomy.sex,
            source=f"simulated_cxr_{site.name}",
            truth=truth.features,
        )
        seen, previous = truth.visible, report


def _opening(rng: np.random.Generator, site: Site, split: str) -> dict[str, Finding]:
    if split != "enriched":
        return first_state(rng, site.prevalence, site.healthy)
    draw = rng.random()
    if draw < ENRICHED.single:
        target = SINGLE_TARGETS[int(rng.integers(len(SINGLE_TARGETS)))]
    elif draw < ENRICHED.single + ENRICHED.none:
        target = "No Finding"
    else:
        target = ENRICHED.others[int(rng.integers(len(ENRICHED.others)))]
    return enriched_state(rng, site.prevalence, target)


def _count(rng: np.random.Generator, site: Site, split: str) -> int:
    further = 0.15 if split == "enriched" else site.more_studies
    count = 1
    while count < MAX_STUDIES and rng.random() < further:
        count += 1
    return count


def _views(rng: np.random.Generator, site: Site) -> tuple[str, ...]:
    if rng.random() < site.portable:
        return ("AP",)
    return ("PA", "LATERAL") if rng.random() < site.lateral else ("PA",)


def _images(
    case: _Case, index: int, views: Sequence[str], anatomy: Anatomy, state: State
) -> tuple[list[tuple[str, np.ndarray, float]], _Truth]:
    images, boxes = [], []
    visibility = dict.fromkeys(state, 0.0)
    where = dict.fromkeys(state, 0)
    for k, name in enumerate(views):
        rng = case.stream("image", index, k)
        view, posture = draw_view(rng, name, case.size)
        picture = render(rng, anatomy, state, view, posture, case.site.scanner)
        images.append((name, picture.pixels, view.pixel))
        for finding, delta in picture.deltas.items():
            sight = see(delta, view.pixel)
            visibility[finding] = max(visibility[finding], sight.visibility)
            if sight.visibility >= SEEN:
                where[finding] |= 2 if view.lateral else 1
                boxes.append((k, FINDINGS.index(finding), *sight.box))
    return images, _truth(state, visibility, where, boxes)


def _truth(
    state: State,
    visibility: Mapping[str, float],
    where: dict[str, int],
    boxes: Sequence[tuple[float, ...]],
) -> _Truth:
    present = implied(state)
    seen = implied({name: f for name, f in state.items() if where[name]})
    side = np.zeros(len(FINDINGS), np.int8)
    severity = np.zeros(len(FINDINGS), np.float32)
    visible_in = np.zeros(len(FINDINGS), np.int8)
    for i, name in enumerate(FINDINGS):
        parts = [p for p in CHILDREN.get(name, (name,)) if p in state]
        if name not in present or not parts:
            continue
        right = max(state[p].right for p in parts)
        left = max(state[p].left for p in parts)
        severity[i] = max(right, left)
        side[i] = SIDE_BOTH if right and left else SIDE_RIGHT if right else SIDE_LEFT
        if name in MIDLINE:
            side[i] = SIDE_MIDLINE
        visible_in[i] = np.bitwise_or.reduce([where[p] for p in parts])
    features: dict[str, np.ndarray] = {
        "truth_findings": np.array([name in present for name in FINDINGS], np.int8),
        "truth_severity": severity,
        "truth_side": side,
        "truth_visible_in": visible_in,
        "truth_boxes": np.array(boxes, np.float32).reshape(-1, 6),
        "truth_edema": np.array(edema_grade(state), np.int8),
    }
    return _Truth(features, visibility, seen)


def _text(
    case: _Case,
    index: int,
    views: Sequence[str],
    state: State,
    truth: _Truth,
    prior: State | None,
    seen: frozenset[str],
    previous: Report | None,
) -> tuple[Report | None, dict[str, int]]:
    site = case.site
    rng = case.stream("report", index)
    report = None
    if site.reports:
        reporter = Reporter(rng, site.style, site=site.name, cohort_seed=case.seed)
        report = reporter.write(state, truth.visibility, prior, seen, views, previous)
    source = visible_labels(truth.visible)
    if report is not None and not site.evaluation_only:
        source = report.mentions
    noise = case.stream("labels", index)
    if site.evaluation_only:
        return report, source
    return report, with_noise(noise, source, site.noise)


def _grade(
    rng: np.random.Generator, site: Site, state: State, truth: _Truth, labels: Mapping[str, int]
) -> tuple[int, str]:
    """Edema grades: consensus at evaluation sites, mined from 3% of the reports elsewhere."""
    grade = edema_grade(state) if "Edema" in truth.visible else 0
    draw = rng.random()
    if site.evaluation_only:
        return grade, "consensus"
    if not site.reports or draw > 0.03 or (labels["Edema"] == 1) != (grade > 0):
        return -1, ""
    return grade, "mined"


def _progression(
    site: Site,
    state: State,
    prior: State | None,
    truth: _Truth,
    seen: frozenset[str],
    report: Report | None,
) -> dict[str, int]:
    """What the report compares; at evaluation sites the true change of what is visible in both."""
    if not site.evaluation_only:
        return dict(report.progression) if report else {}
    if prior is None:
        return {}
    changes = {}
    for name in LABELS:
        if name in state and name in prior and name in truth.visible and name in seen:
            change = state[name].severity - prior[name].severity
            changes[name] = 1 if change > STEP else -1 if change < -STEP else 0
    return changes
