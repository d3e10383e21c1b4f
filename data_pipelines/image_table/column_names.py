# SPDX-License-Identifier: Apache-2.0
"""The columns of a user's table: those that are read, and which others were perhaps meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

REQUIRED = ("image_path", "patient_id")
# By documented name what else tables call it, in letters and digits alone.
_ALSO_CALLED: Mapping[str, str] = {
    "image_path": "path file filepath filename file_name image img imagefile imagefilename "
    "imagename imageindex imgpath dicompath jpgpath pngpath",
    "patient_id": "patient pid subject subjectid mrn patientnumber case caseid person personid",
    "image_id": "imageuid sopinstanceuid dicomid uid instanceid",
    "study_id": "study studyuid studyinstanceuid accession accessionnumber exam examid examination",
    "study_order": "order followup visit visitnumber studynumber timepoint",
    "day_offset": "day days date studydate examdate acquisitiondate offset studydatedicom",
    "view": "viewposition projection position appa viewpos viewcode viewpositiondicom",
    "view_type": "frontallateral orientation viewtype frontal",
    "report": "text reporttext reports radiologyreport fulltext findings impression note",
    "labels": "label finding findinglabels diagnosis diagnoses classes class pathology pathologies "
    "disease",
    "split": "fold subset set partition dataset datasplit",
    "age": "patientage ageyears ageatstudy",
    "sex": "gender patientsex patientgender patientsexdicom",
    "language": "lang",
    "license": "licence",
}
COLUMNS = tuple(_ALSO_CALLED)
_SPELLINGS = {
    spelling: column
    for column, others in _ALSO_CALLED.items()
    for spelling in (column.replace("_", ""), *others.replace("_", "").split())
}
# Names that tables of published collections have, and that are of no use here.
_KNOWN_UNREAD = frozenset(
    [
        "report_kind",
        "license_url",
        "source_url",
        "doi",
        "credit",
        "source_repo",
        "source_commit",
        "orig_filename",
        "orig_width",
        "orig_height",
        "width",
        "height",
    ]
)
_CLOSE = 0.75
_SHORTEST = 4
_SHOWN = 20


def suggestions(names: Iterable[str], read: Collection[str]) -> dict[str, str]:
    """The column that was perhaps meant, by documented name, for those that are not read yet.

    Args:
      names: columns of the table that are not read.
      read: documented columns that the table has.
    """
    meanings: dict[str, str] = {}
    for name in names:
        meant = "" if name in _KNOWN_UNREAD else _meant(_plain(name))
        if meant and meant not in read:
            meanings.setdefault(meant, name)
    return {column: meanings[column] for column in COLUMNS if column in meanings}


def _meant(name: str) -> str:
    """The documented column that a name in letters and digits is close to, or ""."""
    if name in _SPELLINGS or len(name) < _SHORTEST:
        return _SPELLINGS.get(name, "")
    close = difflib.get_close_matches(name, _SPELLINGS, n=1, cutoff=_CLOSE)
    return _SPELLINGS[close[0]] if close else ""


def own_first(names: Sequence[str]) -> list[str]:
    """The names, those that published collections have behind the owner's own."""
    return sorted(names, key=_KNOWN_UNREAD.__contains__)


def as_flag(chosen: Mapping[str, str]) -> str:
    """`--columns=view=ViewPosition,...`, quoted for a shell where a name needs it."""
    pairs = ",".join(f"{ours}={theirs}" for ours, theirs in chosen.items())
    return f"--columns={pairs}" if re.fullmatch(r"[\w=.,-]*", pairs) else f'"--columns={pairs}"'


def enumerated(names: Sequence[str]) -> str:
    """The names with commas, the first of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
