# SPDX-License-Identifier: Apache-2.0
"""The headings of reports: how they are recognised, and which sections describe the image.

The one list for labels and for the texts that are trained on: sections that ask (indication),
compare, plan (recommendation) or tell who was informed say nothing of what the image shows.
"""

import re
from functools import lru_cache

DEFAULT_SECTION = "report"
PRELIMINARY, FINAL, ADDENDUM = range(3)  # readings of one study; a later one supersedes

# What a heading says its section is.
_DESCRIBING = frozenset(
    (
        *("FINDING", "FINDINGS", "IMPRESSION", "IMPRESSIONS", "CONCLUSION", "CONCLUSIONS"),
        *("INTERPRETATION", "OPINION", "RESULT", "RESULTS", "REPORT", "OBSERVATIONS", "IMP"),
        *("NARRATIVE", "SUMMARY"),
    )
)
_ASKING = frozenset(
    (
        *("INDICATION", "INDICATIONS", "HISTORY", "REASON", "COMPLAINT", "COMPLAINTS", "SYMPTOM"),
        *("SYMPTOMS", "SIGNS", "CLINICAL", "QUESTION", "REQUEST", "PRESENTATION", "BACKGROUND"),
        *("HX", "HPI", "PMH", "PREOPERATIVE", "ADMITTING", "PROVISIONAL", "REFERRAL", "REFERRING"),
        *("INDIC", "ORDERING", "COMORBIDITIES", "CONCERN"),
    )
)
_COMPARING = frozenset(
    (
        *("COMPARISON", "COMPARISONS", "COMPARED", "PRIOR", "PRIORS", "PREVIOUS", "COMP"),
        *("TECHNIQUE", "TECHNIQUES", "TECHNICAL", "PROCEDURE", "PROTOCOL", "EXPOSURE", "DOSE"),
    )
)
_PLANNING = frozenset(
    (
        *("RECOMMENDATION", "RECOMMENDATIONS", "RECOMMEND", "RECS", "PLAN", "FOLLOWUP", "ADVICE"),
        *("SUGGESTION", "SUGGESTIONS", "DISPOSITION", "MANAGEMENT"),
    )
)
_INFORMING = frozenset(
    (
        *("NOTIFICATION", "NOTIFICATIONS", "COMMUNICATION", "ATTESTATION", "DICTATED", "SIGNED"),
        *("SIGNATURE", "TRANSCRIBED", "RADIOLOGIST", "PHYSICIAN", "DISCLAIMER", "NOTIFIED"),
    )
)
# What was taken, of whom and when: only where the heading begins so, for "CHEST, TWO VIEWS:" and
# the like often stand before what is seen.
_STUDY = frozenset(
    (
        *("EXAM", "EXAMINATION", "EXAMS", "STUDY", "STUDIES", "VIEW", "VIEWS", "DATE", "TIME"),
        *("PATIENT", "TYPE", "MODALITY", "ACCESSION", "MRN", "AGE", "SEX", "DOB", "PROJECTION"),
    )
)
_SILENT = _ASKING | _COMPARING | _PLANNING | _INFORMING
# Begin a heading that asks, whatever follows: "CLINICAL FINDINGS", "REASON FOR REPORT".
_GOVERNING = frozenset(("CLINICAL", "REASON", "REFERRAL", "REQUEST"))
_KEYS = _DESCRIBING | _SILENT | _STUDY
# Words that stand in headings beside those, so that a heading in small letters is told from text.
LINKS = frozenset(("OF", "FOR", "THE", "THIS", "AND", "OR", "WITH", "TO", "IN", "BY", "FROM", "S"))
_COMPANIONS = LINKS | frozenset(
    (
        *("CHEST", "CXR", "RADIOGRAPH", "RADIOGRAPHS", "RADIOGRAPHIC", "RADIOLOGY", "RADIOLOGIC"),
        *("RADIOLOGICAL", "IMAGING", "XRAY", "RAY", "X", "FILM", "FILMS", "CT", "MEDICAL", "PAST"),
        *("CHIEF", "PRESENTING", "PRESENT", "ILLNESS", "RELEVANT", "PERTINENT", "BRIEF", "FAMILY"),
        *("SURGICAL", "SOCIAL", "CURRENT", "INFORMATION", "DETAILS", "DETAIL", "DATA", "NOTES"),
        *("NOTE", "DIAGNOSIS", "DX", "PROBLEM", "CONTEXT", "STATEMENT", "BODY", "FINAL", "KEY"),
        *("CRITICAL", "FOLLOW", "UP", "SERVICE", "NUMBER", "NAME", "ID", "TEST", "ORDER", "MAIN"),
        *("OPERATIVE", "PRE", "POST", "ELECTRONICALLY", "INTERVAL", "RADIOLOGIST'S", "SECTION"),
    )
)
VOCABULARY = _KEYS | _COMPANIONS
# Recognised without a colon as well, and inside a sentence.
STRONG = frozenset(
    (
        *("FINDINGS", "IMPRESSION", "IMPRESSIONS", "CONCLUSION", "CONCLUSIONS", "INDICATION"),
        *("INDICATIONS", "COMPARISON", "COMPARISONS", "TECHNIQUE", "RECOMMENDATION", "HISTORY"),
        *("RECOMMENDATIONS", "INTERPRETATION", "REASON", "COMPLAINT", "SYMPTOMS", "OPINION"),
    )
)
BARE = STRONG | {"EXAM", "EXAMINATION", "STUDY", "NOTIFICATION", "REPORT", "FINDING"}

_NUMBER = r"(?:[ \t]*(?:VERSION|NUMBER|NO\.?)?[ \t]*\#?[ \t]*\d{1,2}(?!\d|:\d))?"
# The title of a reading, as an expression for any case.
READING = (
    r"(?:(?:FINAL|REPORT)[ \t]+)?ADDEND(?:UM|A)(?:[ \t]+(?:TO|BEGINS|REPORT))*"
    rf"{_NUMBER}|(?:WET[ \t-]*|PRELIM(?:INARY)?[ \t]+(?:WET[ \t]+)?)(?:REPORT|READ(?:ING)?|INTERPRETATION)"
    rf"{_NUMBER}|FINAL[ \t]+(?:REPORT|READ(?:ING)?|INTERPRETATION)"
)
_READING = re.compile(READING, re.IGNORECASE)
_ALIASES = {
    **{f"{name}S": name for name in ("INDICATION", "COMPARISON", "RECOMMENDATION", "IMPRESSION")},
    "CONCLUSIONS": "CONCLUSION",
    "FINDING": "FINDINGS",
    "EXAM": "EXAMINATION",
}
# Titles inside findings, not headings of sections.
_ORGAN = re.compile(
    r"LUNG|PULMON|PLEURA|HEART|CARDI|MEDIASTIN|\bHIL[AU]|BON[EY]|OSSE|SKELET|SOFT|DIAPHRAGM"
    r"|ABDOM|AIRWAY|TRACHEA|VASC|VESS|AORT|LINES?\b|TUBE|DEVICE|CATHETER|THORAX|RIB|SPINE|WALL"
    r"|EFFUSION|PNEUMO|EDEMA|CONSOLID|ATELECT|OPACIT|NODUL|MASS|FRACTURE|INFILTR|LESION|APPARAT"
    r"|HARDWARE|\bE[TN]T\b|^NO$|NEGATIVE|POSITIVE|NORMAL|PTX|PNA|CHF|ANGLES?\b|APICES|BASES"
)
_WORD = re.compile(r"[A-Za-z']+")


@lru_cache(maxsize=4096)
def normal_name(heading: str) -> str:
    """A heading in capitals, with single spaces and under its usual name.

    >>> normal_name("Comparison(s)"), normal_name("Exam")
    ('COMPARISON', 'EXAMINATION')
    """
    name = " ".join(heading.strip(" \t*#_[]>-").upper().replace("(S)", "S").split())
    return _ALIASES.get(name, name)


@lru_cache(maxsize=4096)
def like_heading(text: str, *, bare: bool = False) -> bool:
    """Whether all words of a text are those of headings and it names a section.

    Args:
      text: what stands before a colon, or alone on a line.
      bare: without a colon; then only the usual names count.
    """
    words = _WORD.findall(without_reading(text.upper()).replace("(S)", "S"))
    if not words and not bare and reading_of(text) is not None:
        return True
    if not words or len(words) > 7 or words[0] in LINKS or words[-1] in LINKS - {"S"}:
        return False
    keys = BARE if bare else _KEYS
    return all(word in VOCABULARY for word in words) and any(word in keys for word in words)


def names_organ(heading: str) -> bool:
    """Whether capitals before a colon name what is looked at rather than a section."""
    return _ORGAN.search(heading.upper()) is not None


@lru_cache(maxsize=4096)
def reading_of(name: str) -> int | None:
    """Which reading a section of this name belongs to; None where the name does not say."""
    match = _READING.match(name)
    if match is None:
        return None
    title = match[0].upper()
    return ADDENDUM if "ADDEND" in title else FINAL if title.startswith("FINAL") else PRELIMINARY


def without_reading(name: str) -> str:
    """The name of a section inside a preliminary reading or an addendum."""
    return _READING.sub("", name, count=1).strip() if reading_of(name) is not None else name


@lru_cache(maxsize=4096)
def is_silent(name: str) -> bool:
    """Whether a section asks, compares, plans or informs, and does not say what is seen.

    >>> [is_silent(n) for n in ("REASON FOR EXAMINATION", "COMPARISON(S)", "Impression", "CHEST")]
    [True, True, False, False]
    """
    words = _WORD.findall(without_reading(name.upper()).replace("(S)", "S"))
    if not words:
        return False
    if words[0] in _GOVERNING:
        return True
    if not _DESCRIBING.isdisjoint(words):
        return False
    if words[:2] == ["FOLLOW", "UP"] or words[0] in _STUDY:
        return True
    return not _SILENT.isdisjoint(words)


@lru_cache(maxsize=4096)
def is_describing(name: str) -> bool:
    """Whether a section is named as one that says what is seen, in the last reading.

    >>> [is_describing(n) for n in ("Findings", "FINDINGS AND IMPRESSION", "report", "HISTORY")]
    [True, True, False, False]
    """
    words = _WORD.findall(name.upper())
    named = not _DESCRIBING.isdisjoint(words) and name.casefold() != DEFAULT_SECTION
    return named and reading_of(name) is None and not is_silent(name)
