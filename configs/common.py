# SPDX-License-Identifier: Apache-2.0
"""Values that the image-text-label configs share: the paper's recipe and its small variants.

The recipe is that of "A Reality Check of Vision-Language Pre-training in Radiology"
(arXiv:2504.05227) and its release, where both agree.
"""

from ml_collections import ConfigDict

VARIANTS = ("", "smoke", "tiny")


def variant(config: ConfigDict, arg: str | None) -> ConfigDict:
    """Apply the variant named after the colon of `--config=FILE:VARIANT`."""
    name = arg or ""
    if name == "smoke":
        _smoke(config)
    elif name == "tiny":
        _smoke(config)
        _tiny(config)
    elif name:
        raise ValueError(f"unknown config variant {name!r}; known: {', '.join(VARIANTS[1:])}")
    return config


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
            # The release also flips; a flip is wrong wherever a report names a side.
            augment=dict(
                probability=0.25, rotate=5.0, scale=(0.9, 1.0), brightness=0.2, contrast=0.2
            ),
        )
    )
    config.data = ConfigDict(
        dict(
            data_dir="data",
            size=224,
            text_length=77,
            vocabulary="radiology",
            shuffle="none",
            mixture=dict(
                mimic_cxr=dict(split="train", weight=154_595.0, text="report"),
                chexpert=dict(split="train", weight=191_026.0, text="prompt"),
            ),
        )
    )
    # 30 epochs of 345,621 frontal images; warm-up of one epoch.
    config.train = ConfigDict(
        dict(batch_size=128, steps=81_000, log_every=50, checkpoint_every=2_700, tensorboard=True)
    )
    config.optimizer = ConfigDict(
        dict(
            name="adamw",
            learning_rate=1e-4,
            warmup_steps=2_700,
            weight_decay=1e-5,
            decay_mask="all",
            clip_norm=1.0,
        )
    )
    config.mesh = ConfigDict(dict(data=-1, fsdp=1, tensor=1))
    config.rules = "dp"
    config.evaluate = ConfigDict()
    return config


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
    config.data.mixture = ConfigDict(
        dict(
            simulated_cxr_m=dict(split="train", weight=1.0, text="report"),
            simulated_cxr_c=dict(split="train", weight=1.0, text="prompt"),
        )
    )
    config.train.update(dict(batch_size=64, steps=300, log_every=20, checkpoint_every=150))
    config.optimizer.update(
        dict(learning_rate=2e-3, warmup_steps=50, weight_decay=1e-2, decay_mask="kernels")
    )


def _tiny(config: ConfigDict) -> None:
    """The smoke variant for a few steps: for tests of the machinery, not of learning."""
    config.train.update(
        dict(batch_size=16, steps=20, log_every=5, checkpoint_every=5, tensorboard=False)
    )
    config.optimizer.warmup_steps = 4
