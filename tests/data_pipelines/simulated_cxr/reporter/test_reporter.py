# SPDX-License-Identifier: Apache-2.0
"""The reporter's rates, from states and visibilities without images."""

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import pytest

from medst_jax.data_pipelines.simulated_cxr.findings.findings import EXTRA, LABELS
from medst_jax.data_pipelines.simulated_cxr.findings.progression import STEP
from medst_jax.data_pipelines.simulated_cxr.findings.states import first_state, next_state, onset
from medst_jax.data_pipelines.simulated_cxr.reporter import phrases_change, rates
from medst_jax.data_pipelines.simulated_cxr.reporter.mention_tiers import (
    CEILING,
    TIERS,
    VISIBLE,
    tiers,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.phrases_extra import EXTRA_POSITIVE, named
from medst_jax.data_pipelines.simulated_cxr.reporter.report import Draft, Report, with_no_finding
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import Reporter
from medst_jax.data_pipelines.simulated_cxr.reporter.topics import perceived_step
from medst_jax.data_pipelines.simulated_cxr.sites import PREVALENCE
from medst_jax.text import label_sentence, split_sentences

STYLES = ("m", "e1", "e2")
COUNT = 400


def write(rng, state, visibility, prior=None, seen=frozenset(), previous=None, style="m"):
    reporter = Reporter(rng, style, site="m", cohort_seed=5)
    return reporter.write(state, visibility, prior, seen, ("PA", "LATERAL"), previous)


@lru_cache
def courses(style: str, count: int = COUNT) -> tuple[tuple[dict, dict, dict, Report, Report], ...]:
    """Pairs of studies: (visibility, first state, second state, first report, second report)."""
    made = []
    rng = np.random.default_rng(11)
    for _ in range(count):
        first = first_state(rng, PREVALENCE, 0.26)
        second = next_state(rng, first, PREVALENCE, 10.0)
        visibility = {
            name: float(rng.uniform(0.3, 1.0)) for name in dict.fromkeys((*first, *second))
        }
        before = write(rng, first, visibility, style=style)
        seen = frozenset(name for name in first if visibility[name] >= 0.5)
        after = write(rng, second, visibility, first, seen, before, style)
        made.append((visibility, first, second, before, after))
    return tuple(made)


def said(report: Report) -> dict[str, int]:
    """The strongest thing that sentences say about each finding."""
    rank = {1: 2, -1: 1, 0: 0}
    codes: dict[str, int] = {}
    for sentence in report.sentences:
        for name, code in sentence.labels.items():
            if name not in codes or rank[code] > rank[codes[name]]:
                codes[name] = code
    return codes


@pytest.mark.parametrize("style", STYLES)
def test_what_is_not_visible_is_affirmed_at_the_stated_rate(style):
    rng = np.random.default_rng(0)
    reports = [said(write(rng, {}, {}, style=style)) for _ in range(1000)]
    for name in rates.INVENTIBLE:
        affirmed = np.mean([codes.get(name, 0) != 0 for codes in reports])
        assert affirmed <= rates.INVENTED + 4 * np.sqrt(rates.INVENTED / len(reports)), name
    total = np.mean([[codes.get(n, 0) != 0 for n in rates.INVENTIBLE] for codes in reports])
    assert 0.7 * rates.INVENTED < total <= 1.15 * rates.INVENTED


@pytest.mark.parametrize("visibility", [0.5, 0.75, 0.99])
def test_the_less_visible_the_more_is_missed_and_hedged(visibility):
    rng = np.random.default_rng(1)
    state = {"Pleural Effusion": onset(rng, "Pleural Effusion")}
    codes = [
        said(write(rng, state, {"Pleural Effusion": visibility})).get("Pleural Effusion", 0)
        for _ in range(1000)
    ]
    missed = rates.MISSED + rates.MISSED_HIDDEN * (1 - visibility)
    hedged = (1 - missed) * (rates.HEDGED + rates.HEDGED_HIDDEN * (1 - visibility))
    assert codes.count(0) / len(codes) == pytest.approx(missed, abs=0.05)
    assert codes.count(-1) / len(codes) == pytest.approx(hedged, abs=0.05)


def test_comparisons_follow_the_change_as_a_reader_perceives_it():
    chances, steps, resolved = [], [], 0
    for style in STYLES:
        for visibility, first, second, before, after in courses(style):
            assert not before.progression
            for name, step in after.progression.items():
                if name not in second:
                    assert step == -1
                    resolved += 1
                elif name == "Support Devices":
                    assert step == 0
                else:
                    # One that has begun at another place is new, and compared with nothing.
                    assert first[name].key == second[name].key
                    blur = rates.BLUR_CLEAR + 0.2 * (1 - visibility[name])
                    normal = NormalDist(second[name].severity - first[name].severity, blur)
                    worse, better = 1 - normal.cdf(STEP), normal.cdf(-STEP)
                    chances.append((better, 1 - worse - better, worse))
                    steps.append(step)
    p = (1 - rates.WRONG_CHANGE) * np.array(chances) + rates.WRONG_CHANGE / 3
    assert len(p) > 200 and resolved > 20
    own = p[np.arange(len(p)), np.array(steps) + 1]
    # How often the likelier direction is told, and how often each is.
    right = own == p.max(1)
    assert right.mean() == pytest.approx(p.max(1).mean(), abs=4 * 0.5 / len(p) ** 0.5)
    for k, step in enumerate((-1, 0, 1)):
        error = 4 * (p[:, k] * (1 - p[:, k])).sum() ** 0.5
        assert abs(np.sum(np.array(steps) == step) - p[:, k].sum()) < error


@pytest.mark.parametrize(("seen", "blur"), [(1.0, 0.05), (0.75, 0.1), (0.5, 0.15)])
@pytest.mark.parametrize("change", [-0.3, -0.1, 0.0, 0.15, 0.2])
def test_the_perceived_direction_is_a_probit_of_the_change(seen, blur, change):
    rng = np.random.default_rng(4)
    before = onset(rng, "Pleural Effusion")
    before = replace(before, right=0.5, left=0.0)
    after = replace(before, right=0.5 + change)
    steps = np.array([perceived_step(rng, before, after, seen) for _ in range(2000)])
    normal = NormalDist(0.0, blur)
    assert np.mean(steps == 1) == pytest.approx(normal.cdf(change - STEP), abs=0.045)
    assert np.mean(steps == -1) == pytest.approx(normal.cdf(-change - STEP), abs=0.045)


def test_follow_ups_cite_a_prior_and_some_first_studies_one_that_is_not_in_the_data():
    cites = {
        index: np.mean(
            [
                "radiograph" in dict(course[index].sections)["COMPARISON"].lower()
                or "film" in dict(course[index].sections)["COMPARISON"]
                for course in courses("m")
            ]
        )
        for index in (3, 4)
    }
    assert cites[3] == pytest.approx(rates.CITING_ELSEWHERE, abs=0.06)
    assert cites[4] == pytest.approx(rates.CITING, abs=0.07)


def summed_up(comparing: float, count: int = 600) -> tuple[float, float, float, float]:
    """Shares of topics told worse, new and gone in impressions that may, and of zones told."""
    rng = np.random.default_rng(7)
    told = {"worse": [], "new": [], "gone": [], "zone": []}
    for _ in range(count):
        old = replace(onset(rng, "Consolidation"), right=0.3, left=0.0, place="upper")
        now = replace(old, right=0.8)
        fluid = replace(onset(rng, "Pleural Effusion"), right=0.0, left=0.6, place="")
        air = replace(onset(rng, "Pneumothorax"), right=0.4, left=0.0, place="apical")
        before, after = {"Consolidation": old, "Pneumothorax": air}, {"Consolidation": now}
        after["Pleural Effusion"] = fluid
        reporter = Reporter(rng, "m", site="m", cohort_seed=5, comparing=comparing)
        report = reporter.write(
            after, dict.fromkeys(after, 0.97), before, frozenset(before), ("PA",), None
        )
        sections = {name: text.lower() for name, text in report.sections}
        if sections["COMPARISON"].startswith(("no", "none")):
            continue
        for text, labels in report.sentences_of("IMPRESSION"):
            text = text.lower()
            if labels.get("Consolidation", labels.get("Pneumonia")) == 1:
                told["worse"].append("worsen" in text or "increase" in text)
                told["zone"].append("upper" in text)
            elif labels.get("Pleural Effusion") == 1:
                told["new"].append("new " in text)
        gone = report.progression.get("Pneumothorax") == -1
        if gone:
            told["gone"].append("resol" in sections["IMPRESSION"])
    worse, new, gone, zone = (float(np.mean(told[k])) for k in ("worse", "new", "gone", "zone"))
    return worse, new, gone, zone


@pytest.mark.parametrize("comparing", [1.0, 0.5])
def test_impressions_tell_change_and_place_at_the_stated_rates(comparing):
    *changes, zone = summed_up(comparing)
    for share in changes:
        assert share == pytest.approx(rates.TOLD * comparing, abs=0.09)
    assert zone > 0.8


def test_some_sentences_are_copied_from_the_report_before():
    copies = []
    for _, _, _, before, after in courses("m"):
        old = {text for text, labels in before.sentences_of("FINDINGS") if labels}
        copies.append(
            bool(old & {text for text, labels in after.sentences_of("FINDINGS") if labels})
        )
    assert np.mean(copies) > rates.COPIED / 2


@pytest.mark.parametrize("style", STYLES)
def test_sentences_lie_where_the_splitter_finds_them(style):
    for course in courses(style):
        for report in course[3:]:
            for index, (_, text) in enumerate(report.sections):
                assert "{" not in text and "  " not in text
                spans = [(s.start, s.end) for s in report.sentences if s.section == index]
                assert split_sentences(text) == spans


@pytest.mark.parametrize("style", STYLES)
def test_sentences_mean_to_the_labeler_what_they_say(style):
    compared = contradicted = 0
    for course in courses(style):
        for report in course[3:]:
            for section in ("FINDINGS", "IMPRESSION"):
                for text, labels in report.sentences_of(section):
                    mined = label_sentence(text)
                    assert not set(mined) - {"", *LABELS}
                    for name, code in labels.items():
                        if name in mined and name != "Lung Opacity":
                            compared += 1
                            contradicted += mined[name] != code
                    new = {n for n, c in mined.items() if n and c != 0} - set(labels)
                    assert new <= {"Lung Opacity"}, text
    assert compared > 3000
    assert contradicted / compared < 0.002


@pytest.mark.parametrize("style", STYLES)
def test_a_report_is_normal_or_names_a_finding(style):
    for course in courses(style):
        for report in course[3:]:
            named = {name for name, code in said(report).items() if code != 0}
            # A statement that all is well says nothing but that.
            normal = {"No Finding": 1} in [x for _, x in report.sentences_of("IMPRESSION")]
            topics = named - {"No Finding", "Support Devices", "Lung Opacity"}
            stable = dict(report.sections)["IMPRESSION"].lower().startswith(phrases_change.SAME)
            assert not (normal and topics)
            assert normal or topics or stable
            mined = {name for name, code in report.mentions.items() if code != 0}
            assert "No Finding" not in mined or mined <= {"No Finding", "Support Devices"}


def test_a_sentence_says_no_finding_by_the_rule_of_real_text():
    rule = with_no_finding("No pneumothorax.", {"Pneumothorax": 0})
    assert rule == {"No Finding": 1, "Pneumothorax": 0}
    assert with_no_finding("No acute process.", {"No Finding": 1}) == {"No Finding": 1}
    assert with_no_finding("No edema, but scoliosis.", {"Edema": 0}) == {"Edema": 0}
    assert with_no_finding("Small effusion.", {"Pleural Effusion": 1}) == {"Pleural Effusion": 1}


def test_sites_phrase_the_same_state_differently():
    shares = []
    for style in STYLES:
        texts = Counter(t for c in courses(style) for t, _ in c[3].sentences_of("IMPRESSION"))
        shares.append({text: count / texts.total() for text, count in texts.items()})
    for first, second in ((0, 1), (0, 2), (1, 2)):
        common = sum(min(share, shares[second].get(t, 0)) for t, share in shares[first].items())
        assert common < 0.6
    numbered = [
        np.mean([dict(c[3].sections)["IMPRESSION"].startswith("1. ") for c in courses(s)])
        for s in STYLES
    ]
    assert numbered[2] == 0 < numbered[0] < numbered[1]


def test_habits_of_real_reports_occur():
    text = "\n".join(c[4].text for style in STYLES for c in courses(style))
    for word in ("___", "Dr. ___", "CT", "p.m.", "is midline", "Degenerative", ", or "):
        assert word in text


@pytest.mark.parametrize("seed", range(5))
def test_mention_tiers_are_dealt_by_the_seed(seed):
    dealt = tiers(seed)
    assert Counter(dealt.values()) == Counter(dict(TIERS))
    assert set(dealt) == set(EXTRA)
    assert all(share <= VISIBLE[name] * CEILING for name, share in dealt.items())
    assert dealt != tiers(seed + 1)


def test_every_wording_names_its_finding_and_no_other():
    for name, templates in EXTRA_POSITIVE.items():
        for template in templates:
            assert named([("", template)]) == {name}


def test_findings_outside_the_labels_are_mentioned_at_their_tiers():
    rng = np.random.default_rng(2)
    count, mentioned = 4000, Counter()
    for _ in range(count):
        visible = [name for name in EXTRA if rng.random() < VISIBLE[name]]
        state = {name: onset(rng, name) for name in visible}
        body = Draft("FINDINGS")
        Reporter(rng, "m", site="m", cohort_seed=5)._mention_extras(
            body, state, dict.fromkeys(visible, 0.9)
        )
        mentioned.update(named([("FINDINGS", text) for text, _ in body.parts]))
    for name, share in tiers(5).items():
        error = 4 * np.sqrt(max(share, 1e-4) / count)
        assert abs(mentioned[name] / count - share) < error, name
        assert share > 0 or mentioned[name] == 0
