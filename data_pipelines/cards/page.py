# SPDX-License-Identifier: Apache-2.0
"""The data card of studies as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medst_jax.data_pipelines.cards import html_page
from medst_jax.data_pipelines.cards.text_statistics import SECTIONS, VOCABULARY_AT, reference

_CODES = ("positive", "negative", "uncertain", "not mentioned", "unknown")


def render(card: Mapping[str, Any], grid: str, strip: str) -> str:
    """HTML of a card; `grid` and `strip` are its pictures, empty where none may be shown."""
    counts = card["counts"]
    tiles = [(name, counts[name]) for name in ("patients", "studies", "images", "sentences")]
    tiles += [("labels", len(card["labels"])), ("studies with text", counts["studies_with_text"])]
    overall = card.get("label_against_truth", {}).get("overall", {})
    tiles += [(f"label {k}, mean", v) for k, v in overall.items() if v is not None]
    simulated = "generator_version" in card
    warning = (
        '<p class="warning">Simulated images and reports: a test bench for methods. Nothing here '
        "is a patient, and no figure is a clinical claim.</p>"
        if simulated
        else ""
    )
    hidden = "" if card["shows_data"] else "<p>Not redistributable: no images and no text here.</p>"
    parts = [
        warning,
        html_page.tiles(tiles),
        html_page.section("Images", grid or hidden),
        html_page.section("One patient", strip, note="The course of one patient, in time order."),
        html_page.section("Splits", _splits(card)),
        html_page.section("Studies per patient", _per_patient(card)),
        *(
            html_page.section(f"Labels, {split}", _prevalence(rows))
            for split, rows in card["prevalence"].items()
        ),
        html_page.section("Labels against the truth", _truth(card), note=_TRUTH_NOTE),
        html_page.section(
            "No Finding beside the reports", _no_finding(card), note=_NO_FINDING_NOTE
        ),
        html_page.section("Text beside real reports", _text(card), note=_TEXT_NOTE),
        html_page.section("Origin by the frame", _origin(card), note=_ORIGIN_NOTE),
        html_page.section("Known overlaps", _overlaps(card)),
        html_page.section("Rejects", html_page.table(("reason", "count"), card["rejects"].items())),
        html_page.section("Facts", html_page.table(("fact", "value"), _facts(card))),
    ]
    return html_page.page(f"Data card: {card['name']}", str(card.get("description", "")), *parts)


_TRUTH_NOTE = (
    "From the truth features alone. Visible: can be seen in an image of the study. Sensitivity and "
    "specificity are those of the stored label against what is visible; uncertain counts as "
    "positive."
)
_NO_FINDING_NOTE = (
    "The table's own column is what trains. Reports say No Finding when they deny or call normal, "
    "and affirm nothing but devices."
)
_TEXT_NOTE = (
    "The same measurements on this data set and on the real reports of Open-i (Indiana University; "
    "statistics only)."
)
_ORIGIN_NOTE = (
    "How often a logistic regression tells the data set of a frontal image from its outermost "
    "pixels. Far above chance, a model can learn where an image comes from instead of what it shows."
)


def _splits(card: Mapping[str, Any]) -> str:
    keys = ("patients", "studies", "images", "studies_with_text", "sentences")
    rows = [
        (split, *(c[key] for key in keys), ", ".join(f"{v} {n:,}" for v, n in c["views"].items()))
        for split, c in card["splits"].items()
    ]
    return html_page.table(
        ("split", "patients", "studies", "images", "text", "sentences", "views"), rows
    )


def _per_patient(card: Mapping[str, Any]) -> str:
    counts = {int(k): v for k, v in card["studies_per_patient"].items()}
    total = max(sum(counts.values()), 1)
    rows = [(str(k), counts[k], counts[k] / total) for k in sorted(counts)]
    return html_page.table(("studies", "patients", "share"), rows, bars=(2,))


def _prevalence(labels: Mapping[str, Mapping[str, int]]) -> str:
    rows = []
    for label, counts in labels.items():
        # The card of an earlier build has no studies that nobody labelled.
        shown = [counts.get(code, 0) for code in _CODES]
        total = max(sum(shown) - shown[-1], 1)
        rows.append((label, *shown, counts["positive"] / total))
    return html_page.table(("label", *_CODES, "positive share"), rows, bars=(len(_CODES) + 1,))


def _truth(card: Mapping[str, Any]) -> str:
    keys = ("present", "visible", "frontal_only", "lateral_only", "both")
    measured = ("sensitivity", "specificity", "uncertain_of_visible")
    rows = [
        (name, *(row.get(key) for key in (*keys, *measured)))
        for name, row in card.get("label_against_truth", {}).get("findings", {}).items()
    ]
    heads = ("finding", *(key.replace("_", " ") for key in (*keys, *measured)))
    return html_page.table(heads, rows, bars=(1, 2, 6, 7))


def _text(card: Mapping[str, Any]) -> str:
    if "text" not in card:
        return ""
    here, real = card["text"], reference()
    rows: list[tuple[Any, ...]] = []
    for section in SECTIONS:
        title = f"words in {section.lower()} (quartiles)"
        cells = (" / ".join(map(str, t["words_per_section"][section])) or "–" for t in (here, real))
        rows.append((title, *cells))
    for key in (
        "reports",
        "sentences_per_report",
        "words_per_sentence",
        "mentions_per_report",
        "negated_mentions",
        "uncertain_mentions",
        "repeated_findings_sections",
        "repeated_sentences",
        "kinds_of_words",
        f"kinds_in_{VOCABULARY_AT}_words",
    ):
        rows.append((key.replace("_", " "), here[key], real[key]))
    return html_page.table(("", "this data set", "Open-i"), rows)


def _origin(card: Mapping[str, Any]) -> str:
    origin = card.get("origin_by_frame")
    if not origin:
        return ""
    rows = [("all", origin["accuracy"], origin["chance"])]
    rows += [(name, value, origin["chance"]) for name, value in origin["recall"].items()]
    return html_page.table(("data set", "told rightly", "chance"), rows, bars=(1, 2))


def _overlaps(card: Mapping[str, Any]) -> str:
    heads = ("part", "whole", "extent", "ids", "remark")
    rows = [tuple(row[head] for head in heads) for row in card.get("overlaps", ())]
    return html_page.table(heads, rows)


def _no_finding(card: Mapping[str, Any]) -> str:
    counts = card.get("no_finding_against_reports", {})
    words = {
        "studies": "studies compared",
        "table_alone": "No Finding in the table alone",
        "report_alone": "No Finding in the report alone",
    }
    rows = [(words[key], count) for key, count in counts.items()]
    return html_page.table(("of some studies", "count"), rows) if rows else ""


def _facts(card: Mapping[str, Any]) -> list[tuple[str, Any]]:
    shown = {k: v for k, v in card.items() if isinstance(v, str | int | float | bool)}
    return [(key.replace("_", " "), str(value)) for key, value in shown.items() if value != ""]
