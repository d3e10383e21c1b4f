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
_SHOW = ("show", "demonstrate", "reveal")
_HOW = (
    *("entirely", "completely", "confidently", "definitively", "reliably", "fully", "totally"),
    *("definitely", "absolutely", "safely", "readily", "adequately"),
)
_EXCLUDE = ("exclude", "rule out")
# "cannot completely exclude", and the same with the adverb behind or without one.
_NOT_EXCLUDE = tuple(
    f"{no} {how}{exclude}"
    for no in (
        "cannot",
        "can not",
        "could not",
        "does not",
        "do not",
        "did not",
        "not",
        "unable to",
    )
    for how in ("", *(f"{how} " for how in _HOW))
    for exclude in _EXCLUDE
)
_HARD_TO_EXCLUDE = tuple(
    f"{hard} to {how}{exclude}"
    for hard in ("hard", "difficult", "impossible", "not possible", "challenging")
    for how in ("", *(f"{how} " for how in _HOW))
    for exclude in _EXCLUDE
)
_CANNOT = ("cannot", "can not")
_OUT = ("excluded", "ruled out")
_HARD = ("hard", "difficult")
_SURE = ("be sure", "be certain", "say", "be said", "tell", "be confident")
_THERE = ("there is", "there are")
_BE = ("is", "are", "was", "were")
# What may fail to happen to a finding that is there all the same: "no interval clearing".
_COURSES = (
    *("increase", "decrease", "improvement", "worsening", "progression", "resolution"),
    *("clearing", "regression", "enlargement"),
)
_AMOUNTS = ("interval", "significant", "significant interval", "substantial", "appreciable")

CUES: Mapping[str, tuple[str, ...]] = {
    "negative forward": (
        *("no", "not", "without", "absence of", "negative for", "free of", "clear of"),
        *("no evidence of", "no evidence for", "without evidence of", "free from", "nor"),
        *("neither", "rather than", "removal of", "clearing of", "resolution of", "never"),
        *("rule out", "rules out", "denies", "lack of", "lacks", "excludes"),
        *("disappearance of", "interval removal of", "complete resolution of"),
        *("interval resolution of", "interval clearing of", "nothing", "devoid of", "instead of"),
        *(f"{fail} to {show}" for fail in ("fail", "fails", "failed") for show in _SHOW),
        *("no longer any", "no evidence of :", "no evidence for :", "negative for :", "no :"),
        *("without :", "negative :", "none :", "absent :", "no signs of :"),
    ),
    "negative backward": (
        *("no longer", "has resolved", "have resolved", "has cleared"),
        *("have cleared", "has completely resolved", "have completely resolved", "is absent"),
        *("are absent", "has been removed", "have been removed", "was removed"),
        *("were removed", "been removed", "ruled out", "is excluded", "are excluded", "answeredno"),
        *("has been excluded", "is unlikely", "are unlikely", "no longer seen"),
        *("is no longer seen", "are no longer seen", "is no longer visualized"),
        *("is no longer visible", "are no longer visible", "is no longer present"),
        *("has disappeared", "have disappeared", "has now resolved"),
        *("have now resolved", "has since resolved", "have since resolved"),
        *(f"{be} not {seen}" for be in _BE for seen in _SEEN),
        *(f"{be} not definitely {seen}" for be in _BE for seen in _SEEN),
        *(f"not {seen}" for seen in _SEEN),
        *(f"{no} be {seen}" for no in _CANNOT for seen in ("found", "seen", "identified")),
        *("is gone", "are gone", "nowhere to be seen", "can be excluded", "can be ruled out"),
        *("not confirmed", "been taken out", "been pulled", "been discontinued", "been explanted"),
        *("is out", "are out", "taken out", "extubated", ": none", ": absent", ": negative"),
        *(f": not {seen}" for seen in _SEEN),
    ),
    # On what precedes, where the sentence or its part ends with it: "effusion none".
    "negative last": ("none", "nil"),
    # Of the patient before this image.
    "history forward": (
        *("history of", "history for", "year old", "years old", "presented with", "presents with"),
        *("presenting with", "admitted with", "admitted for", "admitted because of", "yo"),
        *("diagnosed with", "treated for", "known case of", "hospitalized for", "hospitalised for"),
        *("diagnosis of", "status post treatment of", "treatment of", "treatment for"),
    ),
    "uncertain forward": (
        *("may", "might", "could", "possible", "possibly", "probable", "probably", "perhaps"),
        *("presumably", "presumed", "questionable", "question", "question of", "suspect"),
        *("suspicious for", "suspicious of", "suspicion for", "suspicion of"),
        *("concern for", "concerning for", "worrisome for", "suggestion of", "suggesting"),
        *("suggest", "suggests", "suggestive of", "favor", "favored", "favors", "likely"),
        *("consider", "potentially", "potential", "equivocal"),
        *_NOT_EXCLUDE,
        *("no new", "less likely", "more likely", "most likely", "differential"),
        *("to exclude", "to rule out", "evaluate for", "assess for", "doubt", "doubtful", "query"),
        *("possibility of", "concern of", "low suspicion for", "low probability of", "dubious"),
        *("low likelihood of", "indeterminate for", "suspicious", "presumptive", "conceivable"),
        *("cannot be distinguished from", "raises the possibility of"),
        *("evaluation for", "assessment for", "evaluation of possible"),
        *("correlate for", "correlation for", "maybe", "raises concern for", "conceivably"),
        *("mimicking", "simulating", "to identify", "to detect", "detecting", "detection of"),
        *("sensitive for", "to screen for", "screening for", "to look for", "surveillance for"),
        *(
            f"{be}{un} {if_}{there}"
            for be in ("", "is ", "remains ")
            for un in ("unclear", "uncertain")
            for if_ in ("if", "whether")
            for there in ("", " there is", " there are")
        ),
        *("either a", "either an", "uncertain"),
        *(
            f"{no} {sure} {that}{there} no"
            for no in (*_CANNOT, "not")
            for sure in _SURE
            for that in ("", "that ")
            for there in _THERE
        ),
        *(
            f"{be}{doubt} {that} {there}"
            for be in ("", "is ")
            for doubt in ("doubtful", "doubt", "possible", "likely", "probable", "conceivable")
            for that in ("that", "if", "whether")
            for there in _THERE
        ),
    ),
    "uncertain backward": (
        *("cannot be excluded", "can not be excluded", "not excluded", "is not excluded"),
        *("are not excluded", "cannot be ruled out", "can not be ruled out", "not ruled out"),
        *(f"{no} be {how} {out}" for no in _CANNOT for how in _HOW for out in _OUT),
        *(f"not {how} {out}" for how in _HOW for out in _OUT),
        *("may not be demonstrated", "may not be visible", "may not be seen"),
        *("is possible", "are possible", "is suspected", "are suspected", "is questioned"),
        *("are questioned", "is likely", "are likely", "not well evaluated"),
        *("should be considered", "is doubtful", "are doubtful", "is doubted", "in doubt"),
        *("answeredmaybe", "is indeterminate", "are indeterminate", "is dubious", "not unlikely"),
        *("is less likely", "are less likely", "is favored"),
        *("may be present", "could be present", "might be"),
        *("may be considered", "is a possibility", "is a consideration"),
        *("is questionable", "are questionable"),
        *("poorly evaluated", "incompletely evaluated", "not well visualized", "obscured"),
        *("not well seen", "not clearly seen", "is equivocal", "if any", "if present"),
        *("is uncertain", "are uncertain", "is unclear", "remains possible"),
        *("remains a possibility", "remains a consideration"),
        *(f"{hard} to {judge}" for hard in _HARD for judge in ("judge", "assess", "evaluate")),
    ),
    # On what precedes in the clause if it holds a mention, else on what follows.
    "negative nearest": ("resolved", "cleared", "removed", "absent", "unlikely", "negative"),
    "uncertain nearest": (*("suspected", "doubted", "?", *_HARD_TO_EXCLUDE),),
    "uncertain around": (
        *("vs", "versus", "and or", "favored over", "is favored over", "more likely than"),
        *("less likely than", "indistinguishable from", "not distinguishable from"),
    ),
    "no cue": (
        *("no change*", "no significant change*", "no interval change*", "without change*"),
        *("no significant interval change*", "no substantial change*", "no appreciable change*"),
        *("not changed", "not significantly changed", "not substantially changed", "not only"),
        *("without significant change", "without interval change", "no relevant change*"),
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
        *(f"no {course}" for course in _COURSES),
        *(f"no {amount} {course}" for amount in _AMOUNTS for course in _COURSES),
        *(f"not {gone}" for gone in ("cleared", "been removed", "disappeared", "gone away")),
        *(f"{have} not {gone}" for have in ("has", "have") for gone in ("cleared", "been removed")),
        *("nearly complete resolution of", "nearly complete clearing of", "no longer free of"),
        *("almost complete resolution of", "no doubt", "without doubt"),
    ),
    # A clause ends here: cues do not reach across.
    "break": (
        *("but", "however", "although", "though", "except", "besides", "aside from", "yet"),
        *("apart from", "other than", "nevertheless", "while", "whereas", "there is"),
        *("there are", "there has", "there have", "there was", "otherwise", "with the exception"),
        *("despite", "beyond", "save for", "instead", ", only", "now with", ", now", "now has"),
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
        *("non enlarged", "unenlarged", "not grossly enlarged", "not increased", "not large"),
    ),
    "stable": ("stable", "unchanged", "similar"),
    "enlarged": (
        *("enlarged", "enlargement", "enlarging", "widened", "widening", "wide", "prominent"),
        *("prominence", "large", "big", "dilated", "dilatation", "dilation", "generous"),
        *("increased", "globular", "hypertrophy", "full", "fullness", "megaly", "engorged"),
        *("larger than normal", "bigger than normal", "wider than normal", "above normal"),
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
# And words that begin something new behind a comma, said or doubted.
OPENINGS = DEGREES | frozenset(
    (
        *("likely", "possible", "possibly", "probable", "probably", "questionable", "suspected"),
        *("definite", "several", "some", "numerous", "another"),
    )
)
VERBS = frozenset(
    (
        *("is", "are", "was", "were", "remain", "remains", "appear", "appears", "has", "have"),
        *("shows", "show", "demonstrates", "demonstrate", "overlies", "projects", "terminates"),
        *("ends", "courses", "lies", "consistent", "compatible"),
    )
)
# Between what is seen and what it may be: "opacity representing edema versus pneumonia".
EXPLANATIONS = frozenset(
    ("reflect", "reflects", "reflecting", "represent", "represents", "representing")
)
SEPARATORS = frozenset((",", "and", "with"))
ALTERNATIVES = frozenset(("or", "nor"))
