# SPDX-License-Identifier: Apache-2.0
"""ConVIRT (arXiv:2010.00747): images against single sentences of their reports.

    python launch/train.py --config=configs/convirt.py --workdir=runs/convirt
    python launch/train.py --config=configs/convirt.py:smoke --workdir=runs/convirt_smoke

The first is the paper's size (ResNet-50, BERT-base, 224 px, batch 32, rate 1e-4) on the reports of a data set
that you name `mimic_cxr`; it was not run here. Its length (50 epochs) and schedule are declared: the paper halves
the rate on plateaus. BERT's embeddings and first six layers stay as they come. The second trains on
two CPU cores (four minutes of one), on single sentences of the impressions of site M of the simulated cohort (8,000
patients, 64 px). At a site that never trains (mean of three seeds) it reaches a balanced accuracy of 0.20 in
zero-shot text and 0.26 in the 16-shot probe (7 findings, chance 0.14; texts of other studies 0.14 and 0.16): its claim
holds, see docs/pairs.md.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(image="resnet50_imagenet_v1", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.image_text("convirt")
    config.system.update(
        dict(temperature=0.1, image_weight=0.75, hidden=512, negatives="other_texts")
    )
    # Images with reports alone, no prompts: one sentence, drawn anew each time.
    config.data.mixture = common.mixture(mimic_cxr=DataSetOptions(only=("text",)))
    common.crop_at_random(config)
    config.train.update(dict(batch_size=32, steps=360_000, checkpoint_every=7_200))
    # Adam whose decay is part of the gradient. The paper lowers the rate where the validation loss stands still; here it
    # falls along a cosine, so that a run depends on its length alone.
    config.optimizer.update(
        dict(
            learning_rate=1e-4,
            warmup_steps=0,
            warmup_start=0.0,
            weight_decay=1e-6,
            weight_decay_form="gradient",
            clip_norm=0.0,
        )
    )
    common.freeze_half_of_bert(config)
    common.reports_alone(common.variant(config, arg), arg)
    if arg:
        config.system.update(dict(hidden=64, negatives="all"))
        config.optimizer.learning_rates = ()
        for dataset in config.data.mixture.values():
            dataset.sentences = "one"
    return config
