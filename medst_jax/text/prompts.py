# SPDX-License-Identifier: Apache-2.0
"""Prompt banks: texts that stand for a class, one JSON file each in `prompt_banks`.

A file holds `source` (whose idea, and whose wording), `others` ("name": a class it lacks goes by its
name in a template; "error": it is refused), `classes`, and possibly `limit`. A class has lists of
sentences (`positive`, `negative`, `uncertain`) or `attributes`: lists of words, such as degree,
kind and place, of which one each make a positive prompt.
"""

import itertools
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).with_name("prompt_banks")
BankName = Literal["ensemble", "descriptions", "gloria", "cxr_clip", "biovil"]
Polarity = Literal["positive", "negative", "uncertain"]

_POLARITIES = ("positive", "negative", "uncertain")
_OTHERS = ("name", "error")


@dataclass(frozen=True)
class PromptBank:
    """Prompts of classes.

    Attributes:
      name: of the file.
      source: whose idea the lists are, and whose wording.
      names_others: whether a class outside the bank goes by its name.
      classes: lower-case class -> polarity -> prompts.
    """

    name: str
    source: str
    names_others: bool
    classes: Mapping[str, Mapping[str, tuple[str, ...]]]

    def prompts(self, name: str, polarity: Polarity = "positive") -> tuple[str, ...]:
        """The prompts of a class, in any case.

        Raises:
          ValueError: the bank lacks the class, or prompts of that polarity for it.

        >>> prompt_bank("biovil").prompts("Pneumonia", "negative")[0]
        'There is no pneumonia'
        """
        key = name.lower()
        if key not in self.classes:
            raise ValueError(
                f"prompt bank {self.name!r} has no class {name!r}; it has: "
                f"{', '.join(sorted(self.classes))}"
            )
        if polarity not in self.classes[key]:
            raise ValueError(
                f"prompt bank {self.name!r} has no {polarity} prompts for {name!r}; it has: "
                f"{', '.join(self.classes[key])}"
            )
        return self.classes[key][polarity]


@cache
def prompt_bank(name: BankName) -> PromptBank:
    """The bank of a file in `prompt_banks`.

    Raises:
      ValueError: there is no such bank, or its file is not as described above.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json")))
        raise ValueError(f"there is no prompt bank {name!r}; there are: {known}")
    return parse_bank(name, json.loads(path.read_text(encoding="utf-8")))


def parse_bank(name: str, content: Mapping[str, Any]) -> PromptBank:
    """A bank from the content of its file.

    Raises:
      ValueError: a key, a class or a list is not as described above.
    """
    where = f"prompt bank {name!r}"
    wrong = (content.keys() - {"limit"}) ^ {"source", "others", "classes"}
    if wrong:
        raise ValueError(f"{where} lacks or should not have: {', '.join(sorted(wrong))}")
    if content["others"] not in _OTHERS or not content["source"] or not content["classes"]:
        raise ValueError(f"{where} needs a source, classes, and others as one of {_OTHERS}")
    limit = content.get("limit", 0)
    classes = {
        key: _class_prompts(f"{where}, class {key!r}", entry, limit)
        for key, entry in content["classes"].items()
    }
    if any(key != key.lower() for key in classes):
        raise ValueError(f"{where}: names of classes are lower case")
    return PromptBank(name, content["source"], content["others"] == "name", classes)


def _class_prompts(
    where: str, entry: Mapping[str, Sequence[Any]], limit: int
) -> dict[str, tuple[str, ...]]:
    if entry.keys() == {"attributes"}:
        lists = {"positive": _combinations(entry["attributes"], limit)}
    elif "positive" in entry and entry.keys() <= set(_POLARITIES):
        lists = {polarity: tuple(texts) for polarity, texts in entry.items()}
    else:
        raise ValueError(f"{where} has {', '.join(entry)}; it needs attributes alone, or positive")
    for polarity, texts in lists.items():
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f"{where}: {polarity} prompts are texts, one at least")
        if len(set(texts)) < len(texts):
            raise ValueError(f"{where}: a {polarity} prompt occurs twice")
    return lists


def _combinations(attributes: Iterable[Sequence[str]], limit: int) -> tuple[str, ...]:
    """One word of each list, blank ones left out; at most `limit`, drawn, where it is not 0."""
    phrases = [" ".join(filter(None, words)) for words in itertools.product(*attributes)]
    if limit and len(phrases) > limit:
        phrases = random.Random(0).sample(phrases, limit)
    return tuple(phrases)
