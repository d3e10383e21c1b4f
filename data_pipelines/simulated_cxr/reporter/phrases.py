# SPDX-License-Identifier: Apache-2.0
"""The words by which the reporter says that a finding is there, or may be there.

Templates hold {side} ("right"), {sided} (also "right-sided"), {degree}, {adverb} and {place}; a
slot may come out empty, and double blanks are removed. A site prefers some variants to others
(`styles`), so every variant is used somewhere. To add a finding, give it a row in each table
here and in `phrases_absent` and `phrases_change`.
"""

from collections.abc import Mapping

SIZES = (
    ("small", "tiny", "trace"),
    ("moderate", "moderate-sized", "moderately sized"),
    ("large", "sizable", "extensive"),
)
GRADES = (
    ("mild", "slight", "minimal"),
    ("moderate", "mild to moderate"),
    ("severe", "marked", "extensive"),
)
ADVERBS = (
    ("mildly", "slightly", "minimally"),
    ("moderately",),
    ("severely", "markedly", "massively"),
)
BY_SIZE = frozenset({"Pleural Effusion", "Pneumothorax", "Lung Lesion"})
SIDES = {1: ("right",), 2: ("left",), 3: ("bilateral",)}
SIDED = {1: ("right", "right-sided"), 2: ("left", "left-sided"), 3: ("bilateral",)}
ZONES = {
    "upper": ("upper lobe", "upper lung zone", "upper lung"),
    "mid": ("mid lung", "mid lung zone", "perihilar region"),
    "lower": ("lower lobe", "lung base", "lower lung zone", "basal region"),
    "apical": ("apex",),
    "lateral": ("lateral chest wall",),
    "sulcus": ("costophrenic sulcus", "costophrenic recess"),
    "loculated": ("lateral pleural space",),
    "basal": ("lung base",),
    "retrocardiac": ("retrocardiac region", "retrocardiac lung"),
    "retrosternal": ("retrosternal region", "anterior lung"),
    "posterior": ("posterior costophrenic sulcus",),
    "": ("",),
}
# The same as an adjective, of a pneumothorax.
ZONAL = {"apical": ("apical",), "basal": ("basilar", "subpulmonic"), "": ("",)}

# What is said of a finding without its place and side, by topic.
UNPLACED: Mapping[str, tuple[str, ...]] = {
    "Lung Lesion": (
        "there is a {degree} nodule",
        "a {degree} rounded mass is seen",
        "{degree} nodular lesion",
        "a {degree} nodular opacity is noted",
    ),
    "Consolidation": (
        "there is {degree} consolidation",
        "{degree} airspace consolidation is seen",
        "confluent {degree} airspace opacity consistent with consolidation",
    ),
    "Pneumonia": (
        "{degree} consolidation consistent with pneumonia",
        "findings of pneumonia with {degree} consolidation",
    ),
    "Atelectasis": ("{degree} atelectasis is seen", "there is {degree} atelectasis"),
    "Pneumothorax": ("there is a {degree} pneumothorax", "a {degree} pneumothorax is seen"),
    "Pleural Effusion": (
        "there is a {degree} pleural effusion",
        "{degree} pleural fluid is noted",
        "a {degree} effusion is present",
    ),
}

POSITIVE: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": (
        "the mediastinum is {adverb} widened",
        "there is {degree} widening of the mediastinal silhouette",
        "the upper mediastinal contour is enlarged",
        "cardiomediastinal silhouette is {adverb} widened",
        "{degree} mediastinal widening is noted",
    ),
    "Cardiomegaly": (
        "the heart is {adverb} enlarged",
        "{degree} cardiomegaly",
        "there is {degree} cardiomegaly",
        "cardiac silhouette is {adverb} enlarged",
        "heart size is {adverb} increased",
        "{degree} enlargement of the cardiac silhouette",
        "{degree} cardiac enlargement is seen",
    ),
    "Lung Lesion": (
        "there is a {degree} nodule in the {side} {place}",
        "a {degree} rounded mass projects over the {side} {place}",
        "{degree} {side} {place} nodular lesion",
        "well-defined {degree} nodular density in the {side} {place}",
        "a {degree} nodular opacity is seen in the {side} {place}",
    ),
    "Edema": (
        "there is {degree} pulmonary edema",
        "{degree} pulmonary edema is present",
        "findings of {degree} fluid overload",
        "perihilar haze compatible with {degree} edema",
    ),
    "Consolidation": (
        "there is {degree} consolidation in the {side} {place}",
        "{degree} {side} {place} consolidation",
        "{degree} airspace consolidation involves the {side} {place}",
        "confluent {degree} airspace opacity in the {side} {place} consistent with consolidation",
        "{side} {place} opacity with air bronchograms, in keeping with {degree} consolidation",
    ),
    "Pneumonia": (
        "{degree} {side} {place} consolidation consistent with pneumonia",
        "{side} {place} pneumonia with {degree} consolidation",
        "there is {degree} consolidation in the {side} {place} representing pneumonia",
        "{degree} {side} {place} airspace consolidation due to infection",
        "focal {side} {place} opacity and consolidation, in keeping with {degree} pneumonia",
    ),
    "Atelectasis": (
        "{degree} {side} {place} atelectasis",
        "there is {degree} atelectasis in the {side} {place}",
        "{degree} linear atelectasis at the {side} {place} with volume loss",
        "{degree} plate-like opacities at the {side} {place} reflecting atelectasis",
        "{degree} volume loss and atelectasis of the {side} {place}",
        "streaky {side} {place} opacities consistent with {degree} atelectasis",
    ),
    "Pneumothorax": (
        "there is a {degree} {sided} pneumothorax",
        "{degree} {side} {zonal} pneumothorax",
        "a {degree} {sided} pneumothorax is seen",
        "visceral pleural line indicating a {degree} {sided} pneumothorax",
    ),
    "Pleural Effusion": (
        "there is a {degree} {sided} pleural effusion",
        "{degree} {sided} pleural effusion",
        "a {degree} {sided} effusion is present",
        "blunting of the {side} costophrenic angle with a {degree} effusion",
        "{degree} {sided} pleural fluid",
        "layering {degree} {sided} pleural effusion",
    ),
    "Pleural Other": (
        "{degree} {sided} pleural thickening",
        "there is {degree} pleural thickening at the {side} {place}",
        "{degree} {sided} pleural scarring",
    ),
    "Fracture": (
        "there is a displaced {sided} rib fracture",
        "{sided} rib fracture with displacement",
        "fracture of a {side} rib",
        "displaced fracture of a {side} {place} rib",
    ),
}

# By grade: vascular congestion, interstitial edema, alveolar edema.
EDEMA: tuple[tuple[str, ...], ...] = (
    (
        "pulmonary vascular congestion with {degree} edema",
        "there is {degree} pulmonary edema with pulmonary vascular engorgement",
        "pulmonary vascular congestion and {degree} pulmonary edema",
        "findings of {degree} fluid overload with cephalization",
    ),
    (
        "there is {degree} interstitial pulmonary edema",
        "{degree} interstitial edema",
        "Kerley B lines and {degree} pulmonary edema",
        "interstitial thickening compatible with {degree} pulmonary edema",
    ),
    (
        "there is severe pulmonary edema",
        "severe pulmonary edema with alveolar opacities",
        "perihilar infiltrates consistent with severe pulmonary edema",
        "diffuse alveolar opacities reflecting marked edema",
    ),
)

DEVICE: Mapping[str, tuple[str, ...]] = {
    "ett": (
        "endotracheal tube terminates ___ cm above the carina",
        "an endotracheal tube is in standard position",
        "ET tube in place, tip 4.5 cm above the carina",
    ),
    "enteric": (
        "enteric tube courses below the diaphragm",
        "nasogastric tube in the stomach",
        "a feeding tube is in place",
    ),
    "line": (
        "central venous catheter tip projects over the SVC",
        "central line ends in the mid SVC",
        "PICC terminates in the SVC",
    ),
    "pacemaker": (
        "left pectoral pacemaker with leads in standard position",
        "a dual-lead pacemaker is in place",
        "left-sided cardiac device with intact leads",
    ),
    "wires": ("median sternotomy wires are intact", "sternotomy wires are noted"),
}

UNCERTAIN: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": (
        "possible mild widening of the mediastinum",
        "questionable mediastinal widening, which may be positional",
    ),
    "Cardiomegaly": (
        "heart size is borderline",
        "possible mild cardiomegaly",
        "borderline enlarged cardiac silhouette",
    ),
    "Lung Lesion": (
        "possible nodule in the {side} {place}",
        "questionable nodular density in the {side} {place}",
        "a small nodule in the {side} {place} cannot be excluded",
    ),
    "Edema": (
        "possible mild pulmonary edema",
        "mild vascular prominence may reflect early edema",
        "mild edema cannot be excluded",
        "mild pulmonary vascular congestion, possibly early edema",
    ),
    "Consolidation": (
        "possible consolidation in the {side} {place}",
        "vague density in the {side} {place}, consolidation cannot be excluded",
        "faint {side} {place} opacity may represent consolidation",
    ),
    "Pneumonia": (
        "{side} {place} opacity, which may represent pneumonia",
        "{side} {place} density suspicious for pneumonia",
        "faint {side} {place} opacity, pneumonia cannot be excluded",
        "{side} {place} opacity, atelectasis versus pneumonia",
    ),
    "Atelectasis": (
        "{side} {place} density, likely atelectasis",
        "probable {side} {place} atelectasis",
        "possible {side} {place} atelectasis",
        "{side} {place} opacity, which may reflect atelectasis",
    ),
    "Pneumothorax": (
        "possible tiny {sided} pneumothorax",
        "questionable {side} {zonal} pneumothorax",
        "a tiny {side} {zonal} pneumothorax cannot be excluded",
    ),
    "Pleural Effusion": (
        "possible trace {sided} pleural effusion",
        "a small {sided} effusion cannot be excluded",
        "slight {side} costophrenic blunting may reflect a trace effusion",
    ),
    "Pleural Other": (
        "probable {sided} pleural thickening",
        "possible {side} pleural scarring",
    ),
    "Fracture": (
        "possible {sided} rib fracture",
        "questionable {sided} rib fracture",
    ),
}
