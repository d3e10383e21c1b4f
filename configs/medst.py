# SPDX-License-Identifier: Apache-2.0
"""Med-ST by its paper and release (arXiv:2405.19654), without the release's defects.

    python launch/train.py --config=configs/medst.py --workdir=runs/medst
    python launch/train.py --config=configs/medst.py:smoke --workdir=runs/medst_smoke

The first is the paper's size: ViT-B/16 with view experts at 224 px, six BERT layers, 112 tokens,
80 studies a step (two devices of 40), 8 epochs of 230,000 frontal studies, warm-up over 40% of
the steps; it was not run here. One frontal per study; the impression before the findings. Sixteen chips
take batches of 32 a chip (docs/temporal.md). The second takes six minutes of one of two CPU cores, on site M of the
simulated cohort (8,000 patients, 64 px), started from configs/cxr_bert.py:smoke: view experts on a ResNet's map, linear
heads, impressions, a tenth of the weight for the local and the temporal term. At a site that never trains (mean of three seeds) a
probe on its frozen encoder scores a mean AUROC of findings of 0.70 (random encoder 0.55), and its balanced accuracy of
gone, still there or new is 0.43 (0.33). Its claim does not hold: without the temporal term all is the same, see docs/temporal_results.md.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial, reports


@initial.starts(image="mgca_vit_b16", text="mgca_vit_b16", vocabulary="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("medst", size=224, text_length=112, batch_size=80, steps=23_000)
    common.with_forms(config)
    reports.pad_and_crop(config)
    config.system.update(
        dict(
            heads="batch_norm",
            hidden=2048,
            temperature=0.07,
            local_temperature=0.1,
            temporal_temperature=0.1,
            global_weight=1.0,
            local_weight=1.0,
            temporal_weight=1.0,
            times="uniform",
            curriculum=0,
            local_negatives="other_words",
            temporal_negatives="other_texts",
        )
    )
    config.system.image = ConfigDict(dict(name="view_experts_b16", dtype="bfloat16"))
    config.system.text = ConfigDict(dict(name="bert_base", depth=6, dtype="bfloat16"))
    # From 1e-8 and back to it. The release computes in float32 and stops early by the validation loss; here the last
    # step counts.
    config.optimizer.update(
        dict(
            learning_rate=4e-5,
            warmup_steps=9_200,
            warmup_start=2.5e-4,
            end_fraction=2.5e-4,
            clip_norm=0.0,
        )
    )
    reports.impression_first(config)
    # Sequences of exactly four, the rest alone; the release's are of frontal images, here they are of studies.
    config.data.windows = "full"
    if reports.small(config, arg):
        config.data.windows = "even"
        config.system.heads = "linear"
        config.system.image = ConfigDict(dict(name="view_experts_hybrid_small"))
        # With a whole weight from the start the temporal term holds all embeddings together.
        config.system.local_weight = config.system.temporal_weight = 0.1
        reports.small_impressions(config)
        config.optimizer.clip_norm = 1.0
    return config
