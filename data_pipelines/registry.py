# SPDX-License-Identifier: Apache-2.0
"""The data sets `prepare.py` can make, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Source

_LISTED = "_benchx"
SIMULATED_DEFAULTS = {"patients": 2000, "size": 224, "seed": 0}


class RequestError(ValueError):
    """Flags that do not describe a data set; the message says which are missing."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; None leaves the choice to the data set.

    name: of the data set to write. source_dir: folder of the raw files. patients, size, seed,
    confounding, comparing, sites: of a simulated cohort. redistributable: whether data cards and exports may show
    pixels. labels_from_reports: vocabulary that labels an image table's reports, "" for none.
    table: how an image table is to be understood. only_existing: leave out rows whose image is
    not in the folder.
    rule: by which the images of a 5x200 set are drawn.
    split_lists: folder of the lists of a benchmark, which say which image is in which split.
    """

    name: str | None = None
    source_dir: str | None = None
    patients: int | None = None
    size: int | None = None
    seed: int | None = None
    confounding: float | None = None
    comparing: float | None = None
    sites: tuple[str, ...] | None = None
    redistributable: bool = False
    labels_from_reports: str = ""
    table: TableOptions = field(default_factory=TableOptions)
    only_existing: bool = False
    rule: str = "published"
    split_lists: str = ""


def _image_table(request: Request) -> tuple[Source, ...]:
    from medst_jax.data_pipelines.image_table.source import ImageTable

    if not request.name or not request.source_dir:
        raise RequestError("--dataset=image_table needs --name=NAME and --source_dir=FOLDER")
    return (
        ImageTable(
            request.source_dir,
            request.name,
            request.redistributable,
            request.labels_from_reports,
            request.table,
            only_existing=request.only_existing,
        ),
    )


def _simulated_cxr(request: Request) -> tuple[Source, ...]:
    from medst_jax.data_pipelines.simulated_cxr.source import sources

    names = ("patients", "size", "seed", "confounding", "comparing", "sites")
    chosen = {name: getattr(request, name) for name in names}
    given = {key: value for key, value in chosen.items() if value is not None}
    try:
        return sources(**{**SIMULATED_DEFAULTS, **given})
    except ValueError as error:
        raise RequestError(f"--dataset=simulated_cxr: {error}") from error


def _text_pairs(request: Request) -> tuple[Source, ...]:
    from medst_jax.data_pipelines.texts.text_pairs import TextPairs

    if not request.source_dir:
        raise RequestError("--dataset=text_pairs needs --source_dir=FOLDER with text_pairs.csv")
    return (TextPairs(request.source_dir, request.name or TextPairs.name),)


def _simulated_knowledge(request: Request) -> tuple[Source, ...]:
    from medst_jax.data_pipelines.texts.text_pairs import SimulatedKnowledge

    del request
    return (SimulatedKnowledge(),)


def _listed(
    module: str, source: str, *asked: str, **options: str | bool
) -> Callable[[Request], tuple[Source, ...]]:
    """A data set of `data_pipelines.<module>`: the folder of its files, and what else is `asked`."""

    def make(request: Request) -> tuple[Source, ...]:
        if not request.source_dir:
            raise RequestError("this data set needs --source_dir=FOLDER, its official download")
        source_class = getattr(
            importlib.import_module(f"medst_jax.data_pipelines.{module}"), source
        )
        wanted = {name: getattr(request, name) for name in asked}
        if request.only_existing:
            if not issubclass(source_class, ListedSource):
                raise RequestError("--only_existing is of data sets with images; this has none")
            wanted["only_existing"] = True
        return (source_class(request.source_dir, **options, **wanted),)

    return make


def _by_lists(module: str, source: str, name: str) -> Callable[[Request], tuple[Source, ...]]:
    """The images of `source` under the name `name`, in the splits of a benchmark's lists."""
    listed = _listed(module, source, "split_lists", name=name)

    def make(request: Request) -> tuple[Source, ...]:
        if not request.split_lists:
            raise RequestError(
                f"{name} needs --split_lists=FOLDER, with train.txt, val.txt and test.txt of the benchmark"
            )
        return listed(request)

    return make


DATASETS: Mapping[str, Callable[[Request], tuple[Source, ...]]] = {
    "image_table": _image_table,
    "simulated_cxr": _simulated_cxr,
    "simulated_knowledge": _simulated_knowledge,
    "text_pairs": _text_pairs,
    "mimic_cxr_jpg": _listed("mimic_cxr.jpg", "MimicCxrJpg"),
    "mimic_cxr": _listed("mimic_cxr.dicom_release", "MimicCxr"),
    "mimic_cxr_jpg_sentences": _listed(
        "mimic_cxr.jpg", "MimicCxrJpg", name="mimic_cxr_jpg_sentences", sentence_labels=True
    ),
    "mimic_cxr_sentences": _listed(
        "mimic_cxr.dicom_release", "MimicCxr", name="mimic_cxr_sentences", sentence_labels=True
    ),
    "mimic_5x200": _listed("mimic_cxr.jpg", "Mimic5x200", "rule"),
    "mimic_edema": _listed("mimic_cxr.edema", "MimicEdema"),
    "chexpert": _listed("chexpert.source", "CheXpert"),
    "chexpert_visualchexbert": _listed(
        "chexpert.source",
        "CheXpert",
        name="chexpert_visualchexbert",
        train_table="train_visualCheXbert.csv",
    ),
    "chexpert_5x200": _listed("chexpert.source", "CheXpert5x200", "rule"),
    "chexpert_plus": _listed("chexpert_plus.source", "CheXpertPlus"),
    "nih_chestxray14": _listed("nih_chestxray14.source", "NihChestXray14"),
    "nih_lt": _listed("nih_chestxray14.long_tail", "NihLongTail"),
    "nih_lt_balanced": _listed("nih_chestxray14.long_tail", "NihLongTailBalanced"),
    "open_i": _listed("open_i.source", "OpenI"),
    "rsna_pneumonia": _listed("rsna_pneumonia.source", "RsnaPneumonia"),
    "siim_pneumothorax": _listed("siim_pneumothorax.source", "SiimPneumothorax"),
    "siim_pneumothorax_png": _listed("siim_pneumothorax.png_release", "SiimPng"),
    "object_cxr": _listed("object_cxr.source", "ObjectCxr"),
    "tbx11k": _listed("tbx11k.source", "Tbx11k"),
    "rsna_pneumonia_benchx": _by_lists(
        "rsna_pneumonia.source", "RsnaPneumonia", "rsna_pneumonia_benchx"
    ),
    "siim_pneumothorax_benchx": _by_lists(
        "siim_pneumothorax.png_release", "SiimPng", "siim_pneumothorax_benchx"
    ),
    "nih_chestxray14_benchx": _by_lists(
        "nih_chestxray14.source", "NihChestXray14", "nih_chestxray14_benchx"
    ),
    "vindr_cxr_benchx": _by_lists("vindr.source", "VinDrCxr", "vindr_cxr_benchx"),
    "tbx11k_benchx": _by_lists("tbx11k.source", "Tbx11k", "tbx11k_benchx"),
    "padchest": _listed("padchest.source", "PadChest"),
    "padchest_physicians": _listed(
        "padchest.source", "PadChest", name="padchest_physicians", method="Physician"
    ),
    "padchest_gr": _listed("padchest_gr.source", "PadChestGr"),
    "padchest_gr_es": _listed(
        "padchest_gr.source", "PadChestGr", name="padchest_gr_es", language="es"
    ),
    "bimcv_covid19": _listed("bimcv_covid19.source", "BimcvCovid19"),
    "bimcv_covid19_negative": _listed(
        "bimcv_covid19.source",
        "BimcvCovid19",
        name="bimcv_covid19_negative",
        table="labels_SARS-cov-2_nega.tsv",
    ),
    "candid_ptx": _listed("candid_ptx.source", "CandidPtx"),
    "brax": _listed("brax.source", "Brax"),
    "rexgradient": _listed("rexgradient.source", "RexGradient"),
    "vindr_cxr": _listed("vindr.source", "VinDrCxr"),
    "vindr_pcxr": _listed("vindr.source", "VinDrPcxr"),
    "covid_radiography": _listed("covid.radiography", "CovidRadiography"),
    "covidx": _listed("covid.covidx", "CovidX"),
    "covidx_cxr4": _listed("covid.covidx", "CovidX", name="covidx_cxr4"),
    "covid_chestxray": _listed("covid.chestxray", "CovidChestXray"),
    "chexpert_8x200": _listed("chexpert.retrieval", "Candidates"),
    "chexpert_8x200_queries": _listed("chexpert.retrieval", "ImageQueries"),
    "chexpert_8x200_text_queries": _listed("texts.table_pairs", "TextQueries"),
    "chest_imagenome": _listed("chest_imagenome.source", "ChestImaGenome"),
    "chest_imagenome_gold": _listed("chest_imagenome.source", "ChestImaGenomeGold"),
    "ms_cxr": _listed("ms_cxr.source", "MsCxr"),
    "ms_cxr_t": _listed("ms_cxr.temporal", "MsCxrT"),
    "ms_cxr_t_sentences": _listed("texts.table_pairs", "MsCxrTSentences"),
    "radnli": _listed("texts.inference", "RadNli"),
    "mednli": _listed("texts.inference", "MedNli"),
    "pubmed_abstracts": _listed("texts.pubmed", "PubMedAbstracts"),
    "mimic_notes": _listed("texts.notes", "MimicNotes"),
}


def make_sources(dataset: str, request: Request) -> tuple[Source, ...]:
    """The sources of a data set; a simulated cohort has one for every site.

    Raises:
      RequestError: unknown data set, or a flag it needs is missing.
    """
    if dataset not in DATASETS:
        raise RequestError(f"unknown data set {dataset!r}; known: {', '.join(sorted(DATASETS))}")
    if request.table != TableOptions() and dataset != "image_table":
        raise RequestError(
            f"--columns, --label_columns, --blank, --unlisted, --splits, --dates and "
            f"--table_encoding are of --dataset=image_table; {dataset} has a table of its own"
        )
    if request.only_existing and dataset == "simulated_cxr":
        raise RequestError("--only_existing is of downloads; simulated_cxr has no files to miss")
    if request.split_lists and not dataset.endswith(_LISTED):
        raise RequestError(
            f"--split_lists is of data sets named ..{_LISTED}; {dataset} has splits of its own"
        )
    if request.labels_from_reports and dataset != "image_table":
        raise RequestError(
            f"--labels_from_reports is of --dataset=image_table; {dataset} has labels of its own"
        )
    return DATASETS[dataset](request)
