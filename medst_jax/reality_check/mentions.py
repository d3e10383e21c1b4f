# SPDX-License-Identifier: Apache-2.0
"""How often the reports of a mixture mention a finding, affirmed or denied."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from medst_jax.data.records.study import Study

_WORD = re.compile(r"[a-z]+")


def mention_shares(studies: Iterable[Study], findings: Sequence[str]) -> dict[str, float]:
    """Share of the studies with text in which a sentence holds every word of a finding's name.

    Plurals of the last word count; other names of a finding do not.
    """
    wanted = {name: frozenset(_stems(name)) for name in findings}
    counts: Counter[str] = Counter()
    reports = 0
    for study in studies:
        sentences = [_stems(study.sentence_text(k)) for k in range(len(study.sentences))]
        if not sentences:
            continue
        reports += 1
        counts.update(
            name
            for name, name_words in wanted.items()
            if any(name_words <= spoken for spoken in sentences)
        )
    return {name: counts[name] / max(reports, 1) for name in findings}


def _stems(text: str) -> set[str]:
    return {word.removesuffix("s") for word in _WORD.findall(text.lower())}
