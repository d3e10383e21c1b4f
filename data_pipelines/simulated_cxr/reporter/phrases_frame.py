# SPDX-License-Identifier: Apache-2.0
"""The words around the findings: indication, technique, comparison, habit and communication.

`___` stands where a de-identified report has lost a name, a date or a number.
"""

from collections.abc import Mapping

SUBJECTS = ("___ year old patient, ", "", "___-year-old, ", "patient with ___, ")
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
    "please evaluate for effusion",
    "assess for pneumothorax",
)
TECHNIQUES: Mapping[str, tuple[str, ...]] = {
    "AP": ("Portable AP view of the chest.", "Single AP radiograph.", "Semi-upright AP chest."),
    "PA": ("PA view of the chest.", "Frontal chest radiograph.", "Upright PA radiograph."),
    "both": ("PA and lateral views of the chest.", "Frontal and lateral chest radiographs."),
}
NO_COMPARISON = ("None", "No prior", "None available", "No comparison studies are available")
COMPARISON = ("Chest radiograph from ___", "Radiographs of the chest from ___", "Prior film of ___")
OTHER_COMPARISON = ("CT of the chest from ___", "Chest CT of ___", "MRI of the spine from ___")
OTHER_MODALITY = (
    "this was better evaluated on the chest CT of ___",
    "refer to the CT of ___ for further detail",
    "please see the separately dictated CT of the abdomen",
    "correlation with the echocardiogram of ___ is advised",
    "a chest CT could be obtained for further assessment",
)
COMMUNICATION = (
    "findings were discussed with Dr. ___ by Dr. ___ by telephone at 3:45 p.m. on ___",
    "these findings were communicated to Dr. ___ at ___",
    "results were conveyed to ___ at 10:12 a.m., 5 minutes after discovery",
    "the impression was entered into the results dashboard by Dr. ___ at 14:20",
)

# Habit: said of normal structures whatever the question. Each may be untrue with some findings.
BOILERPLATE: Mapping[str, frozenset[str]] = {
    "the trachea is midline": frozenset(),
    "the upper abdomen is unremarkable": frozenset({"Pneumoperitoneum", "Hiatal Hernia"}),
    "the patient is slightly rotated": frozenset(),
    "visualized soft tissues are unremarkable": frozenset({"Subcutaneous Emphysema"}),
    "the hila are unremarkable": frozenset({"Hilar Lymphadenopathy"}),
    "lung volumes are low": frozenset(),
    "bony structures are intact": frozenset({"Fracture", "Scoliosis", "Compression Fracture"}),
    "the visualized upper abdomen is within normal limits": frozenset(
        {"Pneumoperitoneum", "Hiatal Hernia"}
    ),
}
# True or not, they show nothing that the cohort draws.
INCIDENTAL = (
    "degenerative changes of the spine",
    "aortic calcifications",
    "surgical clips in the right upper quadrant",
)
