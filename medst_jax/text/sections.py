# SPDX-License-Identifier: Apache-2.0
"""Splits a radiology report into its sections by their headers."""

from __future__ import annotations

import re

DEFAULT_SECTION = "report"

# Known headers are recognised anywhere; others only as capitals at the start of a line.
_KNOWN = (
    "FINAL REPORT",
    "EXAMINATION",
    "EXAM",
    "STUDY",
    "INDICATIONS",
    "INDICATION",
    "CLINICAL INFORMATION",
    "CLINICAL HISTORY",
    "HISTORY",
    "REASON FOR EXAM",
    "TECHNIQUE",
    "COMPARISONS",
    "COMPARISON",
    "FINDINGS AND IMPRESSION",
    "FINDINGS",
    "FINDING",
    "IMPRESSION",
    "CONCLUSION",
    "RECOMMENDATIONS",
    "RECOMMENDATION",
    "NOTIFICATION",
    "ADDENDUM",
)
_ALIASES = {
    "INDICATIONS": "INDICATION",
    "COMPARISONS": "COMPARISON",
    "FINDING": "FINDINGS",
    "EXAM": "EXAMINATION",
    "RECOMMENDATIONS": "RECOMMENDATION",
}
_names = "|".join(name.replace(" ", r"[ \t]+") for name in _KNOWN)
_HEADER = re.compile(
    rf"(?:^[ \t]*(?P<line>(?i:{_names})|[A-Z][A-Z /&-]{{2,40}}[A-Z])[ \t]*:)"
    rf"|(?:(?<![A-Za-z])(?P<inline>{_names})[ \t]*:)",
    re.MULTILINE,
)
# Sections that hold what is seen; in a report without them the last paragraph does.
_SEEN = frozenset(("FINDINGS", "IMPRESSION", "FINDINGS AND IMPRESSION", "CONCLUSION"))
_TITLE = re.compile(r"\A\s*(?:FINAL|PRELIMINARY|WET READ) REPORT[ \t]*(?:\n|\Z)")
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


def split_sections(report: str) -> list[tuple[str, str]]:
    """Sections of a report in their order, as (name, text).

    A header is one of the usual section names before a colon (in any case at the start of a line,
    in capitals inside one), or other capitals before a colon at the start of a line. Names come
    back in capitals; text is stripped; empty sections are left out. Text before the first header,
    and a report without headers, is the section "report"; so is what follows an empty line in the
    last section when no section is for findings or impression (the rule of the MIMIC-CXR parser).
    A title line "FINAL REPORT" is left out.

    >>> split_sections("FINDINGS: Clear lungs. IMPRESSION: Normal.")
    [('FINDINGS', 'Clear lungs.'), ('IMPRESSION', 'Normal.')]
    >>> split_sections("Clear lungs.")
    [('report', 'Clear lungs.')]
    """
    report = _TITLE.sub("", report)
    headers = list(_HEADER.finditer(report))
    ends = [header.start() for header in headers[1:]] + [len(report)]
    found = [(DEFAULT_SECTION, report[: headers[0].start()] if headers else report)]
    for header, end in zip(headers, ends, strict=True) if headers else ():
        found.append((_name(header), report[header.end() : end]))
    name, text = found[-1]
    paragraph = _EMPTY_LINE.search(text.rstrip())
    if headers and paragraph and not _SEEN & {name for name, _ in found}:
        found[-1:] = [(name, text[: paragraph.start()]), (DEFAULT_SECTION, text[paragraph.end() :])]
    return [(name, text.strip()) for name, text in found if text.strip()]


def _name(header: re.Match[str]) -> str:
    name = re.sub(r"\s+", " ", (header["line"] or header["inline"]).strip().upper())
    return _ALIASES.get(name, name)
