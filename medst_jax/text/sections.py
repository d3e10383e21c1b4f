# SPDX-License-Identifier: Apache-2.0
"""Splits a radiology report into its sections by their headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from medst_jax.text.find_headings import find_headings
from medst_jax.text.headings import (
    ADDENDUM,
    DEFAULT_SECTION,
    FINAL,
    PRELIMINARY,
    is_describing,
    reading_of,
    without_reading,
)

_RULE = re.compile(r"^[ \t]*(?:[_=*]{5,}|-{5,})[ \t]*$", re.MULTILINE)
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_NUMBER = re.compile(r"(\d+)$")


class Section(NamedTuple):
    """A section: name, text, and its reading: preliminary 0, final 1, addenda from 2 on."""

    name: str
    text: str
    reading: int


def split_sections(report: str) -> list[tuple[str, str]]:
    """Sections of a report in their order, as (name, text).

    A heading is one of the usual section names before a colon, in any case, at the start of a
    line or a sentence, or begun by a capital inside one; without a colon alone on a line, before
    a dash, or in capitals before other words; or other capitals before a colon at the start of a
    line, unless they name an organ or a finding. Names come back in capitals; text is stripped;
    empty sections are left out. Text before the first heading, and a report without headings, is
    the section "report"; so is what follows an empty line in the last section when no section is
    for findings or impression (the rule of the MIMIC-CXR parser). A title line "FINAL REPORT" is
    left out; the names of sections of a wet read or an addendum begin with that.

    >>> split_sections("FINDINGS: Clear lungs. IMPRESSION: Normal.")
    [('FINDINGS', 'Clear lungs.'), ('IMPRESSION', 'Normal.')]
    >>> split_sections("Indication: cough. Findings: Clear lungs.")
    [('INDICATION', 'cough.'), ('FINDINGS', 'Clear lungs.')]
    >>> split_sections("Clear lungs.")
    [('report', 'Clear lungs.')]
    """
    return [(section.name, section.text) for section in sections_of(report)]


def has_headings(report: str) -> bool:
    """Whether any section of a report was recognised; if none was, its whole text is read."""
    return any(section.name != DEFAULT_SECTION for section in sections_of(report))


def sections_of(report: str) -> list[Section]:
    """The sections of `split_sections` with the reading that each belongs to."""
    text = report.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _RULE.sub("", text)
    headings = find_headings(text)
    if not headings:
        return [Section(DEFAULT_SECTION, text.strip(), FINAL)] if text.strip() else []
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    parts = [(h.name, text[h.end : end]) for h, end in zip(headings, ends, strict=True)]
    sections = [Section(DEFAULT_SECTION, text[: headings[0].start], FINAL)]
    sections = _last_paragraph([*sections, *_in_readings(parts)])
    stripped = [Section(s.name, s.text.strip(), s.reading) for s in sections]
    return _plain([section for section in stripped if section.text])


def _in_readings(parts: Sequence[tuple[str, str]]) -> list[Section]:
    """Says of each part to which reading it belongs.

    What follows the title of a wet read is the wet read's when a title of the final report comes
    after it; what follows the title of an addendum, then too, or when findings came before.
    """
    readings = [reading_of(name) for name, _ in parts]
    last_final = max((k for k, reading in enumerate(readings) if reading == FINAL), default=0)
    sections: list[Section] = []
    current, addenda, described = FINAL, 0, False
    for number, ((name, text), reading) in enumerate(zip(parts, readings, strict=True)):
        if reading is not None:
            current = reading
            if reading == ADDENDUM:
                told = _NUMBER.search(name)
                addenda = int(told[1]) if told else addenda + 1
                current = ADDENDUM + addenda - 1
        elif number >= last_final and (current == PRELIMINARY or not described):
            current = FINAL
        rest = without_reading(name)
        if current == FINAL:
            described = described or is_describing(name)
            sections.append(Section(rest or DEFAULT_SECTION, text, FINAL))
        else:
            title = "WET READ" if current == PRELIMINARY else "ADDENDUM"
            sections.append(Section(f"{title} {rest}".strip(), text, current))
    return sections


def _last_paragraph(sections: list[Section]) -> list[Section]:
    """Takes what follows an empty line in the last section for the report, if nothing else is."""
    last = max(k for k, section in enumerate(sections) if section.reading == FINAL)
    name, text, _ = sections[last]
    paragraph = _EMPTY_LINE.search(text.rstrip())
    described = any(s.reading == FINAL and is_describing(s.name) for s in sections)
    if last == 0 or paragraph is None or described:
        return sections
    split = [
        Section(name, text[: paragraph.start()], FINAL),
        Section(DEFAULT_SECTION, text[paragraph.end() :], FINAL),
    ]
    return [*sections[:last], *split, *sections[last + 1 :]]


def _plain(sections: list[Section]) -> list[Section]:
    """A wet read without a final report is the report."""
    if not sections or any(section.reading != PRELIMINARY for section in sections):
        return sections
    return [
        Section(without_reading(name) or DEFAULT_SECTION, text, FINAL) for name, text, _ in sections
    ]
