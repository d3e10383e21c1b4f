# SPDX-License-Identifier: Apache-2.0
"""Texts that stand for a class in zero-shot classification.

The bare template around the class name, or a prompt bank: "ensemble" of attribute combinations
(degree, kind, place) and "descriptions" in prose as in "A Reality Check of Vision-Language
Pre-training in Radiology" (arXiv:2504.05227), "gloria", "cxr_clip", "biovil". Each bank's file
says whose idea and wording it is; most words are this project's own, so numbers are not
comparable with those of released prompts.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from medst_jax.data.mixture.prompts import prompt
from medst_jax.text.prompts import BankName, prompt_bank

PromptMode = Literal["names", BankName]


def class_prompts(
    name: str, mode: PromptMode, own: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The prompts of a class.

    Args:
      name: the class, in any case.
      mode: "names", or a prompt bank; of those "ensemble" and "descriptions" put a class that they
        lack into the template by its name.
      own: prompts given in the suite; they take precedence.

    Raises:
      ValueError: another bank lacks the class.
    """
    if own and name in own:
        return own[name]
    if mode == "names":
        return (prompt(name.lower()),)
    bank = prompt_bank(mode)
    if bank.names_others and name.lower() not in bank.classes:
        return (prompt(name.lower()),)
    return bank.prompts(name)


def presence_prompts(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """A sentence that affirms each class, and one that denies it.

    >>> presence_prompts(["Pleural Effusion"])
    (['There is pleural effusion.'], ['No pleural effusion.'])
    """
    lower = [name.lower() for name in names]
    return [f"There is {name}." for name in lower], [f"No {name}." for name in lower]
