# SPDX-License-Identifier: Apache-2.0
"""All studies of one patient: anatomy, states, images with truth, report and labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.raw import RawImage, RawStudy
from medst_jax.data_pipelines.simulated_cxr.cohort.blocks import (
    ATYPICAL,
    CONFOUNDED,
    ENRICHED,
    PAIRED,
    atypical_state,
    enriched_state,
)
from medst_jax.data_pipelines.simulated_cxr.cohort.grades import grade
from medst_jax.data_pipelines.simulated_cxr.cohort.labeling import study_labels
from medst_jax.data_pipelines.simulated_cxr.cohort.truth import CHILDREN, Sightings, Truth
from medst_jax.data_pipelines.simulated_cxr.findings.confounding import Tie, tie, with_devices
from medst_jax.data_pipelines.simulated_cxr.findings.progression import (
    STEP,
    Pairs,
    change_code,
    pair,
)
from medst_jax.data_pipelines.simulated_cxr.findings.states import (
    Finding,
    State,
    first_state,
    next_state,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.rates import PLACED
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import Report, Reporter
from medst_jax.data_pipelines.simulated_cxr.seeds import opaque, stream, uniform_hash
from medst_jax.data_pipelines.simulated_cxr.sites import Site
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy, draw_anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.positions import (
    Position,
    draw_position,
    registered,
    view_of,
)
from medst_jax.data_pipelines.simulated_cxr.thorax.render import render

MAX_STUDIES = 12


@dataclass(frozen=True)
class Case:
    """A patient to be generated, and the source of its random streams.

    `number` is of the patient in its block; `split` "" leaves the split to a hash of the id;
    `confounding` is the strength of the cohort's dial, 0 to 1; `comparing` scales how often reports
    tell changes; `pairs` draws two studies per patient
    in a way of its own, where None draws those of the split.
    """

    site: Site
    seed: int
    number: int
    size: int
    split: str = ""
    confounding: float = 0.0
    comparing: float = 1.0
    pairs: Pairs | None = None

    def stream(self, *purpose: str | int) -> np.random.Generator:
        return stream(self.seed, self.site.name, self.number, self.split, *purpose)

    @property
    def patient_id(self) -> str:
        """Opaque: it tells neither the split nor the order of generation."""
        return self.site.name + opaque(
            "patient", self.seed, self.site.name, self.split, self.number
        )

    @property
    def paired(self) -> Pairs | None:
        """How the two studies of the patient are drawn; None for a natural course."""
        return self.pairs or PAIRED.get(self.split)

    @property
    def strength(self) -> float:
        """Of the tie between technique and findings in this patient's studies."""
        if not self.site.evaluation_only:
            return self.confounding
        return self.confounding * CONFOUNDED.get(self.split, 0)


def patient_split(site: Site, seed: int, patient_id: str) -> str:
    """Returns the split of a patient, from a hash of the id alone."""
    place = uniform_hash("split", seed, site.name, patient_id)
    for split, share in site.splits:
        if place < share:
            return split
        place -= share
    return site.splits[-1][0]


def patient_studies(case: Case) -> Iterator[RawStudy]:
    """Yields the studies of a patient in time order."""
    site = case.site
    rng = case.stream("patient")
    anatomy = draw_anatomy(rng)
    patient_id = case.patient_id
    prior, seen, previous = None, frozenset[str](), None
    views: tuple[str, ...] = ()
    for index, (days, state) in enumerate(_course(rng, case)):
        tied = tie(case.stream("tie", index), case.strength, state) if case.strength else None
        if tied:
            state = with_devices(case.stream("tied devices", index), state, tied.devices)
        views = _views(rng, case, tied, views)
        images, truth = _images(case, index, views, anatomy, state, tied)
        report = None
        if site.reports:
            reporter = Reporter(
                case.stream("report", index),
                site.style,
                site=site.name,
                cohort_seed=case.seed,
                comparing=0.0 if case.split == ATYPICAL else case.comparing,
                placed=0.0 if case.split == ATYPICAL else PLACED,
            )
            report = reporter.write(state, truth.visibility, prior, seen, views, previous)
        labels = study_labels(case.stream("labels", index), site, report, truth.visible)
        severity, source = grade(case.stream("grade", index), site, state, truth.visible, report)
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
            split=case.split or patient_split(site, case.seed, patient_id),
            severity=severity,
            severity_source=source,
            progression=_progression(case, state, prior, truth, seen, report),
            age=anatomy.age,
            sex=anatomy.sex,
            source=f"simulated_cxr_{site.name}",
            truth=truth.features,
        )
        prior, seen, previous = state, truth.visible, report


def _course(rng: np.random.Generator, case: Case) -> Iterator[tuple[float, dict[str, Finding]]]:
    """Yields days since the first study and the state, study by study."""
    prevalence = case.site.prevalence
    if case.paired:
        first, second = pair(rng, prevalence, case.paired)
        yield 0.0, first
        yield _gap(rng), second
        return
    if case.split == ATYPICAL:
        yield 0.0, atypical_state(rng, prevalence)
        return
    enriched = case.split == ENRICHED
    if enriched:
        state = enriched_state(rng, prevalence)
    else:
        state = first_state(rng, prevalence, case.site.healthy)
    further = 0.05 if enriched else case.site.more_studies
    count = 1
    while count < MAX_STUDIES and rng.random() < further:
        count += 1
    days = 0.0
    yield days, state
    for _ in range(1, count):
        gap = _gap(rng)
        days += gap
        state = next_state(rng, state, prevalence, gap)
        yield days, state


def _gap(rng: np.random.Generator) -> float:
    return float(np.ceil(rng.lognormal(2.6, 1.5)))


def _views(
    rng: np.random.Generator, case: Case, tied: Tie | None, before: tuple[str, ...]
) -> tuple[str, ...]:
    site = case.site
    portable, lateral = rng.random(2)
    register = case.paired.register if before and case.paired else 0.0
    if register and rng.random() < register:
        return before
    if tied.portable if tied else portable < site.portable:
        return ("AP",)
    return ("PA", "LATERAL") if lateral < site.lateral else ("PA",)


def _images(
    case: Case,
    index: int,
    views: Sequence[str],
    anatomy: Anatomy,
    state: State,
    tied: Tie | None,
) -> tuple[list[tuple[str, np.ndarray, float]], Truth]:
    images, sightings = [], Sightings(state)
    for k, name in enumerate(views):
        rng = case.stream("image", index, k)
        position = _position(rng, case, index, k)
        view, posture = view_of(position, name, case.size)
        exposure = position.exposure if tied is None else tied.exposure
        picture = render(rng, anatomy, state, view, posture, case.site.scanner, exposure)
        images.append((name, picture.pixels, view.pixel))
        where = (view.pixel, *view.shift, view.twist, view.tilt)
        technique = (*where, posture.breath, posture.supine, exposure)
        sightings.add(view, picture.deltas, picture.clarity, technique)
    return images, sightings.truth()


def _position(rng: np.random.Generator, case: Case, index: int, number: int) -> Position:
    position = draw_position(rng)
    if index and case.paired and case.paired.register > 0:
        first = draw_position(case.stream("image", 0, number))
        return registered(position, first, case.paired.register)
    return position


def _progression(
    case: Case,
    state: State,
    prior: State | None,
    truth: Truth,
    seen: frozenset[str],
    report: Report | None,
) -> dict[str, int]:
    """What the report compares; at evaluation sites the true change of what is visible in both."""
    if not case.site.evaluation_only:
        return dict(report.progression) if report else {}
    if prior is None:
        return {}
    step = case.paired.step if case.paired else STEP
    changes = {}
    for name in case.site.labels:
        part = CHILDREN["Pneumonia"][0] if name == "Pneumonia" else name
        if part not in state or part not in prior or name not in truth.visible & seen:
            continue
        if state[part].key == prior[part].key:
            changes[name] = change_code(prior[part], state[part], step)
    return changes
