# SPDX-License-Identifier: Apache-2.0
"""Texts that stand for a class in zero-shot classification.

Three ways, as in "A Reality Check of Vision-Language Pre-training in Radiology"
(arXiv:2504.05227): the bare template around the class name; an ensemble of attribute
combinations (severity, kind, place) as GLoRIA and MedCLIP use; descriptions in prose. The
lists here are this project's own, so numbers are not comparable with published ensembles.
"""

import itertools
import random
from collections.abc import Mapping
from typing import Literal

from medst_jax.data.prompts import prompt

PromptMode = Literal["names", "ensemble", "descriptions"]

_COMBINATIONS = 100
_GRADES = ("", "mild", "moderate", "severe")
_SIDES = ("", "in the left lung", "in the right lung", "in both lungs")
_BASES = ("", "at the left lung base", "at the right lung base", "at both lung bases")

ATTRIBUTES: dict[str, tuple[tuple[str, ...], ...]] = {
    "atelectasis": (_GRADES, ("atelectasis", "linear atelectasis", "volume loss"), _BASES),
    "cardiomegaly": (_GRADES, ("cardiomegaly", "enlargement of the heart"), ("",)),
    "consolidation": (
        ("", "dense", "patchy", "new"),
        ("consolidation", "airspace consolidation"),
        _SIDES,
    ),
    "edema": (_GRADES, ("pulmonary edema", "interstitial edema", "vascular congestion"), ("",)),
    "pleural effusion": (
        ("", "small", "moderate", "large"),
        ("pleural effusion", "effusion"),
        ("", "on the left", "on the right", "on both sides"),
    ),
    "pneumonia": (("", "focal", "multifocal"), ("pneumonia", "infectious infiltrate"), _SIDES),
    "pneumothorax": (
        ("", "small", "moderate", "large"),
        ("pneumothorax", "apical pneumothorax"),
        ("", "on the left", "on the right"),
    ),
    "covid-19": (("patchy", "peripheral", "diffuse"), ("ground glass opacities",), _SIDES),
    "lung opacity": (("", "hazy", "patchy"), ("opacity", "opacities"), _SIDES),
    "lung lesion": (("", "small", "large"), ("nodule", "mass", "lung lesion"), _SIDES),
    "fracture": (("", "acute", "old"), ("rib fracture", "fracture"), ("", "left", "right")),
}

DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "atelectasis": (
        "plate-like opacity with loss of lung volume",
        "elevation of the diaphragm with crowded vessels at the base",
    ),
    "cardiomegaly": (
        "the heart is enlarged",
        "the cardiac silhouette is wider than half the chest",
    ),
    "consolidation": (
        "dense airspace opacity with air bronchograms",
        "homogeneous opacity that hides the vessels of a lobe",
    ),
    "edema": (
        "vascular congestion with interstitial opacities",
        "perihilar haze with septal lines in both lungs",
    ),
    "pleural effusion": (
        "blunting of the costophrenic angle",
        "fluid in the pleural space with a meniscus",
    ),
    "pneumonia": ("focal airspace opacity that suggests infection", "infiltrate in a lobe"),
    "pneumothorax": (
        "a visible pleural line without lung markings beyond it",
        "air in the pleural space",
    ),
    "covid-19": (
        "patchy ground glass opacities at the periphery of both lungs",
        "bilateral peripheral opacities of viral pneumonia",
    ),
    "no finding": ("the lungs are clear", "no acute cardiopulmonary abnormality"),
    "normal": ("the lungs are clear", "no acute cardiopulmonary abnormality"),
    "lung opacity": ("an area of increased density in the lung", "hazy opacity in the lung"),
    "lung lesion": ("a round nodule in the lung", "a focal mass in the lung"),
    "fracture": ("a break in the cortex of a rib", "displaced rib fracture"),
    "support devices": ("a tube or line is in place", "the tip of the catheter is in the chest"),
}


def class_prompts(
    name: str, mode: PromptMode, own: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The prompts of a class; a class without a dictionary uses its name in the template.

    Args:
      name: the class, in any case.
      mode: "names", "ensemble" (at most 100 combinations, drawn by `random.Random(0)`) or
        "descriptions".
      own: prompts given in the suite; they take precedence.
    """
    key = name.lower()
    if own and name in own:
        return own[name]
    if mode == "ensemble" and key in ATTRIBUTES:
        combinations = [
            " ".join(filter(None, words)) for words in itertools.product(*ATTRIBUTES[key])
        ]
        if len(combinations) > _COMBINATIONS:
            combinations = random.Random(0).sample(combinations, _COMBINATIONS)
        return tuple(combinations)
    if mode == "descriptions" and key in DESCRIPTIONS:
        return DESCRIPTIONS[key]
    return (prompt(key),)
