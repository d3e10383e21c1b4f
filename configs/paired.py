# SPDX-License-Identifier: Apache-2.0
"""CLIP on all public sets of radiographs with reports that the builders read.

    python launch/prepare.py --dataset=NAME --source_dir=... --data_dir=data     (each set, and each evaluation set)
    python launch/prepare.py --vocabulary=radiology --data_dir=data --datasets=NAMES
    python launch/train.py --config=configs/paired.py --workdir=runs/paired
    python launch/plan.py --config=configs/paired.py --topology=v5e:4x4

Sets that you do not have are left out of `REPORTS` in a copy of this file. Weights are the training
studies of each release. The variant `with_prompts` adds four sets that have labels alone, as prompts.
CheXpert comes as CheXpert Plus, the same images with reports; RSNA, SIIM and the COVID collections
made of other sets stay out of training, so that they can be judged on. Nothing was trained on these data here: there is no score. The plan of v5e:4x4 (its command is above)
says 3.96 of 15.75 GiB a chip and 0.66 to 0.75 hours for the whole run, by the compiler's cost model. The variant `smoke` trains CLIP on the
simulated cohort, on two CPU cores.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial
from medst_jax.data.mixture.data_options import DataSetOptions

# Training studies; PadChest, CANDID-PTX, BRAX and Open-i have no official split: four of five patients train.
REPORTS = {
    "mimic_cxr_jpg": 222_758.0,
    "chexpert_plus": 187_511.0,
    "rexgradient": 140_000.0,
    "padchest": 88_000.0,
    "candid_ptx": 15_390.0,
    "padchest_gr": 3_190.0,
    "open_i": 3_140.0,
    "covid_chestxray": 400.0,
}
LABELS = {
    "nih_chestxray14": 86_524.0,
    "brax": 19_970.0,
    "vindr_cxr": 15_000.0,
    "vindr_pcxr": 7_728.0,
}


@initial.starts(image="resnet50_imagenet_v2", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("clip")
    sets = {
        name: DataSetOptions(weight=weight, text="report", sentences="shuffled")
        for name, weight in REPORTS.items()
    }
    if arg == "with_prompts":
        sets |= {
            name: DataSetOptions(weight=weight, text="prompt") for name, weight in LABELS.items()
        }
    config.data.mixture = common.mixture(**sets)
    # 30 epochs of 660,000 studies, a warm-up of one.
    config.train.update(dict(batch_size=512, steps=38_700, checkpoint_every=1_290))
    config.optimizer.update(dict(warmup_steps=1_290, warmup_start=0.0))
    return config if arg == "with_prompts" else common.variant(config, arg)
