# SPDX-License-Identifier: Apache-2.0
"""KAD, first stage (arXiv:2302.14042): a text encoder of medical knowledge, from pairs of texts.

    python launch/prepare.py --dataset=text_pairs --name=umls --source_dir=FOLDER --data_dir=data
    python launch/train.py --config=configs/kad_knowledge.py --workdir=runs/kad_knowledge
    python launch/prepare.py --dataset=simulated_knowledge --data_dir=data
    python launch/train.py --config=configs/kad_knowledge.py:smoke --workdir=runs/kad_knowledge_smoke

The first is BERT-base on the pairs of a table that you write from UMLS, which is licensed: names with
definitions, and ends of relations (batch 256, 128 tokens, 10,000 steps of warm-up, decay .2). The
release starts from UMLSBert or PubMedBERT, here from a clinical BERT; its length in steps is declared;
it was not run here. The second trains on two CPU cores on 150 pairs about the simulated cohort's
findings. Stage two takes over the encoder and its head, as exported: `--config.init.text` and
`--config.init.heads` of configs/kad.py. A text encoder alone has no balanced accuracy.
"""

from ml_collections import ConfigDict, config_dict

from medst_jax.configs.parts import common, initial, reports
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.image_text("kad_knowledge")
    config.system.joint = 768
    config.data.text_length = 128
    config.data.mixture = common.mixture(umls=DataSetOptions())
    config.train.update(dict(batch_size=256, steps=200_000, checkpoint_every=5_000))
    config.optimizer.update(
        dict(
            learning_rate=5e-5,
            warmup_start=0.0,
            warmup_steps=10_000,
            weight_decay=0.2,
            decay_mask="all",
            clip_norm=0.0,
        )
    )
    common.variant(config, arg)
    if arg:
        common.check_datasets(arg, "simulated_knowledge")
        config.system.text.depth = 1
        config.data.mixture = common.mixture(simulated_knowledge=DataSetOptions())
        config.train.steps = min(config.train.steps, 300)
    temperature = config.system.temperature
    reports.text_only(config)
    config.system.update(
        dict(temperature=temperature, loss_form="dense", loss_chunk=config_dict.placeholder(int))
    )
    return config
