# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT, phase III (arXiv:2204.09817): section matching and masked words on reports.

    python launch/train.py --config=configs/cxr_bert.py --workdir=runs/cxr_bert
    python launch/train.py --config=configs/cxr_bert.py:smoke --workdir=runs/cxr_bert_smoke

The first is BERT-base on MIMIC-CXR with shuffled sentences and dropout 0.25; steps and rate are
declared, not quoted; it was not run here. It starts from the released CXR-BERT of phase II. The
second trains on two CPU cores on the reports of the simulated cohort. A text encoder alone has no
balanced accuracy: it is judged by sentence similarity.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import initial, reports


@initial.starts(text="cxr_bert_general")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("cxr_bert", size=224, text_length=128, batch_size=256, steps=45_000)
    config.system.text.dropout = 0.25
    config.optimizer.update(dict(learning_rate=2e-5, warmup_steps=1_350))
    if reports.small(config, arg):
        config.train.steps = min(config.train.steps, 300)
    reports.text_only(config)
    config.system.update(
        dict(temperature=0.5, language_weight=0.1, mask=ConfigDict(dict(rate=0.15, token=4)))
    )
    return config
