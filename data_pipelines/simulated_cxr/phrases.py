# SPDX-License-Identifier: Apache-2.0
"""The words of the reporter: for every finding its positive, uncertain, negated and compared forms.

Templates hold {side} ("right"), {sided} (also "right-sided"), {degree}, {adverb} and {place}; a
slot may come out empty, and double blanks are removed.
"""

from collections.abc import Mapping

SIZES = (("small", "tiny", "trace"), ("moderate", "moderate-sized"), ("large", "sizable"))
GRADES = (("mild", "slight", "minimal"), ("moderate",), ("severe", "marked"))
ADVERBS = (("mildly", "slightly", "minimally"), ("moderately",), ("severely", "markedly"))
BY_SIZE = frozenset({"Pleural Effusion", "Pneumothorax", "Lung Lesion"})
SIDES = {1: ("right",), 2: ("left",), 3: ("bilateral",)}
SIDED = {1: ("right", "right-sided"), 2: ("left", "left-sided"), 3: ("bilateral",)}
ZONES = {
    "upper": ("upper lobe", "upper lung zone", "upper lung"),
    "mid": ("mid lung", "mid lung zone", "perihilar region"),
    "lower": ("lower lobe", "lung base", "lower lung zone", "basal region"),
    "apical": ("apex",),
    "lateral": ("lateral chest wall",),
    "retrocardiac": ("retrocardiac region", "retrocardiac lung"),
    "retrosternal": ("retrosternal region", "anterior lung"),
    "posterior": ("posterior costophrenic sulcus",),
    "": ("",),
}

POSITIVE: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": (
        "the mediastinum is {adverb} widened",
        "there is {degree} widening of the mediastinal silhouette",
        "the upper mediastinal contour is enlarged",
        "cardiomediastinal silhouette is widened",
    ),
    "Cardiomegaly": (
        "the heart is {adverb} enlarged",
        "{degree} cardiomegaly",
        "there is {degree} cardiomegaly",
        "cardiac silhouette is {adverb} enlarged",
        "heart size is {adverb} increased",
        "{degree} enlargement of the cardiac silhouette",
    ),
    "Lung Lesion": (
        "there is a {degree} nodule in the {side} {place}",
        "a {degree} rounded mass projects over the {side} {place}",
        "{degree} {side} {place} nodular lesion",
        "well-defined {degree} nodular density in the {side} {place}",
    ),
    "Edema": (
        "there is {degree} pulmonary edema",
        "{degree} interstitial pulmonary edema",
        "{degree} pulmonary vascular congestion with edema",
        "perihilar haze compatible with {degree} edema",
        "findings of {degree} fluid overload",
        "{degree} pulmonary edema is present",
    ),
    "Consolidation": (
        "there is {degree} consolidation in the {side} {place}",
        "{degree} {side} {place} consolidation",
        "{degree} airspace consolidation involves the {side} {place}",
        "confluent {degree} airspace disease in the {side} {place}",
    ),
    "Pneumonia": (
        "{degree} {side} {place} consolidation consistent with pneumonia",
        "{side} {place} pneumonia, {degree} in extent",
        "there is {degree} consolidation in the {side} {place} representing pneumonia",
        "{degree} infectious airspace consolidation in the {side} {place}",
    ),
    "Atelectasis": (
        "{degree} {side} {place} atelectasis",
        "there is {degree} atelectasis in the {side} {place}",
        "{degree} linear atelectasis at the {side} {place} with volume loss",
        "{degree} plate-like opacities at the {side} {place} reflecting atelectasis",
        "{degree} volume loss and atelectasis of the {side} {place}",
    ),
    "Pneumothorax": (
        "there is a {degree} {sided} pneumothorax",
        "{degree} {side} apical pneumothorax",
        "a {degree} {sided} pneumothorax is seen",
        "visceral pleural line indicating a {degree} {sided} pneumothorax",
    ),
    "Pleural Effusion": (
        "there is a {degree} {sided} pleural effusion",
        "{degree} {sided} pleural effusion",
        "a {degree} {sided} effusion is present",
        "blunting of the {side} costophrenic angle with a {degree} effusion",
        "{degree} {sided} pleural fluid",
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
DEVICE: Mapping[str, tuple[str, ...]] = {
    "ett": (
        "endotracheal tube terminates ___ cm above the carina",
        "an endotracheal tube is in standard position",
        "ET tube in place",
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
    "Enlarged Cardiomediastinum": ("possible mild widening of the mediastinum",),
    "Cardiomegaly": ("heart size is borderline", "possible mild cardiomegaly"),
    "Lung Lesion": (
        "possible nodule in the {side} {place}",
        "questionable nodular density in the {side} {place}",
    ),
    "Edema": (
        "possible mild pulmonary edema",
        "mild vascular prominence may reflect early edema",
        "edema cannot be excluded",
    ),
    "Consolidation": (
        "possible consolidation in the {side} {place}",
        "vague density in the {side} {place}, consolidation cannot be excluded",
    ),
    "Pneumonia": (
        "{side} {place} consolidation, which may represent pneumonia",
        "{side} {place} density suspicious for pneumonia",
    ),
    "Atelectasis": (
        "{side} {place} density likely atelectasis",
        "probable {side} {place} atelectasis",
        "possible {side} {place} atelectasis",
    ),
    "Pneumothorax": (
        "possible tiny {sided} pneumothorax",
        "questionable {side} apical pneumothorax",
    ),
    "Pleural Effusion": (
        "possible trace {sided} pleural effusion",
        "a small {sided} effusion cannot be excluded",
        "slight {side} costophrenic blunting may reflect a trace effusion",
    ),
    "Pleural Other": ("probable {sided} pleural thickening",),
    "Fracture": ("possible {sided} rib fracture", "questionable {sided} rib fracture"),
}
NEGATIVE: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": (
        "the mediastinal contours are normal",
        "mediastinal silhouette is unremarkable",
    ),
    "Cardiomegaly": (
        "the heart is normal in size",
        "heart size is normal",
        "cardiac silhouette is within normal limits",
        "no cardiomegaly",
    ),
    "Lung Lesion": ("no suspicious nodule or mass", "no pulmonary nodule"),
    "Edema": ("no pulmonary edema", "no vascular congestion or edema", "no overt edema"),
    "Consolidation": ("no focal consolidation", "no airspace consolidation"),
    "Pneumonia": ("no evidence of pneumonia", "no findings of pneumonia"),
    "Atelectasis": ("no atelectasis", "lung volumes are preserved without atelectasis"),
    "Pneumothorax": ("no pneumothorax", "no pneumothorax is seen"),
    "Pleural Effusion": ("no pleural effusion", "no effusion", "costophrenic angles are sharp"),
    "Pleural Other": ("no pleural thickening",),
    "Fracture": ("no acute fracture", "no displaced rib fracture", "osseous structures are intact"),
    "Support Devices": ("no support devices",),
}
NOUNS: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": ("mediastinal widening",),
    "Cardiomegaly": ("cardiomegaly", "enlargement of the heart"),
    "Lung Lesion": ("{side} {place} nodule", "{side} lung mass"),
    "Edema": ("pulmonary edema", "edema"),
    "Consolidation": ("{side} {place} consolidation", "{side} airspace consolidation"),
    "Pneumonia": ("{side} {place} pneumonia", "{side} pneumonia"),
    "Atelectasis": ("{side} {place} atelectasis", "{side} atelectasis"),
    "Pneumothorax": ("{sided} pneumothorax",),
    "Pleural Effusion": ("{sided} pleural effusion", "{sided} effusion"),
    "Pleural Other": ("{sided} pleural thickening",),
    "Fracture": ("{sided} rib fracture",),
    "Support Devices": ("support devices", "lines and tubes"),
}
LISTED: Mapping[str, str] = {
    "Consolidation": "focal consolidation",
    "Pleural Effusion": "pleural effusion",
    "Pneumothorax": "pneumothorax",
    "Edema": "pulmonary edema",
    "Pneumonia": "pneumonia",
    "Lung Lesion": "suspicious nodule",
    "Atelectasis": "atelectasis",
}
CHANGES = {
    1: ("has increased", "is worse", "has progressed", "is larger than before", "has worsened"),
    0: ("is unchanged", "is stable", "persists without change", "is similar to prior"),
    -1: ("has decreased", "has improved", "is smaller than before", "is less conspicuous"),
}
RESOLVED = ("has resolved", "is no longer seen", "has cleared")
PRIORS = (
    "compared with the prior study of ___, ",
    "in comparison with ___, ",
    "since the previous radiograph, ",
    "as compared to the prior exam, ",
    "",
)
CLEAR = (
    "the lungs are clear",
    "lungs are clear bilaterally",
    "clear lungs",
    "both lungs are clear",
)
BOILERPLATE = (
    "the trachea is midline",
    "the upper abdomen is unremarkable",
    "the patient is slightly rotated",
    "visualized soft tissues are unremarkable",
    "the hila are unremarkable",
    "degenerative changes of the spine",
    "aortic calcifications",
)
NORMAL = (
    "no acute cardiopulmonary process",
    "no acute cardiopulmonary abnormality",
    "normal chest radiograph",
    "no acute intrathoracic process",
    "no radiographic evidence of acute disease",
)
REASONS = (
    "shortness of breath",
    "dyspnea",
    "cough and fever",
    "chest pain",
    "evaluate for interval change",
    "status post ___",
    "hypoxia",
    "line placement",
    "preoperative evaluation",
    "rule out pneumonia",
)
SUBJECTS = ("___ year old patient, ", "", "___-year-old, ", "patient with ___, ")
TECHNIQUES = {
    "AP": ("Portable AP view of the chest.", "Single AP radiograph.", "Semi-upright AP chest."),
    "PA": ("PA view of the chest.", "Frontal chest radiograph.", "Upright PA radiograph."),
    "both": ("PA and lateral views of the chest.", "Frontal and lateral chest radiographs."),
}
