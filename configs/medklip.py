# SPDX-License-Identifier: Apache-2.0
"""MedKLIP (arXiv:2301.02228): which findings of the report the image shows, and where.

    python launch/prepare.py --entities=mimic_cxr --data_dir=data
    python launch/train.py --config=configs/medklip.py --workdir=runs/medklip
    python launch/train.py --config=configs/medklip.py:smoke --workdir=runs/medklip_smoke

The first is the release's size (ResNet-50 up to its third stage from random weights, 224 px, 14 x 14
regions, four decoder layers of width 256, batch 48, rate 1e-4, 100 epochs) on the 217,000 frontal
studies of a data set that you name `mimic_cxr`; it was not run here. Its 82 entities and 42 places
come from the reports by this project's labeler, where the release has 75 and 51 from RadGraph
(`prepare --entities=mimic_cxr --radgraph=FILE` takes RadGraph's file). The release warms up for 500
steps and flips; a flip is wrong where places name sides. The second trains on two CPU cores on the
reports of site M of the simulated cohort (64 px, 13 entities); its text encoder should start from
configs/cxr_bert.py:smoke with `--config.init.text`. It is judged by its balanced accuracy over 7
findings, asked by entity (configs/evaluate/query_claims.py). After 400 steps on 2,000 patients, one
seed, the AUROC of these findings is 0.60 (entities of other studies 0.51), and of findings that it was
never asked about 0.60 (0.50); logits of different findings have no common zero, so that the highest one
is always of the same finding: balanced accuracy 0.14.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import initial, queries


@initial.starts(text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = queries.queries("medklip", width=256, batch_size=48, steps=452_000)
    # The release cuts the network after its third stage.
    config.system.image.update(dict(widths=(64, 128, 256), blocks=(3, 4, 6), strides=(1, 2, 2)))
    config.system.update(
        dict(stage=-1, hidden=1024, place_form="drawn", choices=8, place_weight=1.0)
    )
    config.optimizer.update(
        dict(learning_rate=1e-4, warmup_steps=500, end_fraction=0.1, weight_decay=0.02)
    )
    queries.small(config, arg)
    for key in ("joint", "temperature"):
        del config.system[key]
    return config
