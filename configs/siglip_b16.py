# SPDX-License-Identifier: Apache-2.0
"""SigLIP of size B/16 at 224 px: the workload whose speed and memory every reader can compare.

    python launch/plan.py  --config=configs/siglip_b16.py --topology=v5e:4x4 --per_chip_batch=128
    python launch/train.py --config=configs/siglip_b16.py --workdir=runs/siglip_b16
    python launch/train.py --config=configs/siglip_b16.py:smoke --workdir=runs/siglip_smoke

ViT-B/16 with attention pooling, a 12-layer text transformer of width 768, 64 tokens of a
vocabulary of 32,000, sigmoid loss, AdamW with a bfloat16 first moment: the sizes and optimizer
of Zhai et al. (arXiv:2303.15343). The first command needs no data and no TPU; the second trains
on data sets that you name `mimic_cxr` and `chexpert` and was not run here; the third is
the small size for two CPU cores, not timed yet; its balanced accuracy is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial


@initial.starts()
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("siglip")
    config.system.update(
        dict(
            image=dict(name="vit_b16", pooling="map", activation="gelu_tanh", dtype="bfloat16"),
            text=dict(name="transformer_b", dtype="bfloat16"),
            joint=768,
            temperature=0.1,
            bias=-10.0,
            vocabulary_size=32_000,
        )
    )
    config.system.preprocess.update(dict(mean=0.5, std=0.5))
    config.system.augment = ConfigDict(dict(probability=0.0))
    config.data.text_length = 64
    config.train.update(dict(batch_size=2048, steps=20_000, checkpoint_every=1_000))
    config.optimizer.update(
        dict(
            learning_rate=1e-3,
            warmup_steps=1_000,
            warmup_start=0.0,
            b2=0.95,
            # Times the schedule, not times the rate: a matrix without gradients would keep .368 of itself over the
            # run, by the rule of AdamW .999. Embeddings do not decay.
            weight_decay=1e-4,
            weight_decay_form="schedule",
            decay_mask="named_kernels",
            moment_dtype="bfloat16",
        )
    )
    config = common.variant(config, arg)
    if arg:
        config.system.image = ConfigDict(
            dict(name="vit_small", pooling="map", activation="gelu_tanh")
        )
        config.system.text = ConfigDict(dict(name="transformer_small"))
    return config
