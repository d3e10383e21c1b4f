# SPDX-License-Identifier: Apache-2.0
"""Values that the image-text-label configs share: the paper's recipe and its small variants.

The recipe is that of "A Reality Check of Vision-Language Pre-training in Radiology"
(arXiv:2504.05227) and its release, where both agree.
"""

import dataclasses
from typing import Any

from ml_collections import ConfigDict, config_dict

from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.train.options import InitOptions, MeshOptions, OptimizerOptions, TrainOptions

SMALL = ("smoke", "tiny")
VARIANTS = ("scratch", *SMALL)
# Three of four sentences of an impression affirm a finding, of a whole report one of three: a
# thousand steps learn far more from impressions (docs/pairs.md).
COHORT = {
    "simulated_cxr_m": DataSetOptions(sections=("impression",), sentences="shuffled"),
    "simulated_cxr_c": DataSetOptions(text="prompt"),
}


def variant(config: ConfigDict, arg: str | None) -> ConfigDict:
    """Apply the variant named after the colon of `--config=FILE:VARIANT[,DATASET+DATASET]`.

    The data sets, if any, replace those of the mixture, with equal weights. Sites of the
    simulated cohort are read as small variants read them.
    """
    name, _, datasets = (arg or "").partition(",")
    if name == "smoke":
        _smoke(config)
    elif name == "tiny":
        _smoke(config)
        _tiny(config)
    elif name:
        raise ValueError(f"unknown config variant {name!r}; known: {', '.join(VARIANTS)}")
    if datasets:
        named = {one: COHORT.get(one, DataSetOptions()) for one in datasets.split("+")}
        config.data.mixture = mixture(**named)
    return config


def reports_alone(config: ConfigDict, arg: str | None) -> ConfigDict:
    """Read site M alone in a small variant, if `arg` names no data sets.

    With half of each batch prompts of site C's labels, CLIP learns less (docs/pairs.md).
    """
    if arg and "," not in arg:
        config.data.mixture = mixture(simulated_cxr_m=COHORT["simulated_cxr_m"])
    return config


def check_datasets(arg: str | None, readable: str) -> None:
    """Raise a ValueError if `arg` names data sets other than the one that the variant reads."""
    named = (arg or "").partition(",")[2]
    if named not in ("", readable):
        raise ValueError(
            f"the data sets {named!r} are named after the variant, which reads {readable} alone; "
            "leave them out and set config.data.mixture"
        )


def image_text(name: str) -> ConfigDict:
    """The paper's recipe for a system with an image and a text encoder."""
    config = ConfigDict()
    config.seed = 0
    config.system = ConfigDict(
        dict(
            name=name,
            image=dict(name="resnet50", dtype="bfloat16"),
            text=dict(name="bert_base", dtype="bfloat16"),
            joint=512,
            temperature=0.07,
            preprocess=dict(size=224, fit="pad", mean=0.0, std=1.0),
            # The release also flips; a flip is wrong wherever a report names a side. It pads below
            # and at the right; here the image is in the middle, and its border is repeated.
            augment=dict(
                probability=0.25, rotate=5.0, scale=(0.9, 1.0), gain=0.2, contrast=0.2, clip=True
            ),
        )
    )
    config.data = _all_keys(
        DataOptions(
            size=224,
            text_length=77,
            vocabulary="radiology",
            mixture=dict(
                mimic_cxr=DataSetOptions(weight=154_595.0, text="report"),
                chexpert=DataSetOptions(weight=191_026.0, text="prompt"),
            ),
        )
    )
    config.init = initial()
    # 30 epochs of 345,621 frontal images; warm-up of one epoch.
    config.train = _all_keys(TrainOptions(batch_size=128, steps=81_000, checkpoint_every=2_700))
    # The release's cosine would end after 100 epochs, though it stops at 30 (the rate is then .8 of the peak), and it
    # stops early by the validation loss; here the cosine ends with the run, as the paper says, and the last step counts.
    # Its float16 with loss scaling is bfloat16 here, without; parameters and moments are float32 in both.
    config.optimizer = _all_keys(
        OptimizerOptions(
            learning_rate=1e-4,
            # From 1/2,700 of the rate at the first step to all of it at the 2,700th.
            warmup_steps=2_699,
            warmup_start=1 / 2_700,
            weight_decay=1e-5,
            decay_mask="all",
            clip_norm=1.0,
        )
    )
    config.mesh = _all_keys(MeshOptions())
    config.rules = "dp"
    config.evaluate = ConfigDict()
    config.execution = "auto"
    return config


def initial() -> ConfigDict:
    """The section `init` that names no weights: every encoder starts from random ones."""
    return _all_keys(InitOptions())


def contrastive(name: str) -> ConfigDict:
    """The recipe for a system whose loss compares all pairs, in a form of one's choice."""
    return with_forms(image_text(name))


def with_forms(config: ConfigDict) -> ConfigDict:
    """The same with the keys that choose the form of a loss over all pairs."""
    config.system.loss_form = "dense"
    config.system.loss_chunk = config_dict.placeholder(int)
    # The releases take every other row for a negative ("all"): one with the same sentence or prompt too.
    config.system.negatives = "other_texts"
    return config


def crop_at_random(config: ConfigDict) -> None:
    """ConVIRT's changes of images, which LoVT has too, but for the flip: reports name sides."""
    # Crops are taken from squares of 256 pixels, so that few of them are enlarged.
    config.data.size = 256
    config.system.augment = ConfigDict(
        dict(
            area=(0.6, 1.0),
            rotate=20.0,
            translate=0.1,
            scale=(0.95, 1.05),
            gain=0.4,
            contrast=0.4,
            clip=True,
            blur=(0.1, 3.0),
        )
    )


def freeze_half_of_bert(config: ConfigDict) -> None:
    """Leave a BERT's embeddings and its first six layers as they come."""
    config.optimizer.learning_rates = (
        (r"text_encoder/\w+_embeddings", 0.0),
        ("text_encoder/norm/", 0.0),  # that of the embeddings
    )
    config.optimizer.frozen_layers = (("text_encoder/layers/", 6),)


def with_reality_check_data(config: ConfigDict) -> ConfigDict:
    """The same on the data and labels of "A Reality Check of Vision-Language Pre-training in Radiology".

    MIMIC-CXR's labels are the union over the sentences of a report, each labelled alone; CheXpert's are
    VisualCheXbert's; a class is present or not, doubt is absence. The release's labeler is
    CheXpert's, on parses that are not at hand here; `medst_jax.text.labeler` stands for it.
    """
    config.data.mixture = mixture(
        mimic_cxr=DataSetOptions(
            dataset="mimic_cxr_jpg_sentences", weight=154_595.0, text="report", policy="dlilp"
        ),
        chexpert=DataSetOptions(
            dataset="chexpert_visualchexbert", weight=191_026.0, text="prompt", policy="dlilp"
        ),
    )
    return config


def mixture(**datasets: DataSetOptions) -> ConfigDict:
    """A mixture of data sets by name."""
    return ConfigDict({name: dataclasses.asdict(options) for name, options in datasets.items()})


def _all_keys(options: Any) -> ConfigDict:
    """Every field of an options dataclass, so that each is a flag; None can become an int."""
    values = dataclasses.asdict(options)
    empty = {key: config_dict.placeholder(int) for key, value in values.items() if value is None}
    return ConfigDict({**values, **empty})


def _smoke(config: ConfigDict) -> None:
    """Small encoders on the simulated cohort, two CPU cores."""
    config.system.image = ConfigDict(
        dict(name="resnet_small", widths=(16, 32, 64, 128), stem_width=12)
    )
    if "text" in config.system:
        config.system.text = ConfigDict(dict(name="bert_small", width=64, mlp=256))
    config.system.joint = 64
    config.system.preprocess = ConfigDict(dict(size=64, fit="pad", mean=0.5, std=0.25, channels=1))
    config.system.augment = ConfigDict(
        dict(
            probability=0.8,
            rotate=8.0,
            translate=0.06,
            scale=(0.9, 1.1),
            brightness=0.1,
            contrast=0.2,
        )
    )
    config.data.size = 64
    config.data.text_length = 32
    config.data.vocabulary = "simulated_cxr"
    config.data.mixture = mixture(**COHORT)
    config.train.update(dict(batch_size=64, steps=1000, log_every=20, checkpoint_every=250))
    config.optimizer.update(
        dict(
            learning_rate=2e-3,
            warmup_steps=50,
            warmup_start=0.0,
            schedule="cosine",
            end_fraction=0.0,
            eps=1e-8,
            bias_correction=True,
            weight_decay=1e-2,
            weight_decay_form="learning_rate",
            decay_mask="kernels",
            frozen_layers=(),
        )
    )
    config.optimizer.parts = ConfigDict()


def _tiny(config: ConfigDict) -> None:
    """The smoke variant for a few steps: for tests of the machinery, not of learning."""
    config.train.update(
        dict(batch_size=16, steps=20, log_every=5, checkpoint_every=5, tensorboard=False)
    )
    config.optimizer.warmup_steps = 4
