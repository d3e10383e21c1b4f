# SPDX-License-Identifier: Apache-2.0
"""The words of negation and doubt, and those that end their reach.

`forward` cues act on what follows, `backward` cues on what precedes them in the clause. Some
look like cues and are none ("no change in the effusion").
"""

from collections.abc import Mapping

_SEEN = (
    *("seen", "identified", "noted", "evident", "visualized", "present", "detected"),
    *("demonstrated", "appreciated", "observed", "visible", "apparent", "found", "suggested"),
)
_HOW = ("entirely", "completely", "confidently", "definitively", "reliably", "fully", "totally")
_BE = ("is", "are", "was", "were")

CUES: Mapping[str, tuple[str, ...]] = {
    "negative forward": (
        *("no", "not", "without", "absent", "absence of", "negative for", "free of", "clear of"),
        *("no evidence of", "no evidence for", "without evidence of", "free from", "nor"),
        *("neither", "rather than", "removal of", "clearing of", "resolution of", "never"),
        *("rule out", "rules out", "denies", "history of", "lack of", "lacks", "excludes"),
        *("disappearance of", "interval removal of", "complete resolution of"),
        *("interval resolution of", "interval clearing of"),
    ),
    "negative backward": (
        *("no longer", "has resolved", "have resolved", "has cleared"),
        *("have cleared", "has completely resolved", "have completely resolved", "is absent"),
        *("are absent", "has been removed", "have been removed", "was removed"),
        *("were removed", "been removed", "ruled out", "is excluded", "are excluded", "unlikely"),
        *("has been excluded", "is unlikely", "are unlikely", "no longer seen"),
        *("is no longer seen", "are no longer seen", "is no longer visualized"),
        *("is no longer visible", "are no longer visible", "is no longer present"),
        *("has disappeared", "have disappeared", "has now resolved"),
        *("have now resolved", "has since resolved", "have since resolved"),
        *(f"{be} not {seen}" for be in _BE for seen in _SEEN),
        *(f"{be} not definitely {seen}" for be in _BE for seen in _SEEN),
        *(f"not {seen}" for seen in _SEEN),
    ),
    "uncertain forward": (
        *("may", "might", "could", "possible", "possibly", "probable", "probably", "perhaps"),
        *("presumably", "presumed", "questionable", "question", "question of", "suspect"),
        *("suspicious for", "suspicious of", "suspicion for", "suspicion of"),
        *("concern for", "concerning for", "worrisome for", "suggestion of", "suggesting"),
        *("suggest", "suggests", "suggestive of", "favor", "favored", "favors", "likely"),
        *("consider", "potentially", "potential", "equivocal"),
        *("cannot exclude", "can not exclude", "can't exclude", "cannot rule out"),
        *("could not exclude", "does not exclude", "do not exclude", "not exclude"),
        *("no new", "less likely", "more likely", "most likely", "differential"),
        *("difficult to exclude", "can not rule out", "cannot completely exclude"),
        *("cannot entirely exclude", "to exclude", "to rule out", "evaluate for", "assess for"),
        *("evaluation for", "assessment for", "evaluation of possible"),
        *("correlate for", "correlation for", "maybe", "raises concern for"),
    ),
    "uncertain backward": (
        *("cannot be excluded", "can not be excluded", "not excluded", "is not excluded"),
        *("are not excluded", "cannot be ruled out", "can not be ruled out", "not ruled out"),
        *(f"{no} be {how} excluded" for no in ("cannot", "can not") for how in _HOW),
        *(f"not {how} excluded" for how in _HOW),
        *("may not be demonstrated", "may not be visible", "may not be seen"),
        *("is possible", "are possible", "is suspected", "are suspected", "is questioned"),
        *("are questioned", "is likely", "are likely", "not well evaluated"),
        *("is difficult to exclude", "are difficult to exclude", "should be considered"),
        *("is less likely", "are less likely", "is favored"),
        *("would be difficult to exclude", "may be present", "could be present", "might be"),
        *("may be considered", "is a possibility", "is a consideration"),
        *("is questionable", "are questionable"),
        *("poorly evaluated", "incompletely evaluated", "not well visualized", "obscured"),
        *("not well seen", "not clearly seen", "is equivocal"),
    ),
    # On what precedes in the clause if it holds a mention, else on what follows.
    "negative nearest": ("resolved", "cleared", "removed"),
    "uncertain nearest": ("suspected",),
    "uncertain around": ("vs", "versus", "and or"),
    "no cue": (
        *("no change*", "no significant change*", "no interval change*", "without change*"),
        *("no significant interval change*", "no substantial change*", "no appreciable change*"),
        *("not changed", "not significantly changed", "not substantially changed", "not only"),
        *("without significant change", "without interval change", "no relevant change*"),
        *("no increase", "no decrease", "no improvement", "no worsening", "no progression"),
        *("no further", "no evidence of change", "without significant interval change"),
        *("no prior", "no priors", "no previous", "no comparison", "no recent", "no older"),
        *("not appreciably changed", "no definite change*", "no major change*", "not limited to"),
        *("no acute change*", "partial resolution of", "near resolution of", "partially resolved"),
        *("nearly resolved", "has nearly resolved", "near complete resolution of"),
        *("almost resolved", "has not resolved", "have not resolved", "not resolved"),
        *("partial clearing of", "has partially resolved", "incompletely resolved"),
        *("may be due to technique", "has partially cleared", "not significantly"),
        *(f"not {seen} on {a}prior" for seen in _SEEN for a in ("", "the ", "a ")),
        *(f"not {seen} on {a}previous" for seen in _SEEN for a in ("", "the ", "a ")),
        *("not previously seen", "not seen previously", "not seen before"),
        *("no interval increase", "no interval decrease", "no interval improvement"),
    ),
    # A clause ends here: cues do not reach across.
    "break": (
        *("but", "however", "although", "though", "except", "besides", "aside from", "yet"),
        *("apart from", "other than", "nevertheless", "while", "whereas", "there is"),
        *("there are", "there has", "there have", "there was", "otherwise", "with the exception"),
        ";",
        ":",
    ),
}

# About the size of the heart or the mediastinum.
SIZES: Mapping[str, tuple[str, ...]] = {
    "normal": (
        *("normal", "unremarkable", "within normal limits", "not enlarged", "top normal"),
        *("upper limits of normal", "upper limit of normal", "upper normal", "intact"),
        *("within the limits of normal", "not widened", "preserved", "normal in size"),
        *("at the upper limits of normal", "at upper limits of normal", "normal size"),
        *("normal limits", "grossly normal", "within limits of normal", "nonenlarged"),
        *("not significantly enlarged", "not dilated", "high normal", "not prominent"),
    ),
    "stable": ("stable", "unchanged", "similar"),
    "enlarged": (
        *("enlarged", "enlargement", "enlarging", "widened", "widening", "wide", "prominent"),
        *("prominence", "large", "big", "dilated", "dilatation", "dilation", "generous"),
        *("increased", "globular", "hypertrophy", "full", "fullness", "megaly", "engorged"),
    ),
    "borderline": (
        *("borderline", "borderline enlarged", "borderline in size", "borderline prominent"),
        *("borderline size", "borderline normal", "borderline enlargement"),
    ),
}

# Words a negated list has none of: after a comma or "and" they begin something that is there.
DEGREES = frozenset(
    (
        *("mild", "mildly", "moderate", "moderately", "severe", "severely", "small", "large"),
        *("tiny", "trace", "minimal", "slight", "stable", "unchanged", "persistent", "continued"),
        *("chronic", "old", "healed", "left", "right", "bilateral", "bibasilar", "patchy"),
        *("increased", "increasing", "improved", "improving", "worsening", "worsened", "low"),
        *("interval", "a", "an", "the", "tortuous", "multiple", "scattered", "calcified"),
    )
)
VERBS = frozenset(
    (
        *("is", "are", "was", "were", "remain", "remains", "appear", "appears", "has", "have"),
        *("shows", "show", "demonstrates", "demonstrate", "overlies", "projects", "terminates"),
        *("ends", "courses", "lies", "consistent", "compatible"),
    )
)
SEPARATORS = frozenset((",", "and", "with"))
ALTERNATIVES = frozenset(("or", "nor"))
