# SPDX-License-Identifier: Apache-2.0
"""The words for the findings outside the 14 labels."""

from collections.abc import Iterable, Mapping

EXTRA_POSITIVE: Mapping[str, tuple[str, ...]] = {
    "Hiatal Hernia": (
        "there is a {degree} hiatal hernia",
        "retrocardiac air-fluid level consistent with a {degree} hiatal hernia",
        "{degree} hiatal hernia is noted",
    ),
    "Emphysema": (
        "hyperinflated lungs consistent with {degree} emphysema",
        "there is {degree} emphysema",
        "{degree} emphysematous changes with flattened diaphragms",
    ),
    "Calcified Granuloma": (
        "calcified granuloma in the {side} {place}",
        "there is a calcified granuloma in the {side} {place}",
        "dense {side} {place} granuloma, benign",
    ),
    "Scoliosis": (
        "there is {degree} scoliosis of the thoracic spine",
        "{degree} thoracic scoliosis",
        "{degree} scoliosis is noted",
    ),
    "Tortuous Aorta": (
        "the aorta is {adverb} tortuous",
        "tortuous aorta",
        "{degree} tortuosity of the thoracic aorta",
    ),
    "Pneumoperitoneum": (
        "free air under the {side} hemidiaphragm consistent with pneumoperitoneum",
        "there is {degree} pneumoperitoneum",
        "pneumoperitoneum with free air beneath the diaphragm",
    ),
    "Subcutaneous Emphysema": (
        "there is {degree} subcutaneous emphysema of the {side} chest wall",
        "{degree} {side} subcutaneous emphysema",
        "air in the {side} soft tissues, {degree} subcutaneous emphysema",
    ),
    "Elevated Hemidiaphragm": (
        "{degree} elevation of the {side} hemidiaphragm",
        "the {side} hemidiaphragm is {adverb} elevated",
        "elevated {side} hemidiaphragm",
    ),
    "Hilar Lymphadenopathy": (
        "{degree} {side} hilar lymphadenopathy",
        "there is {degree} {side} hilar adenopathy",
        "{degree} lobulated {side} hilar lymphadenopathy",
    ),
    "Fibrosis": (
        "there is {degree} pulmonary fibrosis",
        "basal architectural distortion consistent with {degree} fibrosis",
        "{degree} fibrotic changes of the lungs",
    ),
    "Cavity": (
        "thin-walled cavity in the {side} {place}",
        "there is a {degree} cavity in the {side} {place}",
        "{degree} {side} {place} cavitation",
    ),
    "Compression Fracture": (
        "{degree} compression fracture of a thoracic vertebra",
        "there is a {degree} thoracic compression fracture",
        "{degree} vertebral compression deformity",
    ),
}

# A word that every wording of a finding has, and no wording of another.
WORDS: Mapping[str, str] = {
    "Hiatal Hernia": "hiatal hernia",
    "Emphysema": "emphysema",
    "Calcified Granuloma": "granuloma",
    "Scoliosis": "scoliosis",
    "Tortuous Aorta": "tortuo",
    "Pneumoperitoneum": "pneumoperitoneum",
    "Subcutaneous Emphysema": "soft-tissue air",
    "Elevated Hemidiaphragm": "elevat",
    "Hilar Lymphadenopathy": "adenopathy",
    "Fibrosis": "fibro",
    "Cavity": "cavit",
    "Compression Fracture": "compression",
}


def named(sections: Iterable[tuple[str, str]]) -> set[str]:
    """The findings outside the labels that a report names."""
    text = " ".join(text for _, text in sections).lower()
    text = text.replace("subcutaneous emphysema", "soft-tissue air")
    return {name for name, word in WORDS.items() if word in text}
