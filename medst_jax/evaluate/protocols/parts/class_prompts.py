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

import numpy as np

from medst_jax.data.mixture.prompts import prompt
from medst_jax.evaluate.protocols.parts.class_keys import of_class
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.text.prompts import BankName, prompt_bank

PromptMode = Literal["names", BankName]
PromptMean = Literal["unit_vectors", "raw_vectors"]


def class_prompts(
    name: str, mode: PromptMode, own: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The prompts of a class.

    Args:
      name: the class, in any case.
      mode: "names", or a prompt bank; of those "ensemble" and "descriptions" put a class that they
        lack into the template by its name.
      own: prompts given in the suite, by class in any case; they take precedence.

    Raises:
      ValueError: another bank lacks the class.
    """
    if given := of_class(own or {}, name, ()):
        return given
    if mode == "names":
        return (prompt(name.lower()),)
    bank = prompt_bank(mode)
    if bank.names_others and name.lower() not in bank.classes:
        return (prompt(name.lower()),)
    return bank.prompts(name)


AFFIRM, DENY = "There is {}.", "No {}."


def presence_prompts(
    names: Sequence[str], affirm: str = AFFIRM, deny: str = DENY
) -> tuple[list[str], list[str]]:
    """A text that affirms each class, and one that denies it.

    >>> presence_prompts(["Pleural Effusion"])
    (['There is pleural effusion.'], ['No pleural effusion.'])
    >>> presence_prompts(["Edema"], "{}", "no {}")
    (['edema'], ['no edema'])
    """
    lower = [name.lower() for name in names]
    return [affirm.format(name) for name in lower], [deny.format(name) for name in lower]


def class_vector(prompts: Embeddings, mean: PromptMean) -> np.ndarray:
    """Unit-norm vector [E] of a class from its embedded prompts.

    Args:
      prompts: of one class.
      mean: "unit_vectors" averages them after their unit norm (CLIP, CheXzero), "raw_vectors" before
        it, so that longer vectors weigh more (BioViL, MGCA, Med-ST). Both means get unit norm.

    Raises:
      NotApplicable: of raw vectors, and the system does not say how long they are.
    """
    vectors = prompts.global_
    if mean == "raw_vectors":
        if prompts.lengths is None:
            raise NotApplicable(
                "this system does not say how long its text vectors are before their unit norm; "
                "use prompt_mean='unit_vectors'"
            )
        vectors = vectors * prompts.lengths[:, None]
    averaged = vectors.mean(0)
    return averaged / max(float(np.linalg.norm(averaged)), 1e-12)
