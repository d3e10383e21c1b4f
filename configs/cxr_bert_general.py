# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT, phase I (arXiv:2204.09817): masked language modelling on general medical text.

    python launch/train.py --config=configs/cxr_bert_general.py --workdir=runs/cxr_bert_1
    python launch/train.py --config=configs/cxr_bert_general.py:smoke --workdir=runs/cxr_bert_1_smoke

The first is BERT-base from random weights on a data set of documents that you name `pubmed`; its
steps are declared, not quoted; it was not run here. Phase II goes on from the encoder,
which `prepare --weights` then reads back:

    python launch/export.py --checkpoint=runs/cxr_bert_1 --format=safetensors --output=exported
    cp -r exported/text_encoder data/weights/cxr_bert_phase1
    cp exported/tokenizer.* data/weights/cxr_bert_phase1
    python launch/prepare.py --weights=configs/cxr_bert_clinical.py --data_dir=data

The second trains on two CPU cores on the reports of the simulated cohort. A text encoder alone
has no balanced accuracy: it is judged by sentence similarity.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial, reports
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts()
def get_config(arg: str | None = None) -> ConfigDict:
    return language(arg, pubmed=DataSetOptions(sentences="all"))


def language(arg: str | None, **datasets: DataSetOptions) -> ConfigDict:
    """Masked language modelling on data sets of text."""
    config = reports.reports(
        "cxr_bert_language", size=224, text_length=256, batch_size=512, steps=100_000
    )
    reports.text_only(config)
    config.system.mask = ConfigDict(dict(rate=0.15, token=4))
    config.data.mixture = common.mixture(**datasets)
    config.optimizer.update(dict(learning_rate=2e-4, warmup_steps=5_000))
    reports.small(config, arg)
    return reports.text_only(config)
