# SPDX-License-Identifier: Apache-2.0
"""Values that the configs of edema severity and mutual information share.

The recipe is that of Liao et al. (arXiv:2103.04537) and Chauhan et al. (arXiv:2008.09884) and of
their releases: grey images scaled by their largest value at 256 or 2048 px, small residual nets,
shifts and rotations, reports of up to 320 word pieces.
"""

import dataclasses
from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.parts import common
from medst_jax.data.mixture.data_options import DataSetOptions

GRADED = DataSetOptions(only=("severity",))
SITE = "simulated_cxr_m"


def recipe(name: str, image: str, size: int, mixture: dict[str, DataSetOptions]) -> ConfigDict:
    """The papers' recipe: `mixture` maps an entry to how MIMIC-CXR's studies are chosen."""
    config = common.image_text(name)
    config.system.image = ConfigDict(dict(name=image, dtype="bfloat16"))
    # Reports cut into sentences are many short texts: their activations would fill the memory.
    config.system.text.remat = "full"
    config.system.preprocess = ConfigDict(
        dict(size=size, fit="crop", mean=0.0, std=1.0, channels=1)
    )
    # The releases divide each image by its largest value and fill with zeros what moves in; here
    # values stay and the border is repeated.
    config.system.augment = ConfigDict(dict(rotate=20.0, translate=0.1))
    del config.system.temperature
    config.data.size = size
    config.data.fit = "crop"
    config.data.text_length = 320
    config.data.mixture = _entries("mimic_cxr", mixture)
    config.optimizer.update(dict(warmup_start=0.0, clip_norm=0.0))
    return config


def length(config: ConfigDict, batch_size: int, steps: int) -> None:
    """Set the batch and the length of the run, with about three hundred checkpoints."""
    config.train.update(
        dict(batch_size=batch_size, steps=steps, checkpoint_every=max(steps // 300, 500))
    )


def image_recipe() -> dict[str, Any]:
    """Adam without warm-up, schedule and decay, as the releases train image nets and critics."""
    return dict(learning_rate=5e-4, warmup_steps=0, schedule="constant", weight_decay=0.0)


def bert_recipe(steps: int) -> dict[str, Any]:
    """BERT's AdamW as the releases have it, whose first moments are not corrected.

    A tenth of the steps is warm-up, then the rate falls in a straight line to 0. Biases and norm
    scales do not decay (the releases leave out those of BERT alone, by name).
    """
    return dict(
        learning_rate=2e-5,
        warmup_steps=steps // 10,
        schedule="linear",
        eps=1e-6,
        bias_correction=False,
        weight_decay=0.1,
        decay_mask="weights",
    )


def text_part(steps: int) -> ConfigDict:
    """BERT and its pooler by a recipe of their own, as a part of the optimizer."""
    return ConfigDict(dict(text=dict(pattern="^(text_encoder|pooler)/", **bert_recipe(steps))))


def variant(
    config: ConfigDict,
    arg: str | None,
    mixture: dict[str, DataSetOptions],
    image: dict[str, Any],
    steps: int,
) -> ConfigDict:
    """The variants of `common`, at most `steps` long, on site M alone and with whole reports."""
    config = common.variant(config, arg)
    common.check_datasets(arg, SITE)
    if arg:
        config.system.image = ConfigDict(image)
        config.train.steps = min(config.train.steps, steps)
        config.optimizer.clip_norm = 1.0
        config.data.mixture = _entries(SITE, mixture)
        if "text" in config.system:
            config.data.text_length = 96
            config.system.text.depth = 1
            # The text encoder is meant to come trained, the image encoder does not.
            config.optimizer.learning_rates = (("text_encoder", 0.1),)
    return config


def without_text(config: ConfigDict) -> ConfigDict:
    """For systems of images alone."""
    for key in ("text", "joint"):
        del config.system[key]
    config.optimizer.learning_rates = ()
    for entry in config.data.mixture.values():
        entry.text = "none"
    return config


def _entries(dataset: str, mixture: dict[str, DataSetOptions]) -> ConfigDict:
    entries = {
        name: dataclasses.replace(options, dataset=dataset) for name, options in mixture.items()
    }
    return common.mixture(**entries)
