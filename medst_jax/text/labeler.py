# SPDX-License-Identifier: Apache-2.0
"""Labels report text with the 14 CheXpert observations by rules on words.

Mentions come from phrase lists; whether a mention is affirmed, denied or doubted follows from
cues and how far they reach (the idea of NegEx: Chapman et al., J Biomed Inform 2001); sentences
are aggregated as the CheXpert labeler does (Irvin et al., AAAI 2019, arXiv:1901.07031).
"""

from collections.abc import Iterable, Mapping, Sequence

from medst_jax.text import cues, mentions
from medst_jax.text.lexicon import Lexicon, Match
from medst_jax.text.polarity import NEGATIVE, POSITIVE, UNCERTAIN, polarities
from medst_jax.text.sections import split_sections
from medst_jax.text.sentences import split_sentences
from medst_jax.text.words import SILENT_SECTIONS, split_words

OTHER = ""  # an abnormal word outside the observations

_LEXICON = Lexicon(
    {
        "mention": {**mentions.MENTIONS, OTHER: mentions.OTHERS},
        "weak": mentions.WEAK_MENTIONS,
        "anatomy": mentions.ANATOMY,
        "ignored": {"": mentions.IGNORED},
        "size": cues.SIZES,
        "cue": cues.CUES,
    }
)
_ORDER = {name: rank for rank, name in enumerate(mentions.FINDINGS)}
_FAILURE = ("heart failure", "chf", "cardiac failure")


def label_sentence(sentence: str) -> dict[str, int]:
    """What one sentence says: finding -> 1 affirmed, 0 denied, -1 doubted.

    "" stands for an abnormality outside the 14 observations.

    >>> label_sentence("No effusion or pneumothorax, but there is mild edema.")
    {'Pleural Effusion': 0, 'Pneumothorax': 0, 'Edema': 1}
    """
    return label_words(split_words(sentence))


def label_words(words: Sequence[str]) -> dict[str, int]:
    """`label_sentence` of a sentence that `split_words` has split."""
    found = _LEXICON.find(words)
    codes: dict[str, int] = {}
    for name, code in polarities(words, found):
        _merge(codes, name, code)
    if codes.get("Edema", 0) != 0 and _failing(words, found):
        _merge(codes, "Cardiomegaly", UNCERTAIN)
    return codes


def label_findings(report: str) -> dict[str, int]:
    """The findings of a report: name -> 1 positive, 0 negative, -1 uncertain; absent = unmentioned.

    Names are those of `mentions.FINDINGS`. Sections that ask (indication, history) or describe
    the study (technique, comparison) are not read; a report without headers is read wholly.
    Over sentences 1 outweighs -1, and -1 outweighs 0. "No Finding" is 1 when nothing but,
    possibly, support devices is positive or uncertain, and absent otherwise.

    >>> label_findings("FINDINGS: Small left effusion. No pneumothorax.")
    {'Pneumothorax': 0, 'Pleural Effusion': 1}
    """
    codes: dict[str, int] = {}
    for name, text in split_sections(report):
        if name not in SILENT_SECTIONS:
            for start, end in split_sentences(text):
                merge_labels(codes, label_sentence(text[start:end]))
    return with_no_finding(codes) if report.strip() else {}


def merge_labels(codes: dict[str, int], more: Mapping[str, int]) -> None:
    """Adds the labels of another sentence to `codes`, in place."""
    for name, code in more.items():
        _merge(codes, name, code)


def with_no_finding(codes: Mapping[str, int]) -> dict[str, int]:
    """Labels of a report, in the order of `mentions.FINDINGS`, with "No Finding" where it holds."""
    abnormal = any(code != NEGATIVE for name, code in codes.items() if name != "Support Devices")
    labels = {} if abnormal else {mentions.NO_FINDING: POSITIVE}
    for name in sorted(codes.keys() - {OTHER}, key=_ORDER.__getitem__):
        labels[name] = codes[name]
    return labels


def _merge(codes: dict[str, int], name: str, code: int) -> None:
    old = codes.get(name, NEGATIVE)
    if POSITIVE in (old, code):
        codes[name] = POSITIVE
    else:
        codes[name] = UNCERTAIN if UNCERTAIN in (old, code) else NEGATIVE


def _failing(words: Sequence[str], found: Iterable[Match]) -> bool:
    """Whether heart failure is mentioned, which by the labeler's rule hints at a large heart."""
    return any(" ".join(words[m.start : m.end]) in _FAILURE for m in found if m.value == "Edema")
