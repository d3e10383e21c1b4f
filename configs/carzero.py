# SPDX-License-Identifier: Apache-2.0
"""CARZero (arXiv:2402.17417): texts that question the regions of images, and images the words of texts.

    python launch/train.py --config=configs/carzero.py --workdir=runs/carzero
    python launch/train.py --config=configs/carzero.py:smoke --workdir=runs/carzero_smoke

The first is the release's size: ViT-B/16 at 224 px from MRM's weights, BERT-base, one sentence of 97 tokens, a
decoder of four layers over all pairs of a batch of 256, 15 epochs of the 217,000 frontal studies of a data set that you
name `mimic_cxr`; it was not run here. The release's sentences are those of the report and of a language
model's short form of it, which prompts like "There is edema" resemble; its rate is halved on plateaus. The second
trains on two CPU cores, on the impressions of site M of the simulated cohort, started from configs/cxr_bert.py:smoke; its
score in zero-shot text is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs import gloria
from medst_jax.configs.parts import initial, reports


@initial.starts(image="mrm_vit_b16", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("carzero", size=224, text_length=97, batch_size=256, steps=12_700)
    reports.pad_and_crop(config)
    config.system.preprocess.update(dict(mean=0.4978, std=0.2449))
    # No flip, which the release has: reports name sides.
    config.system.augment.update(
        dict(rotate=30.0, translate=0.1, scale=(0.9, 1.1), gain=0.2, contrast=0.2, clip=True)
    )
    config.system.image = ConfigDict(dict(name="vit_sincos_b16", dtype="bfloat16", remat="full"))
    config.system.text.remat = "full"
    config.system.update(
        dict(
            joint=768,
            decoder=dict(
                heads=4,
                depth=4,
                mlp=1024,
                hidden=(1024, 512, 256),
                chunk=32,
                dtype="bfloat16",
            ),
            stage=-2,
            negatives="other_texts",
        )
    )
    # The release grew out of GLoRIA's and kept its optimizer; it halves the rate after five epochs without a
    # better validation loss; here it falls along a cosine of its 15 epochs.
    config.optimizer.update(gloria.OPTIMIZER)
    if reports.small(config, arg):
        reports.small_impressions(config, steps=1_000)
        config.system.decoder = ConfigDict(dict(depth=2, mlp=128, hidden=(64, 32)))
        config.optimizer.clip_norm = 1.0
    for dataset in config.data.mixture.values():
        dataset.sentences = "one"
    if not arg:
        # Without numbers and marks, which the release strips too; see medst_jax/text/cleaning.py.
        config.data.mixture.mimic_cxr.cleaning = "words"
    del config.system["temperature"]
    return config
