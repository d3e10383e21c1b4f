# SPDX-License-Identifier: Apache-2.0
"""Where a sentence says its findings are: side, zone and structure, and the finding that has them.

A finding gets the places of its own part of the sentence (parts end at commas, "and", "or" and
"with"), else those of the finding before it in the clause. `lexicons/places.json` says which words
name a place, where each entity lies when only a side is said, and which lie in one place always.
The idea of entities and places is MedKLIP's (Wu et al., arXiv:2301.02228); the words are this
project's own.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from medst_jax.text.lexicon import Lexicon, Match
from medst_jax.text.polarity import NEGATIVE
from medst_jax.text.reading import read_report
from medst_jax.text.union import DUPLICATES, UNION, Mention, find_mentions, label_union_sentence
from medst_jax.text.words import split_words

_FILE = Path(__file__).with_name("lexicons") / "places.json"
_CONTENT: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
_SIDED: frozenset[str] = frozenset(_CONTENT["sided"])
_WHERE: Mapping[str, Mapping[str, str]] = _CONTENT["entities"]
_AMONG = {name: frozenset(regions) for name, regions in _CONTENT["groups"].items()}
_BOTH = ("right", "left")

# Findings that a report may affirm, deny or doubt, each under one name.
ENTITIES: tuple[str, ...] = tuple(
    name for name in UNION if name not in DUPLICATES and name != "no finding"
)
PLACES: tuple[str, ...] = (
    *(f"{side} {region}" for region in _CONTENT["sided"] for side in _BOTH),
    *(region for region in _CONTENT["regions"] if region not in _SIDED),
)

_LEXICON = Lexicon(
    {
        "side": _CONTENT["sides"],
        # The value says the region, and the side that the words imply.
        "region": {
            f"{region}/{side}": phrases
            for region, by_side in _CONTENT["regions"].items()
            for side, phrases in by_side.items()
        },
    }
)
_SEPARATORS = frozenset((",", ";", ":", "and", "or", "with", "without", "no", "versus", "plus"))
_AT = " @ "


class Part(NamedTuple):
    """What one part of a sentence names.

    sides: "right", "left". regions: with or without a side. plural: whether a region stands in a
    form that means both sides, such as "bases", where no side is said.
    """

    sides: tuple[str, ...]
    regions: tuple[str, ...]
    plural: bool = False


class ReportPlaces(NamedTuple):
    """entities: name -> 1 affirmed, 0 denied, -1 doubted. places: (entity, place) -> the same."""

    entities: dict[str, int]
    places: dict[tuple[str, str], int]


def locate_sentence(sentence: str) -> ReportPlaces:
    """What one sentence says of `ENTITIES`, and where.

    >>> locate_sentence("Small left effusion and right basal atelectasis.").places
    {('pleural effusion', 'left pleura'): 1, ('atelectasis', 'right lower zone'): 1}
    """
    return _split(_sentence_codes(sentence))


def locate_report(report: str) -> ReportPlaces:
    """What a report says of `ENTITIES`, and where; readings and sections as in `label_union`.

    >>> locate_report("FINDINGS: Bilateral effusions. No pneumothorax.").entities
    {'pleural effusion': 1, 'pneumothorax': 0}
    """
    return _split(read_report(report, _sentence_codes))


@lru_cache(maxsize=1 << 14)
def _sentence_codes(sentence: str) -> Mapping[str, int]:
    """Codes by entity and by "entity @ place"."""
    codes = {name: code for name, code in label_union_sentence(sentence).items() if name in _WHERE}
    if not codes:
        return {}
    words = split_words(sentence)
    asked, clauses = find_mentions(words)
    asked = [mention for mention in asked if mention.name in codes]
    for name, places, code in _placed(words, asked, clauses):
        for place in places:
            key = f"{name}{_AT}{place}"
            # A place that is affirmed once in the sentence is so, as an entity is.
            codes[key] = code if key not in codes else max(codes[key], code, key=_strength)
    return codes


def _strength(code: int) -> int:
    return (NEGATIVE, -1, 1).index(code)


def _split(codes: Mapping[str, int]) -> ReportPlaces:
    entities = {name: code for name, code in codes.items() if _AT not in name}
    places: dict[tuple[str, str], int] = {}
    for key, code in codes.items():
        name, _, place = key.partition(_AT)
        # Where a later reading takes the finding back, its places go with it.
        if place and (code == NEGATIVE or entities[name] != NEGATIVE):
            places[name, place] = code
    return ReportPlaces({n: entities[n] for n in ENTITIES if n in entities}, places)


def _placed(
    words: Sequence[str], mentions: Sequence[Mention], clauses: Sequence[int]
) -> list[tuple[str, tuple[str, ...], int]]:
    """(entity, places, code) of each mention."""
    cuts = sorted(
        {0, len(words), *clauses, *(k for k, word in enumerate(words) if word in _SEPARATORS)}
    )
    matches = _LEXICON.find(words)
    placed = []
    loose: list[Part] = []
    anchor: list[Mention] = []
    parts: list[Part] = []
    before: list[Part] = []

    def close() -> None:
        nonlocal before, parts
        for mention in anchor:
            inherited = parts or (before if mention.code != NEGATIVE else [])
            placed.append((mention.name, _places(mention.name, _complete(inherited)), mention.code))
        before, parts = parts or before, []

    for start, end in pairwise(cuts):
        if start in clauses:
            close()
            anchor, loose, before = [], [], []
        own = [mention for mention in mentions if start <= mention.at < end]
        part = _part([match for match in matches if start <= match.start < end])
        if own:
            close()
            anchor, parts, loose = own, [*loose, *part], []
        elif anchor:
            parts += part
        else:
            loose += part
    close()
    return placed


def _part(matches: Sequence[Match]) -> list[Part]:
    """The places of one part of the sentence; empty where it names none."""
    sides: list[str] = []
    regions: list[str] = []
    plural = False
    for match in matches:
        name, _, side = match.value.partition("/")
        if match.kind == "side":
            sides += _BOTH if name == "both" else (name,)
            continue
        regions.append(name)
        if side == "both":
            plural = True
        elif side:
            sides.append(side)
    if not sides and not regions:
        return []
    return [Part(tuple(dict.fromkeys(sides)), tuple(dict.fromkeys(regions)), plural)]


def _complete(parts: Sequence[Part]) -> list[Part]:
    """Parts with the side or the regions that only a neighbour says: "right and left bases"."""
    completed = []
    for k, part in enumerate(parts):
        around = [*reversed(parts[:k]), *parts[k + 1 :]]
        ahead = [*parts[k + 1 :], *reversed(parts[:k])]
        sides = part.sides or next((other.sides for other in around if other.sides), ())
        sides = sides or (_BOTH if part.plural else ())
        regions = part.regions or next((other.regions for other in ahead if other.regions), ())
        completed.append(Part(sides, regions))
    return completed


def _places(name: str, parts: Sequence[Part]) -> tuple[str, ...]:
    """The places of an entity whose part of the sentence names these sides and regions."""
    where = _WHERE[name]
    default, mode = where["region"], where["sides"]
    if mode == "none":
        return (default,) if default else ()
    places: list[str] = []
    for sides, regions, _ in parts:
        possible = [region for region in regions if region in _AMONG[where["among"]]]
        # "Left basal pleural effusion": the base says more than the pleura, where all effusions are.
        exact = [region for region in possible if region not in (default, "lung", "pleura")]
        for region in exact or possible or [default]:
            places += [f"{side} {region}" for side in sides] if region in _SIDED else [region]
    if not places and mode == "both":
        places = [f"{side} {default}" for side in _BOTH]
    return tuple(dict.fromkeys(places))
