# SPDX-License-Identifier: Apache-2.0
"""Finds phrases in a list of words: a trie over words and word stems, longest match first.

A phrase is words separated by blanks; a word ending in `*` matches every word that begins so.
Compiled once; matching costs a dictionary look-up per word, which is what makes labelling fast.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

_CACHED_WORDS = 1 << 16


class Match(NamedTuple):
    """Words [start, end) say `value` of a `kind`."""

    start: int
    end: int
    kind: str
    value: str


class _Node(dict[str, "_Node"]):
    """Children by word or stem; `meaning` is set where a phrase ends."""

    meaning: tuple[str, str] | None = None


class Lexicon:
    """Phrases of several kinds.

    Args:
      phrases: kind -> value -> phrases.

    Raises:
      ValueError: one phrase has two meanings.
    """

    def __init__(self, phrases: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        self._root = _Node()
        words: set[str] = set()
        for kind, values in phrases.items():
            for value, variants in values.items():
                for phrase in variants:
                    words.update(phrase.split())
                    self._add(phrase, (kind, value))
        stems = tuple(sorted(word[:-1] for word in words if word.endswith("*")))
        exact = frozenset(words)

        @lru_cache(maxsize=_CACHED_WORDS)
        def keys(word: str) -> tuple[str, ...]:
            known = (word,) if word in exact else ()
            return (*known, *(stem + "*" for stem in stems if word.startswith(stem)))

        self._keys = keys

    def _add(self, phrase: str, meaning: tuple[str, str]) -> None:
        node = self._root
        for word in phrase.split():
            node = node.setdefault(word, _Node())
        if node.meaning not in (None, meaning):
            raise ValueError(f"phrase {phrase!r} means both {node.meaning} and {meaning}")
        node.meaning = meaning

    def find(self, words: Sequence[str]) -> list[Match]:
        """Returns the matches in order, none overlapping; at each word the longest wins."""
        keys = [self._keys(word) for word in words]
        found, position, count = [], 0, len(words)
        while position < count:
            best = None
            if keys[position]:
                best = self._longest(keys, position)
            if best is None:
                position += 1
            else:
                found.append(best)
                position = best.end
        return found

    def _longest(self, keys: Sequence[tuple[str, ...]], start: int) -> Match | None:
        best = None
        nodes = [self._root]
        for end in range(start, len(keys)):
            nodes = [node[key] for node in nodes for key in keys[end] if key in node]
            if not nodes:
                break
            for node in nodes:
                # Of equally long phrases the first stays: words themselves come before stems.
                if node.meaning is not None and (best is None or best.end <= end):
                    best = Match(start, end + 1, *node.meaning)
        return best
