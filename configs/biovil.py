# SPDX-License-Identifier: Apache-2.0
"""BioViL (arXiv:2204.09817): ResNet-50 and CXR-BERT, global alignment and hidden words.

    python launch/train.py --config=configs/biovil.py --workdir=runs/biovil
    python launch/train.py --config=configs/biovil.py:smoke --workdir=runs/biovil_smoke

The first is the paper's size (480 px, shuffled sentences of the impression); no training code was released, so that
learning rate, batch, schedule and temperature are declared here, not quoted; it was not run here. It starts from
a CXR-BERT of phase III, which you train (configs/cxr_bert.py), and from ImageNet. The second takes five minutes of one of two CPU cores, on site M of the
simulated cohort (8,000 patients, 64 px), started from configs/cxr_bert.py:smoke. At a site that never trains (mean of three
seeds) a probe on its frozen encoder scores a mean AUROC of findings of 0.73 (random encoder 0.60, reports of other studies 0.62), and the signed
contrast-to-noise ratio of phrases is 0.36 (-0.03, -0.19): its claim holds, see docs/temporal_results.md. Its balanced accuracy of gone, still there or new is about 0.48.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial, reports


@initial.starts(image="resnet50_imagenet_v1", text="cxr_bert_phase3", vocabulary="cxr_bert_general")
def get_config(arg: str | None = None) -> ConfigDict:
    return paper("biovil", arg)


def paper(name: str, arg: str | None) -> ConfigDict:
    """BioViL's values under another system's name, for those that build on it."""
    config = reports.reports(name, size=480, text_length=128, batch_size=256, steps=45_000)
    common.with_forms(config)
    config.system.update(
        dict(temperature=0.5, language_weight=1.0, mask=ConfigDict(dict(rate=0.15, token=4)))
    )
    # The release's inference: shorter side to 512, centre of 480; it first spreads each image's grey
    # values over all 256, here those of 16 bits alone. Rotation, shear and jitter are the paper's.
    config.system.preprocess.crop_from = config.data.size = 512
    config.system.augment.update(dict(rotate=30.0, shear=15.0, gain=0.2, contrast=0.2, clip=True))
    config.optimizer.update(dict(learning_rate=2e-5, warmup_steps=1_350))
    config.data.mixture.mimic_cxr.sections = ("impression",)
    if reports.small(config, arg):
        config.system.temperature = 0.1
        config.system.image.strides = (2, 2, 1, 1)  # maps of 8 x 8
        reports.small_impressions(config)
    return config
