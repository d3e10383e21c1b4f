# SPDX-License-Identifier: Apache-2.0
"""CXR-CLIP (arXiv:2310.13292): two views and two sections of a study, all of which belong together.

    python launch/train.py --config=configs/cxr_clip.py --workdir=runs/cxr_clip
    python launch/train.py --config=configs/cxr_clip.py:smoke --workdir=runs/cxr_clip_smoke

The first is the release's size (ResNet-50, 224 px, 256 tokens, four devices of 128, rate 5e-5, 15 epochs with one of
warm-up) on data sets that you name `mimic_cxr` and `chexpert`, whose labels become sentences of its prompt bank; it was
not run here. The second trains on two CPU cores on the
simulated cohort; its balanced accuracy is in docs/reality_check.md.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial, reports
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(image="resnet50_imagenet_v1", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("cxr_clip", size=224, text_length=256, batch_size=512, steps=12_900)
    common.with_forms(config)
    # Two draws with replacement in the release give half of the reports one section twice; here both come. Equal texts
    # are negatives there.
    config.system.update(
        dict(
            joint=512,
            image_weight=1.0,
            text_weight=0.5,
            texts="independent",
            equal_sections="excluded",
        )
    )
    config.system.preprocess.update(dict(mean=0.5, std=0.5))
    # In training a part of the image, in evaluation all of the square in its middle. The release
    # draws the part from the whole picture; here from that square, stored at 256.
    config.data.size = 256
    config.system.augment = ConfigDict(
        dict(area=(0.8, 1.1), clahe=4.0, gain=0.1, contrast=0.2, clip=True)
    )
    config.data.mixture = common.mixture(
        # Shuffled as the paper says: in the release the shuffling has no effect.
        mimic_cxr=DataSetOptions(weight=222_628.0, sentences="shuffled"),
        chexpert=DataSetOptions(
            weight=216_478.0,
            text="prompt",
            prompts="cxr_clip",
            sentences="shuffled",
            lacks=("sections",),
        ),
    )
    # Of 439,106 studies. Float16 with loss scaling is bfloat16 here, and the last step counts, not the one of least
    # validation loss.
    config.optimizer.update(
        dict(learning_rate=5e-5, warmup_steps=860, weight_decay=1e-4, clip_norm=0.0)
    )
    if reports.small(config, arg):
        config.system.texts = "repeated"
    return config
