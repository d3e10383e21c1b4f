# SPDX-License-Identifier: Apache-2.0
"""Small trees in the official layouts of the data sets of published benchmarks, some images a class.

Each function writes one download below a folder, by the name of the data set in `prepare.py`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from medst_jax.data_pipelines.nih_chestxray14.long_tail import CLASSES as LONG_TAIL
from medst_jax.data_pipelines.nih_chestxray14.tables import FINDINGS as NIH_FINDINGS
from tests.data_pipelines.official import dicom, jpegs, png, write

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
CHEXPERT_LABELS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)
ROOT = "CheXpert-v1.0-small"


def _picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, (24, 20), np.uint16)


def _dicom(seed: int) -> bytes:
    return dicom(_picture(seed), ViewPosition="PA", PatientSex="F", PatientAge="051Y")


def _pngs(*paths: str) -> dict[str, bytes | str]:
    return {path: png((_picture(k) >> 4).astype(np.uint8)) for k, path in enumerate(paths)}


def chexpert(folder: Path) -> Path:
    """Twelve frontal images of each of the five classes, each of a patient; a test set; a valid one."""
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CHEXPERT_LABELS)}\n"
    tables = {"train": header, "valid": header}
    paths = []
    for k in range(60):
        name, split = FIVE[k % 5], "valid" if k >= 50 else "train"
        path = f"{ROOT}/{split}/patient{k + 1:05d}/study1/view1_frontal.jpg"
        cells = ["1.0" if label == name else "0.0" for label in CHEXPERT_LABELS]
        tables[split] += f"{path},Female,68,Frontal,AP,{','.join(cells)}\n"
        paths.append(path)
    test = f"Path,{','.join(CHEXPERT_LABELS)}\n"
    for k in range(40):
        path = f"test/patient{k + 64741:05d}/study1/view1_frontal.jpg"
        cells = ["1.0" if label == FIVE[k % 5] else "0.0" for label in CHEXPERT_LABELS]
        test += f"{path},{','.join(cells)}\n"
        paths.append(f"{ROOT}/{path}")
    named = {f"{ROOT}/{name}.csv": text for name, text in tables.items()}
    return write(folder, {**jpegs(*paths), **named, f"{ROOT}/test_labels.csv": test})


def mimic_cxr_jpg(folder: Path) -> Path:
    """Twelve studies of each of the five classes with reports, each of a patient of its own."""
    metadata = "dicom_id,subject_id,study_id,ViewPosition,Rows,Columns,StudyDate,StudyTime\n"
    split = "dicom_id,study_id,subject_id,split\n"
    labels = f"subject_id,study_id,{','.join(sorted(CHEXPERT_LABELS))}\n"
    files: dict[str, bytes | str] = {}
    paths = []
    for k in range(60):
        subject, study, name = 10000000 + k, 50000000 + k, FIVE[k % 5]
        image = f"{k:08x}-bde0afdd-112c0b34-7bc16630-4e384014"
        place = f"files/p10/p{subject}/s{study}"
        metadata += f"{image},{subject},{study},PA,24,16,21800506,83429.5\n"
        split += f"{image},{study},{subject},{'test' if k % 3 else 'train'}\n"
        cells = ["1.0" if label == name else "" for label in sorted(CHEXPERT_LABELS)]
        labels += f"{subject},{study},{','.join(cells)}\n"
        files[f"{place}.txt"] = (
            f" FINDINGS:\n\n There is {name.lower()} number {k}.\n\n IMPRESSION:\n\n {name}.\n"
        )
        paths.append(f"{place}/{image}.jpg")
    tables = {"metadata": metadata, "split": split, "chexpert": labels}
    named = {f"mimic-cxr-2.0.0-{name}.csv.gz": text for name, text in tables.items()}
    return write(folder, {**jpegs(*paths), **files, **named})


def rsna_pneumonia(folder: Path) -> Path:
    """Sixty images: a third with a box, a third normal, a third neither."""
    labels = "patientId,x,y,width,height,Target\n"
    classes = "patientId,class\n"
    files: dict[str, bytes | str] = {}
    for k in range(60):
        name = f"{k:08x}-14fd-4e49-80ba-63a80b6bddd6"
        box = f"{100 + k},200.0,300.0,250.0,1" if k % 3 == 0 else ",,,,0"
        kind = ("Lung Opacity", "Normal", "No Lung Opacity / Not Normal")[k % 3]
        labels += f"{name},{box}\n"
        classes += f"{name},{kind}\n"
        files[f"stage_2_train_images/{name}.dcm"] = _dicom(k)
    tables = {"stage_2_train_labels.csv": labels, "stage_2_detailed_class_info.csv": classes}
    return write(folder, {**files, **tables})


def siim_pneumothorax(folder: Path) -> Path:
    """Forty images, every second with a mask."""
    rows = "ImageId, EncodedPixels\n"
    files: dict[str, bytes | str] = {}
    for k in range(40):
        name = f"1.2.276.0.{k}"
        # Four columns of 300 pixels, from column 300 + k.
        runs = " ".join(f"{1024 * (300 + k) + 200 if c == 0 else 724} 300" for c in range(4))
        rows += f"{name}, {runs if k % 2 else '-1'}\n"
        files[f"dicom-images-train/1.2.{k}/1.3.{k}/{name}.dcm"] = _dicom(k)
    return write(folder, {**files, "train-rle.csv": rows})


def nih_chestxray14(folder: Path) -> Path:
    """Three images of each long-tailed class for training, two for the balanced and natural tests."""
    entries = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    )
    head = f"id,{','.join(LONG_TAIL)},subject_id\n"
    parts = {"train": 3, "balanced-val": 1, "test": 1, "balanced-test": 2}
    tables = dict.fromkeys(parts, head)
    names, official = [], {"train_val_list.txt": "", "test_list.txt": ""}
    for c, label in enumerate(LONG_TAIL):
        places = [part for part, count in parts.items() for _ in range(count)]
        for place in places:
            patient = len(names) + 1
            name = f"{patient:08d}_000.png"
            finding = label if label in NIH_FINDINGS else "No Finding"
            entries += f"{name},{finding},0,{patient},58,M,PA,2894,2729,0.143,0.143\n"
            cells = ",".join(str(int(c == other)) for other in range(len(LONG_TAIL)))
            tables[place] += f"{name},{cells},{patient}\n"
            official["test_list.txt" if "test" in place else "train_val_list.txt"] += f"{name}\n"
            names.append(name)
    lists = {f"LongTailCXR/nih-cxr-lt_single-label_{k}.csv": text for k, text in tables.items()}
    images = _pngs(*(f"images/{name}" for name in names))
    return write(folder, {**images, **lists, **official, "Data_Entry_2017_v2020.csv": entries})


def vindr_pcxr(folder: Path) -> Path:
    """Five training and three test images of each of five classes, one reader each."""
    classes = ("No finding", "Bronchitis", "Brocho-pneumonia", "Bronchiolitis", "Pneumonia")
    files: dict[str, bytes | str] = {}
    for split, count in (("train", 25), ("test", 15)):
        reader = "rad_ID," if split == "train" else ""
        table = f"image_id,{reader}{','.join(classes)}\n"
        for k in range(count):
            cells = ",".join(str(int(k % 5 == c)) for c in range(5))
            table += f"{split}{k:03d},{'R1,' if reader else ''}{cells}\n"
            files[f"{split}/{split}{k:03d}.dicom"] = _dicom(k)
        files[f"image_labels_{split}.csv"] = table
    return write(folder, files)


def covid_radiography(folder: Path) -> Path:
    """Forty images of each of four classes."""
    kinds = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
    return write(
        folder, _pngs(*(f"{kind}/images/{kind}-{k}.png" for kind in kinds for k in range(40)))
    )


# Data set of `prepare.py`: the tree of its download.
TREES: dict[str, Callable[[Path], Path]] = {
    "chexpert": chexpert,
    "chexpert_5x200": chexpert,
    "mimic_5x200": mimic_cxr_jpg,
    "rsna_pneumonia": rsna_pneumonia,
    "siim_pneumothorax": siim_pneumothorax,
    "nih_lt": nih_chestxray14,
    "nih_lt_balanced": nih_chestxray14,
    "vindr_pcxr": vindr_pcxr,
    "covid_radiography": covid_radiography,
}
