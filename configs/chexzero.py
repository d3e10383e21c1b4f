# SPDX-License-Identifier: Apache-2.0
"""CheXzero (Nature Biomedical Engineering 2022): CLIP trained further on images and impressions.

    python launch/train.py --config=configs/chexzero.py --workdir=runs/chexzero
    python launch/train.py --config=configs/chexzero.py:smoke --workdir=runs/chexzero_smoke

The first is the release's size: OpenAI's ViT-B/32 at 224 px and its text transformer of 77 tokens, batches of
16, four epochs of the 217,000 frontal studies of a data set that you name `mimic_cxr` (the release reads the 377,110
images of all views); it was not run here. The second trains on two CPU cores on the impressions of site M of the
simulated cohort, from random weights; its score in zero-shot text is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(image="openai_clip_b32", text="openai_clip_b32")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("chexzero")
    config.system.update(
        dict(
            image=dict(name="clip_b32", dtype="bfloat16"),
            text=dict(name="clip_text_b", dtype="bfloat16"),
            temperature=0.01,  # where CLIP's own training ended
        )
    )
    # Of grey values: mean 101.48761 and deviation 83.43944 of 255.
    config.system.preprocess.update(dict(mean=101.48761 / 255, std=83.43944 / 255))
    config.system.augment = ConfigDict(dict(probability=0.0))
    config.data.size = 320
    config.data.mixture = common.mixture(
        mimic_cxr=DataSetOptions(sections=("impression",), sentences="all")
    )
    config.train.update(dict(batch_size=16, steps=54_000, checkpoint_every=1_000))
    config.optimizer.update(
        dict(
            name="sgd",
            learning_rate=1e-4,
            momentum=0.9,
            schedule="constant",
            warmup_steps=0,
            warmup_start=0.0,
            weight_decay=0.0,
            clip_norm=0.0,
        )
    )
    common.reports_alone(common.variant(config, arg), arg)
    if not arg:
        # The suite chexzero averages those that `evaluate --steps` names.
        config.train.keep = 10
    else:
        config.system.image = ConfigDict(dict(name="clip_small"))
        config.system.text = ConfigDict(dict(name="clip_text_small"))
        config.system.temperature = 0.07
        config.optimizer.update(dict(name="adamw", schedule="cosine", clip_norm=1.0))
    return config
