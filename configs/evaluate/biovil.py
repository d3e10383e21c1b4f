# SPDX-License-Identifier: Apache-2.0
"""The tables of BioViL and BioViL-T on their own data sets.

    python launch/evaluate.py --suite=configs/evaluate/biovil.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/biovil.py --data_dir=data --output=DIR

Phrases of MS-CXR, pneumonia of RSNA by prompts and with 1% of the labels, inference of RadNLI after MedNLI,
similarity of sentences, and the progression of MS-CXR-T by its macro accuracy.
"""

from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import designs, mimic, tables

BIOVIL, BIOVIL_T = "arXiv:2204.09817", "arXiv:2301.04558"
# Phrase grounding. The numbers of the two papers differ for BioViL, so there are two tables.
PHRASES_2022 = {
    "ClinicalBERT": (0.76, 0.224),
    "PubMedBERT": (0.77, 0.225),
    "GLoRIA": (0.93, 0.246),
    "BioViL": (1.02, 0.266),
    "BioViL-L": (1.14, 0.284),
}
PHRASES_2023 = {
    "BioViL": ("1.07 ± 0.04", "0.229 ± 0.005"),
    "BioViL, local loss": ("1.21 ± 0.05", "0.202 ± 0.010"),
    "BioViL-T, one image": ("1.33 ± 0.04", "0.243 ± 0.005"),
    "BioViL-T, with prior": (1.32, 0.240),
}
ZERO_SHOT = {
    "GLoRIA": (0.70, 0.58, None),
    "BioViL": (0.732, 0.665, 0.831),
    "BioViL-T": (0.805, 0.706, 0.871),
}
ONE_PERCENT = {"BioViL": (0.805, 0.723, 0.881), "BioViL-T": (0.814, 0.730, 0.890)}
INFERENCE = {
    "RadNLI's baseline": (53.30,),
    "ClinicalBERT": (47.67,),
    "PubMedBERT": (57.71,),
    "CXR-BERT, phase III": (60.46,),
    "CXR-BERT, phase III and joint training": (65.21,),
}
SIMILARITY = {
    "PubMedBERT": (60.39, 0.542, 81.38, 0.727),
    "CXR-BERT-General": (62.60, 0.601, 87.59, 0.902),
    "CXR-BERT-Specialized": (78.12, 0.837, 89.66, 0.932),
    "BioViL-T": ("87.77 ± 0.5", "0.933 ± 0.003", "90.52 ± 1.0", "0.947 ± 0.003"),
}
# Two classes of one label, so that there is an accuracy.
PNEUMONIA = dict(dataset="rsna_pneumonia", classes=("Pneumonia",), rest="No Pneumonia")
DEPARTURES = (
    (
        "MS-CXR: maps are compared in the encoder's square, not in the full image; the boxes of a phrase are "
        "united. Which mean the papers take is not said: those over findings and over phrases are both printed."
    ),
    (
        "RSNA: 15% of the images are for the test, 70% train (GLoRIA's recipe); BioViL tests on 30%. Accuracy and "
        "F1 are those of the sign of the score."
    ),
    (
        "RSNA, 1%: neither paper's text says whether the encoder is tuned. The table shows a linear layer on the "
        "frozen encoder; the task `RSNA, tuned` tunes both."
    ),
    (
        "RadNLI: a classifier reads [u, v, abs(u - v), u * v] of the two sentences; the papers read both in one "
        "sequence, which a text encoder without that training cannot."
    ),
    "Similarity: for the accuracy the threshold comes from the other folds; the papers do not say from where.",
    (
        "Progression: a linear layer on frozen embeddings of the pair, ten folds by patient; the paper trains on "
        "other MIMIC-CXR pairs. Its numbers are therefore not set beside ours."
    ),
)


def _tasks() -> dict[str, Any]:
    labels = dict(
        protocol="fine_tune",
        task=PNEUMONIA,
        train=dict(dataset="rsna_pneumonia", split="train"),
        fractions=(0.01,),
        draws=5,
        sampling="plain",
    )
    return {
        "phrases": dict(
            protocol="phrase_grounding",
            dataset="ms_cxr",
            split="all",
            train_dataset="ms_cxr",
            train_split="all",
            every_image=True,
        ),
        "RSNA": dict(
            protocol="zero_shot_pair",
            task=dict(dataset="rsna_pneumonia", classes=("Pneumonia",), kind="multi"),
            prompt_mean="raw_vectors",
        ),
        "RSNA, frozen": dict(**labels, tuning=dict(encoder="frozen", steps=500)),
        "RSNA, tuned": dict(**labels, tuning=dict(steps=500)),
        "inference": dict(
            protocol="sentence_inference", dataset="radnli", train_dataset="mednli", runs=5
        ),
        "sentences": dict(protocol="sentence_similarity", dataset="ms_cxr_t_sentences"),
        "RadNLI sentences": dict(
            protocol="sentence_similarity",
            dataset="radnli",
            same=("entailment",),
            different=("contradiction",),
        ),
        "progression": dict(
            protocol="temporal_classification",
            dataset="ms_cxr_t",
            findings=tables.FINDINGS,
            classifier="linear",
        ),
    }


def _phrases(title: str, source: str, values: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    metrics = (("CNR", "absolute_cnr", 2), ("mIoU", "miou", 3), ("signed CNR", "signed_cnr", 2))
    columns = [
        dict(
            name=name,
            task=f"phrases/{part}",
            metric=metric,
            scale=1.0,
            digits=digits,
            group=f"mean over {group}",
        )
        for group, part in (("findings", "map"), ("phrases", "phrases/map"))
        for name, metric, digits in metrics
    ]
    return dict(
        title=title,
        source=source,
        caption="Absolute contrast-to-noise ratio and mean overlap of all phrases. The signed ratio and the mean "
        "over phrases are ours alone.",
        columns=tuple(columns),
        rows=tables.rows(values, 4),
    )


def _decided(title: str, source: str, task: str, values: dict[str, tuple[Any, ...]]) -> Any:
    columns = (
        ("Acc", "accuracy"),
        ("F1", "f1/Pneumonia"),
        ("AUROC", "auroc/Pneumonia"),
    )
    return dict(
        title=title,
        source=source,
        caption="Accuracy, F1 of pneumonia, AUROC of the score.",
        columns=tuple(
            dict(name=name, task=task, metric=metric, scale=1.0, digits=3)
            for name, metric in columns
        ),
        rows=tables.rows(values),
    )


def _tables() -> tuple[dict[str, Any], ...]:
    similarity = []
    for group, task in (("MS-CXR-T", "sentences"), ("RadNLI", "RadNLI sentences")):
        similarity += [
            dict(name="Acc", task=f"{task}/threshold", metric="accuracy", group=group),
            dict(name="AUROC", task=task, metric="auroc/same", scale=1.0, digits=3, group=group),
        ]
    return (
        _phrases("Phrase grounding, 2022", BIOVIL, PHRASES_2022),
        _phrases("Phrase grounding, 2023", BIOVIL_T, PHRASES_2023),
        _decided("RSNA pneumonia, zero-shot", f"{BIOVIL}, {BIOVIL_T}", "RSNA", ZERO_SHOT),
        _decided(
            "RSNA pneumonia, 1% of the labels",
            f"{BIOVIL}, {BIOVIL_T}",
            "RSNA, frozen/1%",
            ONE_PERCENT,
        ),
        dict(
            title="RadNLI after MedNLI",
            source=BIOVIL,
            caption="Accuracy, mean of five runs, %.",
            columns=(dict(name="Acc", task="inference", metric="accuracy"),),
            rows=tables.rows(INFERENCE),
        ),
        dict(
            title="Sentence similarity",
            source=BIOVIL_T,
            caption="Accuracy in %, and AUROC, of cosines without training.",
            columns=tuple(similarity),
            rows=tables.rows(SIMILARITY),
        ),
        dict(
            title="Progression of MS-CXR-T",
            source=BIOVIL_T,
            caption="Macro accuracy of each finding, %. The paper's numbers are of other training pairs and not "
            "quoted here.",
            columns=tables.finding_columns("progression", "pair", "balanced_accuracy"),
            rows=tables.rows({"BioViL-T (not quoted)": ()}, 6),
        ),
    )


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/biovil.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = _tasks()
    suite.benchmark = dict(
        title="BioViL and BioViL-T: grounding, RSNA, inference, similarity, progression",
        source=f"Boecking et al., {BIOVIL}, ECCV 2022; Bannur et al., {BIOVIL_T}, CVPR 2023",
        designs={
            "ms_cxr": mimic.MS_CXR,
            "ms_cxr_t": mimic.MS_CXR_T,
            "ms_cxr_t_sentences": mimic.MS_CXR_T_SENTENCES,
            "rsna_pneumonia": {
                **designs.RSNA,
                "thresholds": "0 of the difference of two cosines; of tuned layers the more probable class",
            },
            "radnli": dict(
                unit="sentence pair",
                views="none: text alone",
                excluded="MedNLI pairs that share their first sentence with a test pair; for the similarity the "
                "neutral pairs",
                split="the released test file; MedNLI's training file tunes",
                thresholds="for the similarity's accuracy of nine folds for the tenth",
            ),
        },
        tables=_tables(),
        departures=DEPARTURES,
    )
    return suite
