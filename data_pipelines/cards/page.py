# SPDX-License-Identifier: Apache-2.0
"""The data card of studies as a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medst_jax.data_pipelines.cards.place_statistics import rows as place_rows
from medst_jax.data_pipelines.cards.text_statistics import SECTIONS, VOCABULARY_AT, reference
from medst_jax.pages.blocks import (
    Block,
    Cell,
    Details,
    Page,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
)
from medst_jax.pages.render import render as render_page

_PLACES = ("sentences per report", "with side", "with zone")
_CODES = ("positive", "negative", "uncertain", "not mentioned", "unknown")
_UNDECLARED = ("", "unknown", "not stated", None)


def render(card: Mapping[str, Any], grid: Sequence[Block], strip: Sequence[Block]) -> str:
    """HTML of a card; `grid` and `strip` are its pictures, empty where none may be shown."""
    counts = card["counts"]
    tiles = [(name, counts[name]) for name in ("patients", "studies", "images", "sentences")]
    tiles += [("labels", len(card["labels"])), ("studies with text", counts["studies_with_text"])]
    tiles += [("rejected inputs", sum(card["rejects"].values()))]
    overall = card.get("label_against_truth", {}).get("overall", {})
    tiles += [(f"label {k}, mean", v) for k, v in overall.items() if v is not None]
    warning = Paragraph(_SIMULATED, "warning")
    blocks: list[Block] = [
        Tiles([Tile(value, name) for name, value in tiles]),
        *([warning] if "generator_version" in card else []),
        Section("Splits", [_splits(card)]),
        *(
            Section(f"Labels, {split}", [_prevalence(rows)])
            for split, rows in card["prevalence"].items()
        ),
        Section("Images", grid or [Paragraph(_withheld(card), "sub")]),
        Section("One patient", strip, note="The course of one patient, in time order."),
        Section("Studies per patient", [_per_patient(card)]),
        Section("Labels against the truth", [_truth(card)], note=_TRUTH_NOTE),
        Section("No Finding beside the reports", [_no_finding(card)], note=_NO_FINDING_NOTE),
        *_text(card),
        Section("Origin by the frame", [_origin(card)], note=_ORIGIN_NOTE),
        Section("Known overlaps", [_overlaps(card)]),
        Section("Rejects", [Table(("reason", "count"), [*card["rejects"].items()])]),
        Section("Facts", [Table(("fact", "value"), _facts(card))]),
    ]
    lead = str(card.get("description", ""))
    licence = card.get("licence")
    facts = [("licence", "not declared" if licence in _UNDECLARED else str(licence))]
    return render_page(Page(f"Data card: {card['name']}", blocks, lead, facts))


def _withheld(card: Mapping[str, Any]) -> str:
    """Why no images and no text are shown, and the flag that shows them."""
    if card["shows_data"]:
        return ""
    if card.get("licence") in _UNDECLARED:
        return (
            "No images and no text here: the licence is not declared. For a card that you keep to "
            "yourself, prepare again with --include_restricted; if the data may be passed on, say so "
            "with --redistributable."
        )
    return (
        "No images and no text here: the data may not be redistributed. For a card that you keep to "
        "yourself, prepare again with --include_restricted."
    )


_SIMULATED = (
    "Simulated images and reports: a test bench for methods. Nothing here is a patient, and no "
    "figure is a clinical claim."
)
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


def _splits(card: Mapping[str, Any]) -> Table:
    keys = ("patients", "studies", "images", "studies_with_text", "sentences")
    rows = [
        (split, *(c[key] for key in keys), ", ".join(f"{v} {n:,}" for v, n in c["views"].items()))
        for split, c in card["splits"].items()
    ]
    return Table(("split", "patients", "studies", "images", "text", "sentences", "views"), rows)


def _per_patient(card: Mapping[str, Any]) -> Block:
    counts = {int(k): v for k, v in card["studies_per_patient"].items()}
    total = max(sum(counts.values()), 1)
    rows = [(str(k), counts[k], _share(counts[k] / total)) for k in sorted(counts)]
    table = Table(("studies", "patients", "share"), rows)
    mean = sum(k * n for k, n in counts.items()) / total
    return Details(f"{mean:.1f} on average, {max(counts, default=0)} at most", [table])


def _prevalence(labels: Mapping[str, Mapping[str, int]]) -> Table:
    rows = []
    for label, counts in labels.items():
        # The card of an earlier build has no studies that nobody labelled.
        shown = [counts.get(code, 0) for code in _CODES]
        total = max(sum(shown) - shown[-1], 1)
        rows.append((label, *shown, _share(counts["positive"] / total)))
    return Table(("label", *_CODES, "positive share"), rows)


def _truth(card: Mapping[str, Any]) -> Table:
    keys = ("present", "visible", "frontal_only", "lateral_only", "both")
    measured = ("sensitivity", "specificity", "uncertain_of_visible")
    drawn = ("present", "visible", "sensitivity", "specificity")
    rows = [
        (name, *(_share(row.get(k)) if k in drawn else row.get(k) for k in (*keys, *measured)))
        for name, row in card.get("label_against_truth", {}).get("findings", {}).items()
    ]
    heads = ("finding", *(key.replace("_", " ") for key in (*keys, *measured)))
    return Table(heads, rows)


def _text(card: Mapping[str, Any]) -> list[Block]:
    if "text" not in card:
        return []
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
    tables = [Table(("", "this data set", "Open-i"), rows)]
    # The card of an earlier build does not say where findings lie.
    heads = ("finding", *(f"{k}, {s}" for k in _PLACES for s in ("here", "Open-i")))
    if places := place_rows(here.get("places", {}), real["places"]):
        tables.append(Table(heads, places))
    return [Section("Text beside real reports", [Details(_TEXT_NOTE, tables)])]


def _origin(card: Mapping[str, Any]) -> Table:
    heads = ("data set", "told rightly", "chance")
    origin = card.get("origin_by_frame")
    if not origin:
        return Table(heads, ())
    chance = _share(origin["chance"])
    rows = [("all", _share(origin["accuracy"]), chance)]
    rows += [(name, _share(value), chance) for name, value in origin["recall"].items()]
    return Table(heads, rows)


def _overlaps(card: Mapping[str, Any]) -> Table:
    heads = ("part", "whole", "extent", "ids", "remark")
    rows = [tuple(row[head] for head in heads) for row in card.get("overlaps", ())]
    return Table(heads, rows)


def _no_finding(card: Mapping[str, Any]) -> Table:
    counts = card.get("no_finding_against_reports", {})
    words = {
        "studies": "studies compared",
        "table_alone": "No Finding in the table alone",
        "report_alone": "No Finding in the report alone",
    }
    rows = [(words[key], count) for key, count in counts.items()]
    return Table(("of some studies", "count"), rows)


def _share(value: float | None) -> Cell:
    """A share in [0, 1], drawn behind its number."""
    return Cell(None, kind="num") if value is None else Cell(value, share=value)


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {k: v for k, v in card.items() if isinstance(v, str | int | float | bool)}
    return [(key.replace("_", " "), str(value)) for key, value in shown.items() if value != ""]
