# SPDX-License-Identifier: Apache-2.0
"""Classes of the public data sets in words: prompts, descriptions, and the labels that stand for them.

The words are this project's own, so numbers by them are not those of released prompts.
"""

from medst_jax.data.mixture.prompts import prompt
from medst_jax.text.prompts import prompt_bank

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")

# NIH-CXR-LT without Hernia: classes that pre-training with the 14 labels has seen, and others.
NIH_BASE = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Pneumonia"),
    *("No Finding", "Pneumothorax", "Consolidation", "Edema"),
)
NIH_NEW = (
    *("Infiltration", "Mass", "Nodule", "Emphysema", "Fibrosis", "Pleural_Thickening"),
    *("Pneumoperitoneum", "Pneumomediastinum", "Subcutaneous Emphysema"),
    *("Tortuous Aorta", "Calcification of the Aorta"),
)
VINDR_PCXR_BASE = ("No finding", "Pneumonia")
VINDR_PCXR_NEW = ("Bronchitis", "Brocho-pneumonia", "Bronchiolitis")

# Classes whose column is no word of a report, by the word.
_WRITTEN = {
    "Pleural_Thickening": "pleural thickening",
    "Brocho-pneumonia": "bronchopneumonia",
    "No finding": "no finding",
    "Nodule/Mass": "nodule or mass",
    "ILD": "interstitial lung disease",
    "Enlarged PA": "enlarged pulmonary artery",
    "COPD": "chronic obstructive pulmonary disease",
}
NAMES = {name: (prompt(word),) for name, word in _WRITTEN.items()}
# Lists of attributes of a class whose data set calls it otherwise than the bank.
ENSEMBLE = {**NAMES, "Effusion": prompt_bank("ensemble").prompts("pleural effusion")}
DESCRIPTIONS = {
    "Effusion": prompt_bank("descriptions").prompts("pleural effusion"),
    "Infiltration": (
        "ill defined opacity that spreads through the lung",
        "patchy increased density of the airspaces without clear borders",
    ),
    "Mass": (
        "a rounded opacity in the lung larger than three centimetres",
        "a large focal lesion of the lung",
    ),
    "Nodule": (
        "a small rounded opacity in the lung",
        "a well defined spot below three centimetres in the lung",
    ),
    "Emphysema": (
        "hyperinflated lungs with flattened diaphragms",
        "dark lungs with few vessels and an increased retrosternal space",
    ),
    "Fibrosis": (
        "coarse reticular lines with loss of lung volume",
        "scarring with distorted architecture of the lung",
    ),
    "Pleural_Thickening": (
        "a band of soft tissue along the inner chest wall",
        "thick pleura at the apex or along the side of the lung",
    ),
    "Pneumoperitoneum": (
        "free air under the diaphragm",
        "a dark crescent between the diaphragm and the liver",
    ),
    "Pneumomediastinum": (
        "streaks of air around the heart and the great vessels",
        "a thin dark line along the border of the mediastinum",
    ),
    "Subcutaneous Emphysema": (
        "streaky air in the soft tissue of the chest wall",
        "dark lines in the muscles of the chest and the neck",
    ),
    "Tortuous Aorta": (
        "a winding course of the thoracic aorta",
        "an unfolded and elongated aorta",
    ),
    "Calcification of the Aorta": (
        "a bright rim of calcium along the aortic knob",
        "calcified wall of the aorta",
    ),
    "Bronchitis": (
        "thick bronchial walls around the hila",
        "increased bronchial markings with clear lung between them",
    ),
    "Brocho-pneumonia": (
        "patchy opacities around the bronchi of several lobes",
        "scattered airspace opacities that follow the airways",
    ),
    "Bronchiolitis": (
        "hyperinflated lungs of an infant with streaky opacities",
        "air trapping with thick walls of the small airways",
    ),
}
# Labels of the checkpoint that stand for a class it has no prototype of.
PROTOTYPES = {
    "Normal": ("No Finding",),
    "Effusion": ("Pleural Effusion",),
    "COVID-19": ("Lung Opacity", "Consolidation"),
    "Viral Pneumonia": ("Pneumonia",),
}
