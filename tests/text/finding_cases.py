# SPDX-License-Identifier: Apache-2.0
"""Written cases of mention, negation, doubt and reach: sentence -> what it says."""

NO = "No Finding"

# The four worked examples of the CheXpert labeler (MIT), with its labels.
WORKED = [
    (
        "Heart size normal and lungs are clear. No edema or pneumonia. No effusion",
        {NO: 1, "Cardiomegaly": 0, "Edema": 0, "Pneumonia": 0, "Pleural Effusion": 0},
    ),
    (
        (
            "1. Left pleural effusion with adjacent atelectasis. Right effusion is also present."
            "\n\n2. Cardiomegaly without overt edema."
        ),
        {"Cardiomegaly": 1, "Edema": 0, "Atelectasis": 1, "Pleural Effusion": 1},
    ),
    (
        (
            "Minimal patchy airspace disease within the lingula, may reflect atelectasis or "
            "consolidation."
        ),
        {"Lung Opacity": 1, "Consolidation": -1, "Atelectasis": -1},
    ),
    ("1. Stable mild cardiomegaly. 2. Hyperexpanded but clear lungs.", {"Cardiomegaly": 1}),
]

NEGATION = [
    (
        "No focal consolidation, pleural effusion, or pneumothorax is seen.",
        {NO: 1, "Consolidation": 0, "Pneumothorax": 0, "Pleural Effusion": 0},
    ),
    (
        "No pneumothorax, focal consolidation, large effusion or edema.",
        {NO: 1, "Edema": 0, "Consolidation": 0, "Pneumothorax": 0, "Pleural Effusion": 0},
    ),
    ("No acute, displaced rib fractures are seen.", {NO: 1, "Fracture": 0}),
    ("No pneumothorax, small left effusion.", {"Pneumothorax": 0, "Pleural Effusion": 1}),
    ("No pneumothorax with persistent effusion.", {"Pneumothorax": 0, "Pleural Effusion": 1}),
    ("No edema but moderate effusion.", {"Edema": 0, "Pleural Effusion": 1}),
    (
        "There is no pneumothorax and the heart is enlarged.",
        {"Cardiomegaly": 1, "Pneumothorax": 0},
    ),
    (
        "Bilateral effusions are unchanged and there is no pneumothorax.",
        {"Pneumothorax": 0, "Pleural Effusion": 1},
    ),
    ("Neither effusion nor edema is present.", {NO: 1, "Edema": 0, "Pleural Effusion": 0}),
    ("Negative for pneumonia; effusion persists.", {"Pneumonia": 0, "Pleural Effusion": 1}),
    ("Pneumothorax has resolved.", {NO: 1, "Pneumothorax": 0}),
    ("Resolved right effusion.", {NO: 1, "Pleural Effusion": 0}),
    ("The effusion is no longer seen.", {NO: 1, "Pleural Effusion": 0}),
    ("Previously seen pneumothorax is not seen.", {NO: 1, "Pneumothorax": 0}),
    ("Interval removal of the endotracheal tube.", {NO: 1, "Support Devices": 0}),
    ("The chest tube has been removed.", {NO: 1, "Support Devices": 0}),
    (
        "The lungs are clear of consolidation/atelectasis.",
        {NO: 1, "Consolidation": 0, "Atelectasis": 0},
    ),
    ("No definite fracture.", {NO: 1, "Fracture": 0}),
    (
        "No consolidation to suggest pneumonia.",
        {NO: 1, "Consolidation": 0, "Pneumonia": 0},
    ),
    ("Cardiomegaly without edema.", {"Cardiomegaly": 1, "Edema": 0}),
]

NO_NEGATION = [
    ("No significant change in small left effusion.", {"Pleural Effusion": 1}),
    ("No interval change in edema or effusions.", {"Edema": 1, "Pleural Effusion": 1}),
    ("Effusion has not resolved.", {"Pleural Effusion": 1}),
    ("Nearly resolved pneumothorax.", {"Pneumothorax": 1}),
    ("Effusion has decreased.", {"Pleural Effusion": 1}),
    ("Not only edema, also effusion.", {"Edema": 1, "Pleural Effusion": 1}),
    ("Effusion, not present on the prior radiograph.", {"Pleural Effusion": 1}),
    ("No prior study. Right effusion.", {"Pleural Effusion": 1}),
]

DOUBT = [
    ("Possible nodule in the right upper lobe.", {"Lung Lesion": -1}),
    ("Pneumonia cannot be excluded.", {"Pneumonia": -1}),
    ("Pneumonia cannot be entirely excluded.", {"Pneumonia": -1}),
    ("Cannot rule out pneumothorax.", {"Pneumothorax": -1}),
    ("Consolidation concerning for pneumonia.", {"Consolidation": 1, "Pneumonia": -1}),
    ("Atelectasis versus pneumonia.", {"Pneumonia": -1, "Atelectasis": -1}),
    ("Atelectasis or pneumonia at the base.", {"Pneumonia": -1, "Atelectasis": -1}),
    (
        "Opacity, likely atelectasis, although pneumonia is possible.",
        {"Lung Opacity": 1, "Pneumonia": -1, "Atelectasis": -1},
    ),
    ("Effusions are suspected.", {"Pleural Effusion": -1}),
    ("Suspected left effusion.", {"Pleural Effusion": -1}),
    ("Questionable rib fracture.", {"Fracture": -1}),
    ("No new consolidation.", {"Consolidation": -1}),
    ("Vascular congestion.", {"Edema": -1}),
    ("No vascular congestion.", {NO: 1, "Edema": 0}),
    (
        "Findings may represent edema, but effusion is present.",
        {"Edema": -1, "Pleural Effusion": 1},
    ),
    ("Nondisplaced fractures may not be demonstrated.", {"Fracture": -1}),
]

ORGANS = [
    ("The heart is mildly enlarged.", {"Cardiomegaly": 1}),
    ("The heart is not enlarged.", {NO: 1, "Cardiomegaly": 0}),
    ("Mildly enlarged cardiac silhouette.", {"Cardiomegaly": 1}),
    ("Heart size is borderline.", {"Cardiomegaly": -1}),
    ("Heart size at the upper limits of normal.", {NO: 1, "Cardiomegaly": 0}),
    (
        "Normal heart size, enlarged mediastinum.",
        {"Enlarged Cardiomediastinum": 1, "Cardiomegaly": 0},
    ),
    (
        "Heart and mediastinum are normal.",
        {NO: 1, "Enlarged Cardiomediastinum": 0, "Cardiomegaly": 0},
    ),
    ("The heart is obscured by the effusion.", {"Pleural Effusion": 1}),
    ("Stable cardiac silhouette.", {"Cardiomegaly": -1}),
    ("Heart failure is worse.", {"Cardiomegaly": -1, "Edema": 1}),
]

SHADOWED = [
    ("Calcified nodule in the left lung.", {}),
    ("Pericardial effusion.", {}),
    ("Massive effusion.", {"Pleural Effusion": 1}),
    ("Visible pleural line.", {}),
    ("Subcutaneous emphysema.", {}),
    ("Pulmonary fibrosis.", {}),
    ("Hiatal hernia.", {}),
    (
        "Endotracheal tube in place. No effusion.",
        {NO: 1, "Pleural Effusion": 0, "Support Devices": 1},
    ),
]

REPORTS = [
    ("", {}),
    ("INDICATION: Pneumonia.\nFINDINGS: No effusion.", {NO: 1, "Pleural Effusion": 0}),
    ("Possible effusion. Left effusion.", {"Pleural Effusion": 1}),
    ("No effusion. Possible effusion.", {"Pleural Effusion": -1}),
    ("No left effusion. Right effusion.", {"Pleural Effusion": 1}),
    ("COMPARISON: CT with nodule.\nIMPRESSION: Edema.", {"Edema": 1}),
]

CASES = [*WORKED, *NEGATION, *NO_NEGATION, *DOUBT, *ORGANS, *SHADOWED, *REPORTS]
