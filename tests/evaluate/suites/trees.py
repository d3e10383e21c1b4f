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
LISTS = "lists"  # of a benchmark, inside its tree


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
        # 200 columns of 300 pixels, from column 300 + k.
        runs = " ".join(f"{1024 * (300 + k) + 200 if c == 0 else 724} 300" for c in range(200))
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


def covidx(folder: Path) -> Path:
    """Version 6: thirty training and twelve test images, a third of each class."""
    kinds = ("normal", "pneumonia", "COVID-19")
    files: dict[str, bytes | str] = {}
    for split, count in (("train", 60), ("test", 12)):
        names = [f"{split}-{k}.png" for k in range(count)]
        files |= _pngs(*(f"{split}/{name}" for name in names))
        files[f"{split}.txt"] = "".join(
            f"{split}{k} {name} {kinds[k % 3]} cohen\n" for k, name in enumerate(names)
        )
    return write(folder, files)


def covidx_cxr4(folder: Path) -> Path:
    """Version CXR-4: two classes, with a validation list."""
    files: dict[str, bytes | str] = {}
    for split in ("train", "val", "test"):
        names = [f"{split}-{k}.png" for k in range(12)]
        files |= _pngs(*(f"{split}/{name}" for name in names))
        files[f"{split}.txt"] = "".join(
            f"{split}{k} {name} {('positive', 'negative')[k % 2]} rsna\n"
            for k, name in enumerate(names)
        )
    return write(folder, files)


def siim_pneumothorax_png(folder: Path) -> Path:
    """Thirty images of stage 1, every second with a mask, and BenchX's lists."""
    files: dict[str, bytes | str] = {}
    lists: dict[str, str] = {"train": "", "val": "", "test": ""}
    tables = dict.fromkeys(("train", "test"), "new_filename,ImageId,has_pneumo\n")
    for k in range(30):
        part = "test" if k >= 20 else "train"
        name = f"{k}_{part}_{k % 2}_"
        mask = np.zeros((24, 20), np.uint8)
        mask[5:15, 4 : 4 + 10 * (k % 2)] = 255
        files |= {f"siim-acr-pneumothorax/png_masks/{name}.png": png(mask)}
        tables[part] += f"{name}.png,1.2.{k},{k % 2}\n"
        lists[("train", "train", "test")[k // 10] if k not in (8, 9) else "val"] += f"{name}\n"
    images = [path.replace("png_masks", "png_images") for path in files]
    named = {f"siim-acr-pneumothorax/stage_1_{k}_images.csv": text for k, text in tables.items()}
    return _with_lists(write(folder, {**files, **_pngs(*images), **named}), lists)


def object_cxr(folder: Path) -> Path:
    """Twelve images a split, every second with a rectangle and a polygon."""
    files: dict[str, bytes | str] = {}
    for split in ("train", "dev", "test"):
        rows = "image_name,annotation\n"
        for k in range(12):
            shapes = "0 2 2 8 9;2 10 10 18 10 18 20" if k % 2 else ""
            rows += f"{split}{k:05d}.jpg,{shapes}\n"
        files |= jpegs(*(f"{split}/{split}{k:05d}.jpg" for k in range(12)))
        files[f"{split}.csv"] = rows
    return write(folder, files)


def tbx11k(folder: Path) -> Path:
    """Thirty images, a third of each kind, and BenchX's lists."""
    rows = "fname,image_height,image_width,source,bbox,target,tb_type,image_type\n"
    lists: dict[str, str] = {"train": "", "val": "", "test": ""}
    for k in range(30):
        name = f"{['h', 's', 'tb'][k % 3]}{k:04d}"
        source = "val" if k >= 20 else "train"
        box = "\"{'xmin': 64.0, 'ymin': 128.0, 'width': 200.0, 'height': 190.0}\",tb,active_tb,tb"
        kind = ("none,no_tb,none,healthy", "none,no_tb,none,sick_but_no_tb", box)[k % 3]
        rows += f"{name}.png,512,512,{source},{kind}\n"
        lists[("train", "train", "test")[k // 10] if k not in (8, 9) else "val"] += f"{name}\n"
    images = _pngs(*(f"images/{line.split(',')[0]}" for line in rows.splitlines()[1:]))
    return _with_lists(write(folder, {**images, "data.csv": rows}), lists)


def vindr_cxr(folder: Path) -> Path:
    """Twenty training and ten test images of three findings, and BenchX's lists."""
    classes = ("Aortic enlargement", "Cardiomegaly", "No finding")
    files: dict[str, bytes | str] = {}
    lists: dict[str, str] = {"train": "", "val": "", "test": ""}
    for split, count in (("train", 20), ("test", 10)):
        reader = "rad_id," if split == "train" else ""
        table = f"image_id,{reader}{','.join(classes)}\n"
        for k in range(count):
            cells = ",".join(str(int(k % 3 == c)) for c in range(3))
            table += f"{split}{k:03d},{'R1,' if reader else ''}{cells}\n"
            files[f"{split}/{split}{k:03d}.dicom"] = _dicom(k)
            lists["val" if split == "train" and k % 5 == 4 else split] += f"{split}{k:03d}\n"
        files[f"annotations/image_labels_{split}.csv"] = table
    return _with_lists(write(folder, files), lists)


def rsna_pneumonia_listed(folder: Path) -> Path:
    """`rsna_pneumonia` with BenchX's lists."""
    tree = rsna_pneumonia(folder)
    names = sorted(path.stem for path in (tree / "stage_2_train_images").iterdir())
    lists = {"train": names[:40], "val": names[40:48], "test": names[48:]}
    return _with_lists(tree, {split: "\n".join(part) for split, part in lists.items()})


def nih_chestxray14_listed(folder: Path) -> Path:
    """Three images of each of the 14 findings, and BenchX's lists."""
    entries = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    )
    lists: dict[str, str] = {"train": "", "val": "", "test": ""}
    for c, finding in enumerate(NIH_FINDINGS):
        for k, split in enumerate(("train", "train", "test")):
            name = f"{3 * c + k + 1:08d}_000.png"
            entries += f"{name},{finding},0,{3 * c + k + 1},58,M,PA,2894,2729,0.143,0.143\n"
            lists[split] += f"{name}\n"
    names = [line.split(",")[0] for line in entries.splitlines()[1:]]
    images = _pngs(*(f"images/{name}" for name in names))
    return _with_lists(write(folder, {**images, "Data_Entry_2017_v2020.csv": entries}), lists)


def _with_lists(tree: Path, lists: dict[str, str]) -> Path:
    write(tree, {f"{LISTS}/{split}.txt": text for split, text in lists.items()})
    return tree


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
    "covidx": covidx,
    "covidx_cxr4": covidx_cxr4,
    "object_cxr": object_cxr,
    "siim_pneumothorax_benchx": siim_pneumothorax_png,
    "tbx11k": tbx11k,
    "tbx11k_benchx": tbx11k,
    "vindr_cxr": vindr_cxr,
    "vindr_cxr_benchx": vindr_cxr,
    "rsna_pneumonia_benchx": rsna_pneumonia_listed,
    "nih_chestxray14": nih_chestxray14_listed,
    "nih_chestxray14_benchx": nih_chestxray14_listed,
}
