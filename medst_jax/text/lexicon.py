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

        @lru_cache(maxsize=_CACHED_WORDS)
        def openings(word: str) -> tuple[_Node, ...]:
            return tuple(self._root[key] for key in keys(word) if key in self._root)

        self._keys, self._openings = keys, openings

    def _add(self, phrase: str, meaning: tuple[str, str]) -> None:
        node = self._root
        for word in phrase.split():
            node = node.setdefault(word, _Node())
        if node.meaning not in (None, meaning):
            raise ValueError(f"phrase {phrase!r} means both {node.meaning} and {meaning}")
        node.meaning = meaning

    def find(self, words: Sequence[str]) -> list[Match]:
        """Returns the matches in order, none overlapping; at each word the longest wins."""
        matches = []
        position, count = 0, len(words)
        while position < count:
            nodes = self._openings(words[position])
            match = self._longest(words, position, nodes) if nodes else None
            if match is None:
                position += 1
            else:
                matches.append(match)
                position = match.end
        return matches

    def _longest(self, words: Sequence[str], start: int, nodes: Sequence[_Node]) -> Match | None:
        meaning, last = None, start
        end, count, keys = start, len(words), self._keys
        while nodes:
            end += 1
            for node in nodes:
                # Of equally long phrases the first stays: words themselves come before stems.
                if node.meaning is not None and last < end:
                    meaning, last = node.meaning, end
            following = keys(words[end]) if end < count else ()
            if not following:  # as after most words: nothing longer is known
                break
            nodes = [node[key] for node in nodes for key in following if key in node]
        return None if meaning is None else Match(start, last, *meaning)
