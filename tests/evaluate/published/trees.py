# SPDX-License-Identifier: Apache-2.0
"""Small trees in the official layouts of the data sets of suites, prepared as a user prepares them.

Labels go round, so that every class, grade and progression occurs in every split that a suite reads.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.data_pipelines.official import dicoms, jpegs, prepare, write

CHEXPERT = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,"
    "Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
PROGRESSIONS = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
RELATIONS = ("entailment", "neutral", "contradiction")
WORDS = (
    "small",
    "large",
    "left",
    "right",
    "stable",
    "new",
    "old",
    "mild",
    "severe",
    "basal",
    "apical",
)


def _dicom(k: int) -> str:
    return f"{k:08x}-bde0afdd-112c0b34-7bc16630-4e384014"


def _film(patient: int, study: int, dicom: str) -> str:
    subject = f"{10_000_000 + patient}"
    return f"files/p{subject[:2]}/p{subject}/s{50_000_000 + study}/{dicom}"


def _table(header: str, rows: list[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def _codes(k: int, seed: int = 0) -> np.ndarray:
    """Ones and zeros of the 14 labels, of both kinds for every label over any few k."""
    return np.random.default_rng([seed, k]).integers(0, 2, 14)


def ms_cxr(folder: Path) -> None:
    """16 images in three splits, eight findings, two phrases of four images."""
    findings = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Lung Opacity")
    findings += ("Pleural Effusion", "Pneumonia", "Pneumothorax")
    header = "category_name,label_text,path,x,y,w,h,image_width,image_height,dicom_id,split"
    films = [_film(k, k, _dicom(k)) for k in range(16)]
    rows = []
    for k, film in enumerate(films):
        split = ("train", "val", "test")[k % 3]
        for finding in (findings[k % 8], findings[(k + 3) % 8])[: 2 if k < 4 else 1]:
            text = f"{WORDS[k % 11]} {finding.lower()} on the {WORDS[2 + k % 2]}"
            place = f"{k % 5},{k % 7},8,10,16,24"
            rows.append(f"{finding},{text},{film}.jpg,{place},{_dicom(k)},{split}")
    table = _table(header, rows)
    write(
        folder, {**jpegs(*(f"{f}.jpg" for f in films)), "MS_CXR_Local_Alignment_v1.1.0.csv": table}
    )


def ms_cxr_t(folder: Path) -> None:
    """33 patients with two images each, eleven of every progression of every finding."""
    header = "dicom_id,previous_dicom_id,study_id,previous_study_id,subject_id," + ",".join(
        [f"{f}_progression" for f in PROGRESSIONS] + [f"{f}_label_quality" for f in PROGRESSIONS]
    )
    rows, metadata, films = [], [], []
    for k in range(33):
        dicoms_of = [_dicom(100 + 2 * k + place) for place in range(2)]
        for place, dicom in enumerate(dicoms_of):
            films.append(_film(k, 2 * k + place, dicom) + ".jpg")
            study = 50_000_000 + 2 * k + place
            metadata.append(f"{dicom},{10_000_000 + k},{study},AP,2180050{1 + place},83429")
        said = [("improving", "stable", "worsening")[(k + f) % 3] for f in range(5)]
        quality = ["consensus"] * 5
        rows.append(",".join([dicoms_of[1], dicoms_of[0], "", "", "", *said, *quality]))
    write(
        folder,
        {
            **jpegs(*films),
            "MS_CXR_T_temporal_image_classification_v1.0.0.csv": _table(header, rows),
            "mimic-cxr-2.0.0-metadata.csv": _table(
                "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime", metadata
            ),
        },
    )


def ms_cxr_t_sentences(folder: Path) -> None:
    """12 paraphrases and 12 contradictions of RadGraph, four swaps."""
    rows = []
    for k in range(28):
        word, other = WORDS[k % 11], WORDS[(k + 5) % 11]
        category, second = ("paraphrase", f"{word} effusion") if k % 2 else ("contradiction", other)
        subset = "RadGraph" if k < 24 else "swaps"
        rows.append(f"{k},effusion {k} {word},{second} {k},{category},{subset}")
    table = _table("id,sentence_1,sentence_2,category,subset_name", rows)
    write(folder, {"MS_CXR_T_temporal_sentence_similarity_v1.0.0.csv": table})


def _inference(k: int) -> str:
    word, relation = WORDS[k % 11], RELATIONS[k % 3]
    second = {"entailment": word, "neutral": "device", "contradiction": f"no {word}"}[relation]
    pair = {"sentence1": f"{word} finding {k}", "sentence2": second, "gold_label": relation}
    return json.dumps(pair)


def radnli(folder: Path) -> None:
    """Twelve pairs of each relation."""
    write(folder, {"radnli_test_v1.jsonl": "\n".join(map(_inference, range(36)))})


def mednli(folder: Path) -> None:
    """Twelve pairs of each relation."""
    write(folder, {"mli_train_v1.jsonl": "\n".join(map(_inference, range(100, 136)))})


def rsna_pneumonia(folder: Path) -> None:
    """60 images, every second with a box."""
    names = [f"0004cfab-14fd-4e49-80ba-{k:012d}" for k in range(60)]
    classes = ("Lung Opacity", "Normal", "Lung Opacity", "No Lung Opacity / Not Normal")
    boxes = [f"{n},{'264,152,213,379,1' if k % 2 == 0 else ',,,,0'}" for k, n in enumerate(names)]
    write(
        folder,
        {
            **dicoms(*(f"stage_2_train_images/{name}.dcm" for name in names)),
            "stage_2_train_labels.csv": _table("patientId,x,y,width,height,Target", boxes),
            "stage_2_detailed_class_info.csv": _table(
                "patientId,class", [f"{n},{classes[k % 4]}" for k, n in enumerate(names)]
            ),
        },
    )


def covidx(folder: Path) -> None:
    """150 training and 12 test images of three classes."""
    classes = ("normal", "pneumonia", "COVID-19")
    lists = {
        split: [f"{split}{k} {k}.jpg {classes[k % 3]} rsna" for k in range(count)]
        for split, count in (("train", 150), ("test", 12))
    }
    files = [f"{split}/{k}.jpg" for split, lines in lists.items() for k in range(len(lines))]
    texts = {f"{split}.txt": "\n".join(lines) + "\n" for split, lines in lists.items()}
    write(folder, {**jpegs(*files), **texts})


def mimic_cxr_jpg(folder: Path) -> None:
    """40 training and 24 test patients of one study, 14 labels, grades of edema."""
    metadata, splits, labels, films = [], [], [], []
    grades: dict[str, list[str]] = {"consensus_image": [], "regex_report": []}
    for k in range(64):
        subject, study, dicom = 10_000_000 + k, 50_000_000 + k, _dicom(1000 + k)
        films.append(_film(k, k, dicom))
        metadata.append(f"{dicom},{subject},{study},PA,21800506,83429")
        splits.append(f"{dicom},{study},{subject},{'train' if k < 40 else 'test'}")
        stated = [f"{code}.0" for code in _codes(k)]
        stated[0] = "1.0" if k % 2 else ""  # No Finding is never denied
        labels.append(",".join([str(subject), str(study), *stated]))
        place, of_image = ("consensus_image", f",{dicom}") if k >= 40 else ("regex_report", "")
        grades[place].append(f"{subject},{study}{of_image},{k % 4}")
    header = "subject_id,study_id"
    reports = {
        f"{film.rsplit('/', 1)[0]}.txt": "FINDINGS: The lungs are clear.\n" for film in films
    }
    write(
        folder,
        {
            **jpegs(*(f"{film}.jpg" for film in films)),
            **reports,
            "mimic-cxr-2.0.0-metadata.csv": _table(
                "dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime", metadata
            ),
            "mimic-cxr-2.0.0-split.csv": _table("dicom_id,study_id,subject_id,split", splits),
            "mimic-cxr-2.0.0-chexpert.csv": _table(f"{header},{CHEXPERT}", labels),
            "consensus_image_edema_severity.csv": _table(
                f"{header},dicom_id,edema_severity", grades["consensus_image"]
            ),
            "regex_report_edema_severity.csv": _table(
                f"{header},edema_severity", grades["regex_report"]
            ),
        },
    )


def chexpert(folder: Path) -> None:
    """20 validation and 24 test studies, the validation ones with a lateral too."""
    root = "CheXpert-v1.0-small"
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{CHEXPERT}"
    tables: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for split, first, count in (("train", 1, 4), ("valid", 64_541, 20), ("test", 64_741, 24)):
        for k in range(count):
            study = f"{split}/patient{first + k:05d}/study1"
            codes = ",".join(f"{code}.0" for code in _codes(k, first))
            frontal = "" if split == "test" else "Male,60,Frontal,AP,"
            prefix = "" if split == "test" else f"{root}/"
            tables[split].append(f"{prefix}{study}/view1_frontal.jpg,{frontal}{codes}")
            if split == "valid":
                lateral = f"{root}/{study}/view2_lateral.jpg,Male,60,Lateral,,{codes}"
                tables[split].append(lateral)
    paths = [row.split(",")[0] for rows in tables.values() for row in rows]
    images = [path if path.startswith(root) else f"{root}/{path}" for path in paths]
    write(
        folder,
        {
            **jpegs(*images),
            f"{root}/train.csv": _table(header, tables["train"]),
            f"{root}/valid.csv": _table(header, tables["valid"]),
            f"{root}/test_labels.csv": _table(f"Path,{CHEXPERT}", tables["test"]),
        },
    )


# Data set of `prepare.py`: what writes its folder.
TREES: dict[str, Callable[[Path], None]] = {
    "ms_cxr": ms_cxr,
    "ms_cxr_t": ms_cxr_t,
    "ms_cxr_t_sentences": ms_cxr_t_sentences,
    "radnli": radnli,
    "mednli": mednli,
    "rsna_pneumonia": rsna_pneumonia,
    "covidx": covidx,
    "mimic_cxr_jpg": mimic_cxr_jpg,
    "mimic_edema": mimic_cxr_jpg,
    "chexpert": chexpert,
}


def prepare_all(names: set[str], folder: Path, data_dir: Path) -> None:
    """Write and prepare the data sets."""
    for name in sorted(names):
        TREES[name](folder / name)
        prepare(name, folder / name, data_dir)
