# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning on the simulated cohort: findings with 1, 10 and 100% of the labels, and inference.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/fine_tuning.py --output=DIR

Encoders are tuned at site E1, whose images never train a system; the test patients are others.
Four and a half minutes on two cores.
"""

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.smoke import CLASSES


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/fine_tuning.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "findings": dict(
            protocol="fine_tune",
            task=dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES, kind="multi"),
            train=dict(dataset="simulated_cxr_e1", split="test"),
            fractions=(0.01, 0.1, 1.0),
            draws=3,
        ),
        "inference": dict(
            protocol="sentence_inference",
            dataset="simulated_cxr_e1",
            split="test",
            train_dataset="simulated_cxr_m",
        ),
    }
    return suite
