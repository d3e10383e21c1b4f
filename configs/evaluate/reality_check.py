# SPDX-License-Identifier: Apache-2.0
"""The reality check: the protocol of "A Reality Check of Vision-Language Pre-training in Radiology" on
the simulated site E1, and the trainings that are compared by it.

    python launch/reality_check.py --suite=configs/evaluate/reality_check.py --data_dir=data --output=runs/check
    python launch/reality_check.py --suite=configs/evaluate/reality_check.py:quick --data_dir=data --output=runs/quick
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/reality_check.py --output=DIR

Zero-shot with three kinds of prompts, with pairs that affirm and deny and with label prototypes, base
and new classes, the probe with 1 to 16 shots and with all training images, and retrieval; about 45
seconds of a core a model.
Every system with an image encoder takes part; KAD and MedKLIP read what
`prepare.py --entities=simulated_cxr_m` writes. `--weights=FOLDER` adds an encoder of another project.
`:quick` trains 20 steps of one seed and leaves out the tasks that take long: it shows that
everything works, not who wins. `:confounded` is for a cohort prepared with --confounding=0.8, in which
technique and devices go with disease: E1's `aligned`, `neutral` and `reversed` splits tie them as in
training, not at all, and the other way round.

"new" classes are new only to a run that left their labels out:
`launch/train.py ... --config.data.drop_labels="('Pleural Effusion','Pneumothorax','Lung Lesion')"`.
"""

from ml_collections import ConfigDict

# Findings that no label names, and that reports mention never to often.
from medst_jax.data_pipelines.simulated_cxr.findings.findings import EXTRA

BASE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema")
NEW = ("Pleural Effusion", "Pneumothorax", "Lung Lesion")

# An encoder as initialised, but for the batch norm, which takes up the statistics of the images.
FROZEN = ("--config.optimizer.learning_rate=0.0", "--config.optimizer.warmup_steps=0")
M, C, P = "simulated_cxr_m", "simulated_cxr_c", "simulated_cxr_p"
CONFOUNDED = ("aligned", "neutral", "reversed")
LONG = ("probe of each finding", "retrieval of reports", "retrieval by sentences")


def _cells() -> dict:
    """Which trainings are compared, on which columns."""
    return dict(
        systems=("clip", "convirt", "unicl", "medclip", "unimodal", "dlilp"),
        mixtures={"M": (M,), "C": (C,), "M+C": (M, C), "M+C+P": (M, C, P)},
        fixed={
            name: "M"
            for name in (
                "siglip_b16",
                "cxr_clip",
                "chexzero",
                "carzero",
                "sat",
                "lovt",
                "m_flag",
                "mrm",
                "gloria",
                "mgca",
                "medklip",
                "kad",
                "biovil",
                "biovil_l",
                "biovil_t",
                "medst",
                "mutual_information",
                "local_mutual_information",
                "joint_ranking",
                "image_only",
                "edema_vae",
            )
        },
        seeds=(0, 1, 2),
        variant="smoke",
        # Equal image-steps: some configs are shorter by themselves.
        flags=("--config.train.steps=300",),
        columns={
            "names": "balanced_accuracy",
            "prototypes": "balanced_accuracy",
            "probe/16 shots": "balanced_accuracy",
            "probe/100%": "balanced_accuracy",
            "natural prevalence": "auroc",
            "natural prevalence, pairs": "auroc",
            "base new/base": "balanced_accuracy",
            "base new/new": "balanced_accuracy",
            "base new/joint": f"harmonic_mean/{len(BASE)}",
            "descriptions": "balanced_accuracy",
        },
        outside="outside the labels",
        order=("names", "prototypes", "probe/16 shots", "probe/100%", "natural prevalence"),
        controls={
            # As many steps as the batch norm needs to take up the statistics of the images.
            "random encoder": dict(
                system="dlilp", mixture="M+C", flags=(*FROZEN, "--config.train.steps=50")
            ),
            # As ImageNet's encoders are made: labels alone. Whether text helps is asked of this row.
            "supervised on labels": dict(system="unimodal", mixture="M+C"),
            "shuffled pairs": dict(
                system="clip", mixture="M", flags=("--config.data.shuffle=pairs",)
            ),
            "shuffled pairs and labels": dict(
                system="dlilp", mixture="M+C", flags=("--config.data.shuffle=both",)
            ),
        },
        baselines=("all_pixels", "frame_pixels"),
        reference="random encoder",
        seconds=200.0,
    )


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite and its variants."""
    if arg not in (None, "", "quick", "confounded"):
        raise ValueError(
            f"configs/evaluate/reality_check.py has no variant {arg!r}; it has: quick, confounded"
        )
    enriched = dict(dataset="simulated_cxr_e1", split="enriched", classes=BASE + NEW)
    natural = dict(dataset="simulated_cxr_e1", split="test")
    zero_shot = dict(protocol="zero_shot", task=enriched)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "prototypes": dict(**zero_shot, mode="prototypes"),
        "names": dict(**zero_shot, mode="text", prompts="names", heat_maps=arg != "quick"),
        "ensemble": dict(**zero_shot, mode="text", prompts="ensemble"),
        "descriptions": dict(**zero_shot, mode="text", prompts="descriptions"),
        "base new": dict(protocol="base_new", task=enriched, base=BASE, new=NEW, prompts="names"),
        "natural prevalence": dict(
            protocol="zero_shot",
            task=dict(**natural, classes=BASE + NEW, kind="multi"),
            prompts="names",
        ),
        # Systems of whole reports read names backwards, for reports mostly deny what they name.
        "natural prevalence, pairs": dict(
            protocol="zero_shot",
            task=dict(**natural, classes=BASE + NEW, kind="multi"),
            mode="pairs",
        ),
        "outside the labels": dict(
            protocol="zero_shot",
            task=dict(
                dataset="simulated_cxr_e2",
                split="enriched",
                classes=EXTRA,
                kind="multi",
                labels="truth",
            ),
            mode="text",
            prompts="names",
        ),
        "probe": dict(protocol="linear_probe", task=enriched, train=natural, fractions=(1.0,)),
        "probe of each finding": dict(
            protocol="linear_probe",
            task=dict(**enriched, kind="multi"),
            train=natural,
            shots=(16,),
            fractions=(0.01, 0.1, 1.0),
        ),
        "retrieval of reports": dict(
            protocol="retrieval", dataset="simulated_cxr_m", split="test", limit=1000
        ),
        "retrieval by sentences": dict(
            protocol="retrieval",
            dataset="simulated_cxr_m",
            split="test",
            text="sentences",
            limit=1000,
        ),
    }
    suite.cells = _cells()
    if arg == "confounded":
        for split in CONFOUNDED:
            task = dict(dataset="simulated_cxr_e1", split=split, classes=BASE + NEW, kind="multi")
            suite.tasks[split] = dict(protocol="zero_shot", task=task, prompts="names")
            suite.tasks[f"{split} probe"] = dict(
                protocol="linear_probe",
                task=task,
                train=dict(dataset="simulated_cxr_m", split="train"),
                shots=(),
                fractions=(1.0,),
            )
            suite.cells.columns.update({split: "auroc", f"{split} probe/100%": "auroc"})
    if arg == "quick":
        for name in LONG:
            del suite.tasks[name]
        suite.draws = 200
        suite.cells.update(seeds=(0,), variant="tiny", seconds=60.0, flags=())
        suite.cells.controls["random encoder"].flags = FROZEN
    return suite
