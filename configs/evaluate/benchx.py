# SPDX-License-Identifier: Apache-2.0
"""BenchX (Zhou et al., NeurIPS 2024): classification, segmentation and retrieval of nine data sets.

    python launch/evaluate.py --suite=configs/evaluate/benchx.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/benchx.py --data_dir=data --output=DIR

Data sets are prepared with BenchX's own lists of images (`--split_lists`); `:own_splits` takes the splits
of this project, for those without its repository. `:quick` trains two steps: it shows that everything works.
"""

from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import benchx_numbers as numbers
from medst_jax.configs.evaluate.parts import designs, words

PAPER = "arXiv:2410.21969"
VARIANTS = ("own_splits", "quick")
PARTS = {"1%": 0.01, "10%": 0.1, "100%": 1.0}
NIH = (
    *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis"),
    *("Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia"),
    "Pneumothorax",
)
BENCHX = {
    "NIH": "nih_chestxray14_benchx",
    "VinDr": "vindr_cxr_benchx",
    "COVIDx": "covidx_cxr4",
    "SIIM": "siim_pneumothorax_benchx",
    "RSNA": "rsna_pneumonia_benchx",
    "Object-CXR": "object_cxr",
    "TBX11K": "tbx11k_benchx",
}
OWN = {
    **BENCHX,
    "NIH": "nih_chestxray14",
    "VinDr": "vindr_cxr",
    "SIIM": "siim_pneumothorax",
    "RSNA": "rsna_pneumonia",
    "TBX11K": "tbx11k",
}
FINDING = {
    "COVIDx": "COVID-19",
    "SIIM": "Pneumothorax",
    "RSNA": "Pneumonia",
    "Object-CXR": "Foreign Object",
    "TBX11K": "Tuberculosis",
}
BINARY = ("COVIDx", "SIIM", "RSNA")
DENSE = ("Object-CXR", "RSNA", "SIIM", "TBX11K")
DEPARTURES = (
    (
        "One recipe for all systems: Adam, 3,000 steps of 64 images, 1e-4 for the encoder and 1e-3 for the head. "
        "BenchX searches rate, batch, optimizer and layer norm for every system and data set, and stops by the "
        "validation set."
    ),
    "1% and 10% of the training images are drawn by a seed, three times; BenchX has one list of each.",
    "VinDr-CXR: a class is present by vote of the readers; BenchX takes every reader's boxes.",
    (
        "F1 is that of the finding, at the class of the higher score; BenchX's evaluator calls its own multiclass "
        "F1."
    ),
    (
        "Segmentation: this project's U-Net on frozen maps, 3,000 steps; BenchX tunes encoder and UperNet. mDice "
        "is computed alike: over the pixels of all test images, finding and background averaged."
    ),
    "Object-CXR: ellipses are drawn as ellipses; BenchX fills their bounding boxes.",
    "MIMIC 5x200: DLILP's rule with seed 42 where no mimic_5x200.csv lies in the folder.",
)
NOT_OFFERED = ("Report generation on IU X-ray (Table 4): the project has no text decoder.",)


def _tasks(named: dict[str, str], quick: bool) -> dict[str, Any]:
    def images(name: str, split: str = "test", **options: Any) -> dict[str, Any]:
        # The labels of TBX11K's official test set are not published.
        split = "val" if named[name] == "tbx11k" and split == "test" else split
        return dict(dataset=named[name], split=split, **options)

    def tuned(name: str, **options: Any) -> dict[str, Any]:
        return dict(
            protocol="fine_tune",
            task=images(name, **options),
            train=images(name, "train"),
            fractions=tuple(PARTS.values()),
            draws=1 if quick else 3,
            sampling="plain",
            tuning=dict(
                steps=2 if quick else 3000,
                batch_size=8 if quick else 64,
                learning_rate=1e-4,
                head_learning_rate=1e-3,
            ),
        )

    def dense(name: str) -> dict[str, Any]:
        return dict(
            protocol="dense_prediction",
            task=images(name, classes=(FINDING[name],), kind="multi"),
            train=images(name, "train"),
            heads=("unet",),
            training=dict(steps=2 if quick else 3000),
        )

    return {
        "NIH": tuned("NIH", classes=NIH, kind="multi"),
        "VinDr": tuned("VinDr", kind="multi"),
        **{
            name: tuned(name, classes=(FINDING[name],), rest=f"No {FINDING[name]}")
            for name in BINARY
        },
        **{f"{name}, masks": dense(name) for name in DENSE},
        "MIMIC 5x200": dict(
            protocol="class_retrieval", task=dict(dataset="mimic_5x200", classes=words.FIVE)
        ),
    }


def _tables() -> tuple[dict[str, Any], ...]:
    def parts(name: str, metric: str, shown: str) -> list[dict[str, Any]]:
        return [
            dict(
                name=part, task=f"{name}/{part}", metric=metric, group=f"{name} ({shown})", digits=1
            )
            for part in PARTS
        ]

    def table(
        number: int, title: str, caption: str, columns: list[dict[str, Any]], rows: dict[str, Any]
    ) -> dict[str, Any]:
        return dict(
            title=f"Table {number}: {title}",
            source=f"{PAPER}, Table {number}",
            caption=caption,
            columns=tuple(columns),
            rows=tuple(dict(method=name, values=values) for name, values in rows.items()),
        )

    few = "%, with 1, 10 and 100% of the training images."
    multi = parts("NIH", "auroc", "AUROC") + parts("VinDr", "auroc", "AUROC")
    binary = [c for name in BINARY for c in parts(name, f"f1/{FINDING[name]}", "F1")]
    dense = [
        dict(name=name, task=f"{name}, masks/unet/all images", metric="mean_dice") for name in DENSE
    ]
    nearest = [
        dict(
            name=f"{short}@{k}", task="MIMIC 5x200/image to text", metric=f"{metric}@{k}", digits=1
        )
        for short, metric in (("H", "hit"), ("P", "precision"))
        for k in (1, 5, 10)
    ]
    return (
        table(1, "multi-label classification", few, multi, numbers.MULTI_LABEL),
        table(2, "binary classification", few, binary, numbers.BINARY),
        table(3, "segmentation", "mDice, %.", dense, numbers.SEGMENTATION),
        table(5, "retrieval on MIMIC 5x200", "Images to texts, %.", nearest, numbers.RETRIEVAL),
    )


def _designs(named: dict[str, str]) -> dict[str, Any]:
    listed = named is BENCHX
    pixels = "probability 0.5 of a pixel, not chosen"
    decision = f"the class of the higher score; {pixels}"
    left_out = "images of no list; " if listed else ""

    def design(split: str, thresholds: str) -> dict[str, Any]:
        return dict(
            unit="image",
            views=designs.ONE_IMAGE,
            excluded=left_out + designs.OWN_PATIENTS,
            split=split,
            thresholds=thresholds,
        )

    splits = {
        "NIH": "BenchX's lists (MRM's): 70/10/20 of the patients",
        "VinDr": "BenchX's lists: the official test set, a fifth of the training images for validation",
        "SIIM": "BenchX's lists: stage 1's test set",
        "RSNA": "BenchX's lists: 70/15/15 of the images",
        "TBX11K": "BenchX's lists: 70/15/15 of the images of the official train and val",
    }
    if not listed:
        splits = {
            "NIH": "the official test list",
            "VinDr": "the official test set",
            "SIIM": designs.SIIM["split"],
            "RSNA": designs.RSNA["split"],
            "TBX11K": "the official val is the test: the labels of the official test are not published",
        }
    return {
        named["NIH"]: design(splits["NIH"], "none: AUROC"),
        named["VinDr"]: design(splits["VinDr"], "none: AUROC"),
        named["COVIDx"]: design("the official lists of CXR-4", decision),
        named["SIIM"]: design(splits["SIIM"], decision),
        named["RSNA"]: design(splits["RSNA"], decision),
        named["Object-CXR"]: design("the challenge's train and test", pixels),
        named["TBX11K"]: design(splits["TBX11K"], pixels),
        "mimic_5x200": {
            **designs.MIMIC_5X200,
            "unit": "study",
            "views": designs.FIRST_FRONTAL,
            "thresholds": "none: ranks",
        },
    }


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite and its variants."""
    if arg and arg not in VARIANTS:
        raise ValueError(
            f"configs/evaluate/benchx.py has no variant {arg!r}; it has: {', '.join(VARIANTS)}"
        )
    named = OWN if arg == "own_splits" else BENCHX
    suite = ConfigDict()
    suite.draws = 200 if arg == "quick" else 2000
    suite.seed = 0
    suite.tasks = _tasks(named, arg == "quick")
    suite.benchmark = dict(
        title="BenchX" if named is BENCHX else "BenchX, on this project's splits",
        source=f"Zhou et al., NeurIPS 2024, {PAPER}",
        designs=_designs(named),
        tables=_tables(),
        departures=DEPARTURES,
        not_offered=NOT_OFFERED,
    )
    return suite
