# SPDX-License-Identifier: Apache-2.0
"""MedCLIP (arXiv:2210.10163): any image against any text, by the likeness of their labels.

    python launch/train.py --config=configs/medclip.py --workdir=runs/medclip
    python launch/train.py --config=configs/medclip.py:smoke --workdir=runs/medclip_smoke

The first is the release's size (Swin-T, BERT-base, 224 px, 77 tokens, batch 100, 10 epochs) on data sets that
you name `mimic_cxr` and `chexpert`; it was not run here. CheXpert's images come with sentences of
MIMIC-CXR that affirm one of their classes, every image with two. The second trains on two CPU cores, on the simulated cohort (64 px), or in five to eight minutes of one beside other work;
with single sentences of whole reports in place of impressions (2,000 patients) its balanced accuracy over 7 findings (mean of three seeds) was 0.21 in zero-shot
text and 0.20 in the 16-shot probe (random encoder 0.14 and 0.15).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(image="swin_tiny_imagenet", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("medclip")
    config.system.similarity = "product"
    # Images of CheXpert meet sentences of MIMIC-CXR that affirm one of their classes. Two sentences are drawn; the release
    # draws one and takes a copy of altered words for the second, with its labels, though "no" may be lost.
    config.data.mixture = common.mixture(
        mimic_cxr=DataSetOptions(weight=154_595.0, text="report"),
        chexpert=DataSetOptions(weight=191_026.0, text="unpaired", texts_of="mimic_cxr"),
    )
    config.system.second_text = not arg
    # No pair is a negative: the likeness of labels says how well any two rows match.
    del config.system.negatives
    config.system.image = ConfigDict(dict(name="swin_tiny", dtype="bfloat16"))
    config.system.preprocess.update(dict(mean=0.5862785803, std=0.2795008897))
    # The release also flips; a flip is wrong wherever a text names a side. It trains on any 224 of
    # 256 pixels, and evaluates whole images at 224.
    config.data.size = 256
    side = 224 / 256
    config.system.augment = ConfigDict(
        dict(
            area=(side**2, side**2),
            aspect=(1.0, 1.0),
            rotate=10.0,
            translate=0.0625,
            scale=(0.8, 1.1),
            gain=0.2,
            contrast=0.2,
            clip=True,
        )
    )
    config.train.update(dict(batch_size=100, steps=34_500, checkpoint_every=3_450))
    # The release leaves out what is named bias or LayerNorm; its Swin names its norms otherwise, so that their scales
    # decay there (by 2e-9 a step) and not here. Float16 with loss scaling is bfloat16 here.
    config.optimizer.update(
        dict(
            learning_rate=2e-5,
            warmup_steps=3_450,
            warmup_start=0.0,
            eps=1e-6,
            weight_decay=1e-4,
            decay_mask="weights",
        )
    )
    return common.variant(config, arg)
