# SPDX-License-Identifier: Apache-2.0
"""Writes out the shorthand of reports: contractions, abbreviations, signs, answers of templates.

Works on one sentence in small letters and leaves what it does not know as it is.
"""

import re
from collections.abc import Sequence

_ANSWERED_NO, _ANSWERED_MAYBE = " answeredno ;", " answeredmaybe ;"

_CONTRACTIONS = (
    ("can't", "can not"),
    ("won't", "will not"),
    ("n't", " not"),
    ("there's", "there is"),
)
_SLASHED = dict(
    entry.split(" = ")
    for entry in (
        *("w/o = without", "w/out = without", "c/w = consistent with", "s/p = status post"),
        *("r/o = rule out", "r/i = rule in", "h/o = history of", "e/o = evidence of"),
        *("s/o = suggestive of", "c/f = concerning for", "d/t = due to", "f/u = follow up"),
        *("b/l = bilateral", "n/a = ,", "a/w = associated with", "w/u = work up", "+/- = or"),
        *("and/or = and or", "l/r = left right", "u/l = unilateral"),
    )
)
_SLASH = re.compile(
    rf"(?<![a-z])(?:(?:{'|'.join(map(re.escape, sorted(_SLASHED, key=len, reverse=True)))})(?![a-z])"
    r"|w/)"
)
# Shortened words with their full stop, if any.
SHORTENED = dict(
    entry.split(" = ")
    for entry in (
        *("poss = possible", "prob = probable", "susp = suspected", "quest = questionable"),
        *("neg = negative", "pos = positive", "equiv = equivocal", "ddx = differential"),
        *("mod = moderate", "sm = small", "lg = large", "bilat = bilateral"),
        *("sig = significant", "unch = unchanged", "incr = increased", "decr = decreased"),
        *("pulm = pulmonary", "nl = normal", "wnl = within normal limits", "abnl = abnormal"),
        *("unremark = unremarkable", "cardiomeg = cardiomegaly", "cmeg = cardiomegaly"),
        *("eff = effusion", "effs = effusions", "effus = effusion", "consol = consolidation"),
        *("opac = opacity", "infilt = infiltrate", "atx = atelectasis", "atel = atelectasis"),
        *("atelect = atelectasis", "fx = fracture", "fxs = fractures", "ptxs = pneumothoraces"),
        *("hx = history", "evid = evidence", "mediast = mediastinum", "congest = congestion"),
        *("nil = no", "w = with", "wo = without", "infx = infection", "infil = infiltrate"),
        *("opacs = opacities", "vasc = vascular", "dz = disease"),
        *("cardiopulm = cardiopulmonary", "abn = abnormal", "nod = nodule"),
        *("hf = heart failure", "unrem = unremarkable", "wout = without"),
        *("cxr = chest radiograph",),
    )
)
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
    r"\s*(?::|=|\?|->|\u2192|\.{2,}|(?<=\s)[-\u2013\u2014]+(?=\s))\s*(?:(?P<no>"
    + _NO
    + r")|(?P<maybe>"
    + _MAYBE
    + r")|(?P<yes>"
    + _YES
    + r"))"
    r"(?=\s*(?:$|[.,;)\n])|\s{2,}|\s+[a-z][a-z /]{2,30}[:=])"
)
# An answer behind a question mark or dots, which do not end the sentence then.
ANSWERED = re.compile(
    rf"\s*(?:{_NO}|{_MAYBE}|{_YES})\s*(?:$|[.;,\r\n])",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    rf"(?<=[a-z])\s*[(\[]\s*(?:(?P<no>-|\u2013|{_NO})|(?P<maybe>\?|{_MAYBE})|(?P<yes>\+|{_YES}))\s*[)\]]"
)
_SIGN_BEFORE = re.compile(r"\((?P<sign>[-+\u2013?])\)\s*(?=[a-z])|(?<!\w)(?P<ve>[-+])ve\b")
_SIGN_LAST = re.compile(
    r"(?<=[a-z])(?:\s*[:=]\s*|\s+)(?:(?P<no>[-\u2013])|(?P<maybe>\?)|(?P<yes>\+))(?=\s*(?:$|[.,;\n]))"
)
_MEANING = {"-": " no ", "\u2013": " no ", "+": " ; ", "?": " possible "}
_ANSWERING = re.compile(r"[:=?]|- |->|\.\.|[\u2013\u2014\u2192]")
_SIGNED = re.compile(r"[-+\u2013?]\s*(?:$|[.,;\n])")


def write_out(sentence: str) -> str:
    """The sentence with its shorthand written out; `sentence` is in small letters.

    >>> write_out("ptx w/o edema")
    'ptx without edema'
    >>> write_out("it isn't seen")
    'it is not seen'
    """
    if "\u2019" in sentence:
        sentence = sentence.replace("\u2019", "'")
    if "'" in sentence:
        for contraction, words in _CONTRACTIONS:
            sentence = sentence.replace(contraction, words)
        sentence = sentence.replace("'s", "")
    if "/" in sentence:
        sentence = _SLASH.sub(_slashed, sentence)
    if "\u00f8" in sentence or "\u2205" in sentence:
        sentence = sentence.replace("\u00f8", " no ").replace("\u2205", " no ")
    if "(" in sentence or "[" in sentence or "ve " in sentence:
        sentence = _SIGN_BEFORE.sub(_sign_before, sentence)
        sentence = _BRACKETED.sub(_answer, sentence)
    if _ANSWERING.search(sentence):
        sentence = _ANSWER.sub(_answer, sentence)
    if _SIGNED.search(sentence):
        sentence = _SIGN_LAST.sub(_answer, sentence)
    return sentence


def _slashed(match: re.Match[str]) -> str:
    return _SLASHED.get(match[0], "with ")


def lengthened(words: Sequence[str]) -> list[str]:
    """The words with those that are shortened written out."""
    return [long for word in words for long in SHORTENED.get(word, word).split()]


def _answer(match: re.Match[str]) -> str:
    if match["no"]:
        return _ANSWERED_NO
    return _ANSWERED_MAYBE if match["maybe"] else " ;"


def _sign_before(match: re.Match[str]) -> str:
    return _MEANING[match["sign"] or match["ve"]]
