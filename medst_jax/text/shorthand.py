# SPDX-License-Identifier: Apache-2.0
"""Writes out the shorthand of reports: contractions, abbreviations, signs, answers of templates.

Works on one sentence in small letters and leaves what it does not know as it is.
"""

import re

_ANSWERED_NO, _ANSWERED_MAYBE = " answeredno ;", " answeredmaybe ;"

_CONTRACTIONS = (("can't", "can not"), ("won't", "will not"), ("n't", " not"), ("there's", "there is"))
_SLASHED = {
    **{"w/o": "without", "w/out": "without", "c/w": "consistent with", "s/p": "status post"},
    **{"r/o": "rule out", "r/i": "rule in", "h/o": "history of", "e/o": "evidence of"},
    **{"s/o": "suggestive of", "c/f": "concerning for", "d/t": "due to", "f/u": "follow up"},
    **{"b/l": "bilateral", "n/a": " ", "a/w": "associated with", "w/u": "work up", "+/-": " or "},
    **{"and/or": "and or", "l/r": "left right", "u/l": "unilateral", "?/": "? "},
}
_SLASH = re.compile(
    rf"(?<![a-z])(?:(?:{'|'.join(map(re.escape, sorted(_SLASHED, key=len, reverse=True)))})(?![a-z])"
    r"|w/)"
)
# Shortened words with their full stop, if any.
_SHORTENED = {
    **{"poss": "possible", "prob": "probable", "susp": "suspected", "quest": "questionable"},
    **{"neg": "negative", "pos": "positive", "equiv": "equivocal", "ddx": "differential"},
    **{"mod": "moderate", "sm": "small", "lg": "large", "bilat": "bilateral", "sig": "significant"},
    **{"unch": "unchanged", "incr": "increased", "decr": "decreased", "pulm": "pulmonary"},
    **{"nl": "normal", "wnl": "within normal limits", "abnl": "abnormal", "unremark": "unremarkable"},
    **{"cardiomeg": "cardiomegaly", "cmeg": "cardiomegaly", "eff": "effusion", "effs": "effusions"},
    **{"effus": "effusion", "consol": "consolidation", "opac": "opacity", "infilt": "infiltrate"},
    **{"atx": "atelectasis", "atel": "atelectasis", "atelect": "atelectasis", "fx": "fracture"},
    **{"fxs": "fractures", "ptxs": "pneumothoraces", "hx": "history", "evid": "evidence"},
    **{"mediast": "mediastinum", "congest": "congestion", "nil": "no", "w": "with", "wo": "without"},
    **{"hf": "heart failure", "unrem": "unremarkable", "wout": "without", "cxr": "chest radiograph"},
}
_SHORT = re.compile(r"\b(?:" + "|".join(sorted(_SHORTENED, key=len, reverse=True)) + r")\b\.?")
_NO = (
    r"(?:no|none|nil|neg|negative|absent|nope|n|not (?:seen|present|identified|visualized|detected"
    r"|evident|demonstrated|visible|noted|found|apparent|appreciated)|none (?:seen|identified|noted"
    r"|evident|visible|detected|apparent)|no (?:definite |radiographic |convincing |clear )?"
    r"(?:evidence|signs?)|false|resolved|excluded|ruled out|denied|unlikely|0|-ve|not enlarged"
    r"|without|absence)"
)
_MAYBE = (
    r"(?:possible|possibly|probable|probably|likely|maybe|perhaps|questionable|uncertain|equivocal"
    r"|suspected|indeterminate|unclear|unsure|doubtful|(?:can ?not|not|cannot be) excluded"
    r"|can ?not be (?:excluded|ruled out)|can ?not exclude|not ruled out|suspicious|borderline)"
)
_YES = r"(?:yes|present|positive|pos|seen|true|y|noted|identified|\+ve|definite)"
_ANSWER = re.compile(
    r"\s*(?::|=|\?|->|\u2192|(?<=\s)[-\u2013\u2014]+(?=\s))\s*(?:(?P<no>"
    + _NO + r")|(?P<maybe>" + _MAYBE + r")|(?P<yes>" + _YES + r"))\s*(?=$|[.,;)\n])"
)
QUESTION_ANSWERED = re.compile(rf"\s*(?:{_NO}|{_MAYBE}|{_YES})\s*(?:$|[.;,\r\n])", re.IGNORECASE)
_SIGN_AFTER = re.compile(r"(?<=[a-z])\s*(?:\((?P<sign>[-+\u2013?])\)|\[(?P<square>[-+?])\])(?=\s*(?:$|[.,;:)\n]))")
_SIGN_BEFORE = re.compile(r"\((?P<sign>[-+\u2013?])\)\s*(?=[a-z])|(?<![\w])(?P<ve>[-+])ve\b")
_HANGING = re.compile(r"(?<=[a-z])\s+(?P<sign>[-+\u2013])(?=\s*(?:$|[.,;\n]))")
_MEANING = {"-": " no ", "\u2013": " no ", "+": " ", "?": " possible "}


def write_out(sentence: str) -> str:
    """The sentence with its shorthand written out; `sentence` is in small letters.

    >>> write_out("neg. for ptx w/o edema")
    'negative for ptx without edema'
    >>> write_out("it isn't seen")
    'it is not seen'
    """
    if "\u2019" in sentence:
        sentence = sentence.replace("\u2019", "'")
    if "'" in sentence:
        for contraction, words in _CONTRACTIONS:
            sentence = sentence.replace(contraction, words)
    if "/" in sentence:
        sentence = _SLASH.sub(_slashed, sentence)
    if "\u00f8" in sentence or "\u2205" in sentence:
        sentence = sentence.replace("\u00f8", " no ").replace("\u2205", " no ")
    if "(" in sentence or "[" in sentence or "ve " in sentence:
        sentence = _SIGN_AFTER.sub(_sign_answer, sentence)
        sentence = _SIGN_BEFORE.sub(_sign_before, sentence)
    if ":" in sentence or "=" in sentence or "?" in sentence or "- " in sentence or "\u2013" in sentence or "\u2014" in sentence or "->" in sentence:
        sentence = _ANSWER.sub(_answer, sentence)
    if sentence.endswith(("-", "+", "-.", "+.")) or " -," in sentence or " +," in sentence or " -;" in sentence or " +;" in sentence:
        sentence = _HANGING.sub(_sign_answer, sentence)
    return _SHORT.sub(_shortened, sentence)


def _slashed(match: re.Match[str]) -> str:
    return _SLASHED.get(match[0], "with ")


def _shortened(match: re.Match[str]) -> str:
    word = match[0].rstrip(".")
    return _SHORTENED[word]


def _answer(match: re.Match[str]) -> str:
    if match["no"]:
        return _ANSWERED_NO
    return _ANSWERED_MAYBE if match["maybe"] else " ;"


def _sign_answer(match: re.Match[str]) -> str:
    sign = match["sign"] or (match["square"] if "square" in match.groupdict() else "")
    return {"-": _ANSWERED_NO, "\u2013": _ANSWERED_NO, "?": _ANSWERED_MAYBE}.get(sign, " ;")


def _sign_before(match: re.Match[str]) -> str:
    return _MEANING[match["sign"] or match["ve"]]
