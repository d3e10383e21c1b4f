# SPDX-License-Identifier: Apache-2.0
"""The phrases of the 14 observations with the cues that act on them, compiled once."""

from medst_jax.text import cues, mentions, normal
from medst_jax.text.lexicon import Lexicon
from medst_jax.text.no_finding import OTHER

LEXICON = Lexicon(
    {
        "mention": {**mentions.MENTIONS, OTHER: mentions.OTHERS},
        "weak": mentions.WEAK_MENTIONS,
        "anatomy": mentions.ANATOMY,
        "ignored": {"": mentions.IGNORED},
        "size": cues.SIZES,
        "cue": cues.CUES,
        **normal.LEXICON_KINDS,
    }
)
