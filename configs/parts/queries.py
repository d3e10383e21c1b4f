# SPDX-License-Identifier: Apache-2.0
"""Values that the configs of systems share that ask images about entities (MedKLIP, KAD)."""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common
from medst_jax.data.mixture.data_options import DataSetOptions

# Of the simulated cohort's findings those that its reports affirm and, most of them, deny.
ENTITIES = (
    "atelectasis",
    "cardiomegaly",
    "consolidation",
    "edema",
    "enlarged cardiomediastinum",
    "fracture",
    "lung lesion",
    "lung opacity",
    "pleural effusion",
    "pleural other",
    "pneumonia",
    "pneumothorax",
    "support devices",
)


def queries(name: str, *, width: int, batch_size: int, steps: int) -> ConfigDict:
    """The paper-size frame: ResNet-50, a frozen BERT, a decoder of that width."""
    config = common.image_text(name)
    config.system.preprocess = ConfigDict(
        dict(size=224, fit="crop", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    )
    config.system.preprocess.channels = 3
    # A fifth of the area to all of it, as in the releases; of 512 pixels, so that no part is enlarged. Rotation,
    # shifts and intensity stand for RandAugment. The releases also flip: no flips, reports name sides.
    config.system.augment = ConfigDict(
        dict(
            probability=1.0,
            area=(0.2, 1.0),
            rotate=10.0,
            translate=0.1,
            brightness=0.2,
            contrast=0.2,
        )
    )
    config.system.decoder = ConfigDict(
        dict(width=width, heads=4, depth=4, mlp=1024, dropout=0.1, dtype="bfloat16")
    )
    config.system.text_length = 64
    config.data.update(dict(size=512, fit="crop", text_length=128))
    config.data.mixture = common.mixture(mimic_cxr=DataSetOptions(sentences="all"))
    config.train.update(dict(batch_size=batch_size, steps=steps, checkpoint_every=5_000))
    config.optimizer.update(dict(warmup_start=0.0, decay_mask="all", clip_norm=0.0))
    return config


def small(config: ConfigDict, arg: str | None, steps: int = 600) -> bool:
    """Apply the variant named `arg`, on site M of the simulated cohort; whether there was one.

    Raises:
      ValueError: `arg` names another data set, or an unknown variant.
    """
    common.variant(config, arg)
    if not arg:
        return False
    common.check_datasets(arg, "simulated_cxr_m")
    # Three stages, and a map of 8 x 8 cells of 64 pixels.
    config.system.image = ConfigDict(
        dict(
            name="resnet_small",
            widths=(16, 32, 64),
            blocks=(1, 1, 1),
            strides=(2, 2, 1),
            stem_width=12,
        )
    )
    config.system.text.depth = 1
    config.system.decoder = ConfigDict(dict(width=64, heads=4, depth=2, mlp=128, dropout=0.1))
    config.system.update(dict(stage=-1, hidden=64, text_length=32))
    config.data.update(dict(fit="pad", text_length=96, entities=ENTITIES))
    config.data.mixture = common.mixture(simulated_cxr_m=DataSetOptions(sentences="all"))
    config.train.steps = min(config.train.steps, steps)
    return True
