# SPDX-License-Identifier: Apache-2.0
"""Sentences that describe entities and places, for systems that ask an image about texts."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("lexicons") / "entity_descriptions.json"


def describe_entity(name: str) -> str:
    """What an entity is and looks like, in a sentence or two; of an unknown one its name.

    >>> describe_entity("cardiomegaly")
    'An enlarged heart, whose shadow is wider than half of the chest.'
    """
    return _descriptions().get(name.lower(), f"{name}.")


def describe_place(name: str) -> str:
    """A sentence that says where something lies.

    >>> describe_place("right lower zone")
    'It lies in the right lower zone.'
    """
    return f"It lies in the {name}."


@cache
def _descriptions() -> Mapping[str, str]:
    entities: Mapping[str, str] = json.loads(_FILE.read_text(encoding="utf-8"))["entities"]
    return entities
