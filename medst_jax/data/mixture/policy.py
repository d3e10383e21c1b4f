# SPDX-License-Identifier: Apache-2.0
"""What a blank or an uncertain label counts as, per class: targets and which of them to trust."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from absl import logging

from medst_jax.data.mixture.labels import label_key
from medst_jax.data.records.schema import BLANK, NEGATIVE, POSITIVE, UNCERTAIN
from medst_jax.options import OptionError

Treatment = str | dict[str, str]
OTHERS = "*"  # the entry of a per-class treatment that holds for classes it does not name

# name -> (blank, uncertain)
PRESETS: dict[str, tuple[Treatment, Treatment]] = {
    "default": ("negative", "mask"),
    # Reality check (arXiv:2504.05227), released data: only a clear positive counts as present.
    "dlilp": ("negative", "negative"),
    # GLoRIA, also MGCA: CHEXPERT_UNCERTAIN_MAPPINGS of the released code.
    "chexpert_gloria": (
        "negative",
        {
            "Atelectasis": "positive",
            "Cardiomegaly": "negative",
            "Consolidation": "negative",
            "Edema": "positive",
            "Pleural Effusion": "positive",
            OTHERS: "mask",
        },
    ),
}
_BLANK_CHOICES = ("negative", "mask")
_UNCERTAIN_CHOICES = ("positive", "negative", "mask")


@dataclass(frozen=True)
class PolicyTable:
    """The policy of one data set as lookup tables over (class, code + 3), both [C, 5]."""

    target: np.ndarray
    trusted: np.ndarray

    @functools.cached_property
    def _zero(self) -> np.ndarray:
        """Place of each class' code 0 in the flattened tables."""
        return np.arange(len(self.target)) * 5 + 3

    def apply(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Label codes int8 [..., C] to labels float32 in {0, 1} and mask bool, both [..., C]."""
        places = self._zero + codes
        return self.target.take(places), self.trusted.take(places)


def policy_table(
    classes: Sequence[str],
    *,
    preset: str = "default",
    blank: Treatment | None = None,
    uncertain: Treatment | None = None,
    where: str = "config.data",
) -> PolicyTable:
    """The table of a policy for `classes`.

    Args:
      classes: the union vocabulary.
      preset: a name of `PRESETS`; `blank` and `uncertain` replace its parts where given.
      blank: "negative" or "mask", or a mapping from class to one of them ("*": all others).
      uncertain: "positive", "negative" or "mask", or such a mapping.
      where: dotted name of the options, for messages.

    Raises:
      OptionError: an unknown preset, treatment or class.
    """
    if preset not in PRESETS:
        raise OptionError(f"{where}.policy is {preset!r}; known presets: {', '.join(PRESETS)}")
    preset_blank, preset_uncertain = PRESETS[preset]
    blanks = _per_class(classes, blank, preset_blank, "negative", _BLANK_CHOICES, f"{where}.blank")
    uncertains = _per_class(
        classes, uncertain, preset_uncertain, "mask", _UNCERTAIN_CHOICES, f"{where}.uncertain"
    )
    target = np.zeros((len(classes), 5), np.float32)
    trusted = np.zeros((len(classes), 5), bool)
    target[:, POSITIVE + 3] = 1.0
    target[:, UNCERTAIN + 3] = [u == "positive" for u in uncertains]
    # The column of code -3 stays untrusted: nobody looked for the class.
    trusted[:, [POSITIVE + 3, NEGATIVE + 3]] = True
    trusted[:, BLANK + 3] = [b != "mask" for b in blanks]
    trusted[:, UNCERTAIN + 3] = [u != "mask" for u in uncertains]
    return PolicyTable(target, trusted)


def _per_class(
    classes: Sequence[str],
    given: Treatment | None,
    preset: Treatment,
    fallback: str,
    choices: Sequence[str],
    where: str,
) -> list[str]:
    treatment = preset if given is None else given
    if isinstance(treatment, str):
        treatment = {OTHERS: treatment}
    by_key = {label_key(name): choice for name, choice in treatment.items()}
    for choice in treatment.values():
        if choice not in choices:
            raise OptionError(f"{where} is {choice!r}; it must be one of {', '.join(choices)}")
    # A preset may name classes that this mixture lacks; a user who names one has misspelt it.
    unknown = set(by_key) - {OTHERS} - {label_key(name) for name in classes}
    if unknown and given is not None:
        raise OptionError(
            f"{where} names {min(unknown)!r}, which is not a class of the mixture; "
            f"its classes: {', '.join(classes)}"
        )
    return [by_key.get(label_key(name), by_key.get(OTHERS, fallback)) for name in classes]


def check_classes(
    classes: Sequence[str], positives: Iterable[int], negatives: Iterable[int]
) -> None:
    """Refuse classes that cannot be learned: `positives` and `negatives` count the mixture.

    A class without a positive is only reported: its prototype learns "always absent".

    Raises:
      OptionError: a class has no negative after the policy; names it, the counts and remedies.
    """
    counts: Mapping[str, tuple[int, int]] = {
        name: (int(p), int(n)) for name, p, n in zip(classes, positives, negatives, strict=True)
    }
    one_sided = {name: count for name, count in counts.items() if count[1] == 0}
    if one_sided:
        listed = ", ".join(
            f"{name!r} ({positive} positive, {negative} negative)"
            for name, (positive, negative) in one_sided.items()
        )
        raise OptionError(
            f"no negative example is left after the label policy for {listed}. Count blanks or "
            "uncertain labels as negative for the class (config.data.mixture.<data set>.blank or "
            ".uncertain), add a data set that has negatives, or leave the class out "
            f"(config.data.drop_labels=({', '.join(map(repr, one_sided))},))"
        )
    absent = [name for name, (positive, _) in counts.items() if positive == 0]
    if absent:
        logging.warning("classes without a positive example in the mixture: %s", ", ".join(absent))
