# SPDX-License-Identifier: Apache-2.0
"""Tables 2 to 4 of "A Reality Check of Vision-Language Pre-training in Radiology" on its own data sets.

    python launch/evaluate.py --suite=configs/evaluate/dlilp.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/dlilp.py --data_dir=data --output=DIR

Zero-shot by prototypes where the system has one of every class, else by text; new classes always by
text. Probes on raw features with 1 to 16 shots, five draws. `configs/evaluate/reality_check.py` asks the
same of the simulated cohort.
"""

from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import designs, words
from medst_jax.evaluate.published import reality_check_numbers as numbers

PAPER = "arXiv:2504.05227"
COVID_2 = ("Normal", "COVID-19")
COVID_4 = (*COVID_2, "Viral Pneumonia", "Lung Opacity")
# Column of Table 2: test images.
TEST: dict[str, dict[str, Any]] = {
    "CheXpert": dict(dataset="chexpert_5x200", classes=words.FIVE),
    "MIMIC": dict(dataset="mimic_5x200", classes=words.FIVE),
    "SIIM": dict(dataset="siim_pneumothorax", classes=("Pneumothorax",), rest="Normal"),
    "RSNA": dict(dataset="rsna_pneumonia", classes=("Normal", "Pneumonia")),
    "NIH base": dict(dataset="nih_lt_balanced", classes=words.NIH_BASE),
    "NIH new": dict(dataset="nih_lt_balanced", classes=words.NIH_NEW),
    "VinDr base": dict(dataset="vindr_pcxr", classes=words.VINDR_PCXR_BASE),
    "VinDr new": dict(dataset="vindr_pcxr", classes=words.VINDR_PCXR_NEW),
}
# Where a probe trains, for the sets that are not cut in two.
TRAIN = {
    "siim_pneumothorax": "siim_pneumothorax",
    "rsna_pneumonia": "rsna_pneumonia",
    "nih_lt_balanced": "nih_lt",
    "vindr_pcxr": "vindr_pcxr",
    "covid_radiography": "covid_radiography",
}
BASE = ("CheXpert", "MIMIC", "SIIM", "RSNA", "NIH base", "VinDr base")
NEW = ("NIH new", "VinDr new")
# The tasks of Table 4, one a data set.
SEVEN: dict[str, dict[str, Any]] = {
    **{name: TEST[name] for name in ("CheXpert", "MIMIC", "SIIM", "RSNA")},
    "COVID": dict(dataset="covid_radiography", classes=COVID_4),
    "NIH": dict(dataset="nih_lt_balanced", classes=(*words.NIH_BASE, *words.NIH_NEW)),
    "VinDr": dict(dataset="vindr_pcxr", classes=(*words.VINDR_PCXR_BASE, *words.VINDR_PCXR_NEW)),
}
DEPARTURES = (
    "Prompts and descriptions are this project's own words; the paper's lists are not copied.",
    (
        "Probes of the 5x200 sets test every image once, in five folds by patient; the paper draws five "
        "tests of 20%, and a patient may be on both sides. Elsewhere the test images are the same for the "
        "five draws of shots."
    ),
    (
        "NIH-CXR-LT: trained on the official training set and tested on the balanced test set; the release "
        "trains on the balanced test set as well and tests on the balanced validation set."
    ),
    (
        "RSNA: one row an image (the release keeps one a box), the test part of 70/15/15; the images that are "
        "neither normal nor opaque are left out, as in the paper."
    ),
    (
        "SIIM, COVID-19, VinDr-PCXR: all images of the test part, not the first of each class; the metric is "
        "the mean of the classes' recalls, which their numbers do not move."
    ),
    "Numbers are the mean of the classes' recalls over all test images, not rounded a fold.",
    (
        "Table 4 is a mean of seven tasks that the paper names by data set; here they are the probes of all "
        "classes of each, COVID-19 with four."
    ),
)


def _of_task(table: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
    """The entries of the classes of a task."""
    classes = (*test["classes"], test.get("rest"))
    return {name: value for name, value in table.items() if name in classes}


def _zero_shot(test: dict[str, Any], **options: Any) -> dict[str, Any]:
    return dict(
        protocol="zero_shot",
        task=test,
        prototypes=_of_task(words.PROTOTYPES, test),
        prototype_mean="directions",
        **options,
    )


def _probe(test: dict[str, Any]) -> dict[str, Any]:
    train = TRAIN.get(test["dataset"])
    probe: dict[str, Any] = dict(protocol="linear_probe", task=test)
    if train is None:
        return {**probe, "without_train": "folds"}
    return {**probe, "train": dict(dataset=train, split="train")}


def _tasks() -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for name, test in TEST.items():
        mode = "text" if name in NEW else "auto"
        tasks[f"{name}, zero-shot"] = _zero_shot(
            test, mode=mode, prompts="ensemble", own_prompts=_of_task(words.ENSEMBLE, test)
        )
    for name in NEW:
        tasks[f"{name}, descriptions"] = _zero_shot(
            TEST[name],
            mode="text",
            prompts="descriptions",
            own_prompts=_of_task(words.DESCRIPTIONS, TEST[name]),
        )
    for count, classes in ((2, COVID_2), (4, COVID_4)):
        test = dict(dataset="covid_radiography", classes=classes)
        tasks[f"COVID {count}, names"] = _zero_shot(test, mode="text", prompts="names")
        tasks[f"COVID {count}, descriptions"] = _zero_shot(
            test, mode="auto", prompts="descriptions"
        )
    for name, test in {**TEST, **SEVEN}.items():
        tasks[f"{name}, probe"] = _probe(test)
    return tasks


def _table_2(title: str, task: str, rows: numbers.Numbers) -> dict[str, Any]:
    columns: list[dict[str, Any]] = [
        dict(name=name, task=f"{name}, {task}", metric="balanced_accuracy") for name in TEST
    ]
    means = {"mean base": BASE, "mean new": NEW, "mean": ("mean base", "mean new")}
    columns += [dict(name=name, mean_of=parts) for name, parts in means.items()]
    return dict(
        title=title,
        source=f"{PAPER}, Table 2",
        caption="Average accuracy over classes, %. Trained on MIMIC-CXR and CheXpert.",
        columns=tuple(columns),
        rows=tuple(dict(method=name, values=values) for name, values in rows.items()),
    )


def _table_3() -> dict[str, Any]:
    columns = tuple(
        dict(
            name=name,
            task=f"COVID {count}, {name}",
            metric="balanced_accuracy",
            group=f"{count} classes",
            digits=1,
        )
        for count in (2, 4)
        for name in ("names", "descriptions")
    )
    return dict(
        title="Table 3: zero-shot on COVID-19 radiographs",
        source=f"{PAPER}, Table 3",
        caption="Average accuracy over classes, %; descriptions, or prototypes where there are some.",
        columns=columns,
        rows=tuple(dict(method=name, values=v) for name, v in numbers.TABLE_3.items()),
    )


def _table_4() -> dict[str, Any]:
    columns = [
        dict(name=name, task=f"{name}, probe/16 shots", metric="balanced_accuracy")
        for name in SEVEN
    ]
    rows = [
        dict(method=f"{name} ({data})" if data else name, values=(*[None] * len(SEVEN), value))
        for (name, data), value in numbers.TABLE_4.items()
    ]
    return dict(
        title="Table 4: probe with 16 shots, by what was trained on",
        source=f"{PAPER}, Table 4",
        caption="Average accuracy over classes, %; the means alone are given of the published rows.",
        columns=(*columns, dict(name="mean", mean_of=tuple(SEVEN))),
        rows=tuple(rows),
    )


def _designs() -> dict[str, Any]:
    alone = dict(unit="image", views=designs.ONE_IMAGE, thresholds=designs.NO_THRESHOLD)
    return {
        "chexpert_5x200": designs.CHEXPERT_5X200,
        "mimic_5x200": designs.MIMIC_5X200,
        "siim_pneumothorax": designs.SIIM,
        "rsna_pneumonia": {
            **designs.RSNA,
            "excluded": "images of class No Lung Opacity / Not Normal; " + designs.OWN_PATIENTS,
        },
        "nih_lt_balanced": dict(
            alone,
            excluded=f"class Hernia; {designs.OWN_PATIENTS}",
            split="the balanced test set of NIH-CXR-LT; probes train on its training set",
        ),
        "vindr_pcxr": dict(
            alone,
            excluded="images with none or several of the classes",
            split="the official test set; probes train on 90% of the official training set",
        ),
        "covid_radiography": dict(
            alone,
            excluded="nothing: no patients are published",
            split="10% of the images, by a hash of their name; probes train on 80%",
        ),
    }


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/dlilp.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = _tasks()
    suite.benchmark = dict(
        title="A Reality Check of Vision-Language Pre-training in Radiology, Tables 2 to 4",
        source=f"Silva-Rodriguez, Dolz, Ben Ayed, {PAPER}, 2025",
        designs=_designs(),
        tables=(
            _table_2("Table 2: zero-shot", "zero-shot", numbers.TABLE_2_ZERO_SHOT),
            _table_2("Table 2: probe with 16 shots", "probe/16 shots", numbers.TABLE_2_PROBE),
            _table_3(),
            _table_4(),
        ),
        departures=DEPARTURES,
    )
    return suite
