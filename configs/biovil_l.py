# SPDX-License-Identifier: Apache-2.0
"""BioViL-L (arXiv:2204.09817): BioViL with a local loss between words and patches.

    python launch/train.py --config=configs/biovil_l.py --workdir=runs/biovil_l
    python launch/train.py --config=configs/biovil_l.py:smoke --workdir=runs/biovil_l_smoke

As configs/biovil.py, with the local loss at weight 1 (declared, not quoted) as a ring over
devices. The second takes eight minutes of one of two CPU cores, as configs/biovil.py:smoke; findings 0.73, phrases 0.31,
balanced accuracy of gone, still there or new 0.47: it learns, and points no better than BioViL, see docs/temporal_results.md.
"""

from ml_collections import ConfigDict, config_dict

from medst_jax.configs import biovil
from medst_jax.configs.parts import initial


@initial.starts(image="resnet50_imagenet_v1", text="cxr_bert_phase3", vocabulary="cxr_bert_general")
def get_config(arg: str | None = None) -> ConfigDict:
    config = biovil.paper("biovil_l", arg)
    config.system.update(
        dict(
            local_weight=1.0,
            word_temperature=0.25,
            pool_temperature=0.2,
            local_temperature=0.1,
            local_negatives="other_texts",
        )
    )
    config.system.local_chunk = config_dict.placeholder(int)
    if arg:
        config.system.update(dict(loss_form="chunked", local_chunk=8))  # half the time of "dense"
    else:
        config.system.loss_form = "ring"  # words x patches of all pairs would not fit
    return config
