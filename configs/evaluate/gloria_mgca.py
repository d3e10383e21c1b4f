# SPDX-License-Identifier: Apache-2.0
"""The tables of GLoRIA and MGCA: linear heads on CheXpert, RSNA and COVIDx, masks of SIIM, zero-shot.

    python launch/evaluate.py --suite=configs/evaluate/gloria_mgca.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/gloria_mgca.py --data_dir=data --output=DIR

Frozen encoders, 1, 10 and 100% of the training images. `covidx` is version 6, of three classes. `:quick`
trains two epochs or steps: it shows that everything works.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import designs, words

GLORIA = "Huang et al., ICCV 2021"
MGCA = "Wang et al., NeurIPS 2022, arXiv:2210.06044"
PARTS = {"1%": 0.01, "10%": 0.1, "100%": 1.0}
_NONE = (None, None, None)
# CheXpert and RSNA (AUROC), COVIDx (accuracy), each with 1, 10 and 100%.
LINEAR = {
    "ConVIRT": (85.9, 86.8, 87.3, 77.4, 80.1, 81.3, 72.5, 82.5, 92.0),
    "GLoRIA (CheXpert)": (86.6, 87.8, 88.1, 86.1, 88.0, 88.6, 67.3, 77.8, 89.0),
    "GLoRIA (MIMIC)": (*_NONE, *_NONE, 66.5, 80.5, 88.8),
    "MedKLIP": (*_NONE, *_NONE, 74.5, 85.2, 90.3),
    "MGCA (ViT-B/16)": (*_NONE, *_NONE, 74.8, 84.8, 92.3),
    "Med-ST": (*_NONE, *_NONE, 71.2, 87.7, 93.0),
}
SIIM_DICE = {
    "ConVIRT": (25.0, 43.2, 59.9),
    "GLoRIA": (35.8, 46.9, 63.4),
    "MGCA": (49.7, 59.3, 64.2),
    "M-FLAG": (52.5, 61.2, 64.8),
    "Med-UniC": (56.7, 62.2, 64.4),
}
RSNA_ZERO_SHOT = {
    "GLoRIA (by BioViL)": (70.0, 58.0, None),
    "MGCA (by Med-ST)": (67.25, 54.87, 73.97),
    "BioViL (by Med-ST)": (64.10, 55.19, 75.27),
    "BioViL-T (by Med-ST)": (63.23, 54.90, 75.12),
    "Med-ST": (68.37, 57.63, 77.14),
}
DEPARTURES = (
    (
        "CheXpert: the head trains on all training images for 50 epochs; the papers hold 5,000 of them out "
        "and keep the epoch with the lowest loss there. Uncertain training labels are left out; the papers "
        "call them present or absent by class."
    ),
    (
        "SIIM: the split is over images; the papers' is over rows of the table, so that images with several "
        "masks lie on both sides. The head is this project's U-Net on frozen maps."
    ),
    (
        "COVIDx: 10% of the training patients are for validation, by a hash; the papers hold out 20% of the "
        "images."
    ),
    (
        "Zero-shot on CheXpert 5x200: prompts in this project's own words (the bank gloria), all of a "
        "class's prompts; the release draws five. On RSNA: BioViL's prompts, averaged after "
        "their unit norm, for not every system gives them before it."
    ),
)
NOT_OFFERED = (
    "Retrieval on CheXpert 5x200: its reports were not published with the list.",
    "Detection on RSNA and Object-CXR: the project has no detector.",
)


def _linear(quick: bool, patience: int) -> dict[str, Any]:
    return dict(
        encoder="frozen",
        epochs=2 if quick else 50,
        batch_size=48,
        head_learning_rate=5e-4,
        weight_decay=1e-6,
        schedule="constant",
        standardise=False,
        patience=patience,
    )


def _tasks(quick: bool) -> dict[str, Any]:
    multi = dict(kind="multi")

    def linear(
        dataset: str, split: str, classes: tuple[str, ...], validation: str, **kind: str
    ) -> dict[str, Any]:
        task: dict[str, Any] = dict(
            protocol="fine_tune",
            task=dict(dataset=dataset, split=split, classes=classes, **kind),
            train=dict(dataset=dataset, split="train"),
            sampling="plain",
            fractions=tuple(PARTS.values()),
            tuning=_linear(quick, 10 if validation else 0),
        )
        if validation:
            task["validation"] = dict(dataset=dataset, split=validation)
        return task

    return {
        "CheXpert": linear("chexpert", "val", words.FIVE, "", **multi),
        "RSNA": linear("rsna_pneumonia", "test", ("Pneumonia",), "val", **multi),
        "COVIDx": linear("covidx", "test", ("normal", "pneumonia", "COVID-19"), "val"),
        "SIIM": dict(
            protocol="dense_prediction",
            task=dict(dataset="siim_pneumothorax", classes=("Pneumothorax",), **multi),
            train=dict(dataset="siim_pneumothorax", split="train"),
            heads=("unet",),
            fractions=tuple(PARTS.values()),
            training=dict(steps=2 if quick else 3000),
        ),
        "RSNA, zero-shot": dict(
            protocol="zero_shot_pair",
            task=dict(dataset="rsna_pneumonia", classes=("Pneumonia",), **multi),
        ),
        "CheXpert 5x200, zero-shot": dict(
            protocol="zero_shot",
            task=dict(dataset="chexpert_5x200", classes=words.FIVE),
            mode="text",
            prompts="gloria",
            pool="max",
            standardise=True,
        ),
    }


def _tables() -> tuple[dict[str, Any], ...]:
    def columns(groups: Mapping[str, tuple[str, str]]) -> tuple[dict[str, Any], ...]:
        return tuple(
            dict(
                name=part, task=task.format(part, PARTS[part]), metric=metric, group=group, digits=1
            )
            for group, (task, metric) in groups.items()
            for part in PARTS
        )

    def rows(numbers: Mapping[str, tuple[float | None, ...]]) -> tuple[dict[str, Any], ...]:
        return tuple(dict(method=name, values=values) for name, values in numbers.items())

    linear = {
        "CheXpert (AUROC)": ("CheXpert/{}", "auroc"),
        "RSNA (AUROC)": ("RSNA/{}", "auroc"),
        "COVIDx (accuracy)": ("COVIDx/{}", "accuracy"),
    }
    pair = {"accuracy": "accuracy", "F1": "f1/Pneumonia", "AUROC": "auroc"}
    return (
        dict(
            title="Linear heads on frozen encoders",
            source=f"{MGCA}; COVIDx also Yang et al. (Med-ST), ICML 2024",
            caption="%, with 1, 10 and 100% of the training images. Published cells that no second source "
            "confirms are left out.",
            columns=columns(linear),
            rows=rows(LINEAR),
        ),
        dict(
            title="Masks of pneumothorax",
            source=f"{MGCA}, and later papers that go on with its table",
            caption="Dice on SIIM, %, with 1, 10 and 100% of the training images.",
            columns=columns({"SIIM (Dice)": ("SIIM/unet/{1:.4g}", "dice")}),
            rows=rows(SIIM_DICE),
        ),
        dict(
            title="Pneumonia without training",
            source="Boecking et al., arXiv:2204.09817; Yang et al. (Med-ST), ICML 2024",
            caption="RSNA, %. Med-ST computes the AUROC of hard decisions.",
            columns=tuple(
                dict(name=name, task="RSNA, zero-shot", metric=metric)
                for name, metric in pair.items()
            ),
            rows=rows(RSNA_ZERO_SHOT),
        ),
    )


def _designs() -> dict[str, Any]:
    return {
        "chexpert": dict(
            unit="study",
            views=designs.FIRST_FRONTAL,
            excluded="studies without a frontal image; uncertain labels of a class",
            split="the official validation set (200 patients, read by three radiologists) is the test, as "
            "in the papers; heads train on the official training set",
            thresholds="none: AUROC",
        ),
        "rsna_pneumonia": designs.RSNA,
        "covidx": dict(
            unit="image",
            views=designs.ONE_IMAGE,
            excluded="training images of a test patient",
            split="the official test list of version 6; heads train on 90% of the training patients and "
            "stop by the others",
            thresholds="none: the class of the highest score",
        ),
        "siim_pneumothorax": {
            **designs.SIIM,
            "excluded": "of the Dice, images without pneumothorax; `all images` has them",
            "thresholds": "probability 0.5 of a pixel, not chosen",
        },
        "chexpert_5x200": designs.CHEXPERT_5X200,
    }


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; `quick` trains two epochs or steps."""
    if arg not in (None, "", "quick"):
        raise ValueError(f"configs/evaluate/gloria_mgca.py has no variant {arg!r}; it has: quick")
    suite = ConfigDict()
    suite.draws = 200 if arg else 2000
    suite.seed = 0
    suite.tasks = _tasks(bool(arg))
    suite.benchmark = dict(
        title="GLoRIA and MGCA",
        source=f"{GLORIA}; {MGCA}",
        designs=_designs(),
        tables=_tables(),
        departures=DEPARTURES,
        not_offered=NOT_OFFERED,
    )
    return suite
