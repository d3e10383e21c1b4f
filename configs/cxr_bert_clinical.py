# SPDX-License-Identifier: Apache-2.0
"""CXR-BERT, phase II (arXiv:2204.09817): masked language modelling on clinical text.

    python launch/train.py --config=configs/cxr_bert_clinical.py --workdir=runs/cxr_bert_2
    python launch/train.py --config=configs/cxr_bert_clinical.py:smoke --workdir=runs/cxr_bert_2_smoke

As phase I, on clinical notes and reports that you name `mimic_iii` and `mimic_cxr`, half as many
steps at half the rate (declared, not quoted); it was not run here. It starts from your
phase I. The second trains on two CPU cores on the reports of the simulated cohort. A
text encoder alone has no balanced accuracy: it is judged by sentence similarity.
"""

from ml_collections import ConfigDict

from medst_jax.configs import cxr_bert_general
from medst_jax.configs.parts import initial
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(text="cxr_bert_phase1")
def get_config(arg: str | None = None) -> ConfigDict:
    notes = DataSetOptions(sentences="all")
    config = cxr_bert_general.language(arg, mimic_iii=notes, mimic_cxr=notes)
    if not arg:
        config.train.steps = 50_000
        config.optimizer.learning_rate = 1e-4
    return config
