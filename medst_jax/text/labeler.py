# SPDX-License-Identifier: Apache-2.0
"""Labels report text with the 14 CheXpert observations by rules on words.

Mentions come from phrase lists; whether a mention is affirmed, denied or doubted follows from
cues and how far they reach (the idea of NegEx: Chapman et al., J Biomed Inform 2001); sentences
are aggregated as the CheXpert labeler does (Irvin et al., AAAI 2019, arXiv:1901.07031).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from medst_jax.text import mentions
from medst_jax.text.finding_lexicon import LEXICON
from medst_jax.text.lexicon import Match
from medst_jax.text.no_finding import NO_FINDING, OTHER, says_no_finding
from medst_jax.text.normal import KINDS, says_normal
from medst_jax.text.polarity import NEGATIVE, POSITIVE, UNCERTAIN, polarities
from medst_jax.text.reach import reach
from medst_jax.text.reading import merge_code, read_report
from medst_jax.text.words import split_words

_ORDER = {name: rank for rank, name in enumerate(mentions.FINDINGS)}
_FAILURE = ("heart failure", "chf", "cardiac failure")


def label_sentence(sentence: str) -> dict[str, int]:
    """What one sentence says: finding -> 1 affirmed, 0 denied, -1 doubted.

    "" stands for an abnormality outside the 14 observations; a normal statement denies it.

    >>> label_sentence("No effusion or pneumothorax, but there is mild edema.")
    {'Pleural Effusion': 0, 'Pneumothorax': 0, 'Edema': 1}
    >>> label_sentence("No acute cardiopulmonary process.")
    {'': 0}
    """
    return dict(_remembered(sentence))


@lru_cache(maxsize=1 << 14)
def _remembered(sentence: str) -> Mapping[str, int]:
    """Codes of a sentence: reports repeat themselves."""
    return label_words(split_words(sentence))


def label_words(words: Sequence[str]) -> dict[str, int]:
    """`label_sentence` of a sentence that `split_words` has split."""
    every = LEXICON.find(words)
    if not every:
        return {}
    matches = [match for match in every if match.kind not in KINDS]
    reached = reach(words, matches)
    codes: dict[str, int] = {}
    for name, code in polarities(words, matches, reached):
        merge_code(codes, name, code)
    if codes.get("Edema", NEGATIVE) != NEGATIVE and _failing(words, matches):
        merge_code(codes, "Cardiomegaly", UNCERTAIN)
    if OTHER not in codes and says_normal(words, every, reached):
        codes[OTHER] = NEGATIVE
    return codes


def label_findings(report: str) -> dict[str, int]:
    """The findings of a report: name -> 1 positive, 0 negative, -1 uncertain; absent = unmentioned.

    Names are those of `mentions.FINDINGS`. Sections that ask (indication, history), plan, inform
    or describe the study (technique, comparison) are not read; a report without headings is read
    wholly, one in another language not at all. Over sentences 1 outweighs -1, and -1 outweighs 0;
    the final report outweighs a wet read, and an addendum both. For "No Finding" see `no_finding`.

    >>> label_findings("FINDINGS: Small left effusion. No pneumothorax.")
    {'Pneumothorax': 0, 'Pleural Effusion': 1}
    """
    return with_no_finding(read_report(report, label_sentence))


def with_no_finding(codes: Mapping[str, int]) -> dict[str, int]:
    """Labels of a text, in the order of `mentions.FINDINGS`, with "No Finding" where it holds.

    Args:
      codes: all that the text says, as `label_sentence` gives it.
    """
    labels = {NO_FINDING: POSITIVE} if says_no_finding(codes) else {}
    for name in sorted(codes.keys() - {OTHER}, key=_ORDER.__getitem__):
        labels[name] = codes[name]
    return labels


def _failing(words: Sequence[str], matches: Iterable[Match]) -> bool:
    """Whether heart failure is mentioned, which by the labeler's rule hints at a large heart."""
    return any(" ".join(words[m.start : m.end]) in _FAILURE for m in matches if m.value == "Edema")
