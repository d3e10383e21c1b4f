# SPDX-License-Identifier: Apache-2.0
"""Pixels of findings on frozen maps, and single against multi-image reading, on the simulated cohort.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/dense.py --output=DIR

Heads and probes are trained at site E1, whose images never train a system; the test patients are
others. Masks and findings are the simulator's truth.
"""

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.smoke import CLASSES

MARKED = ("Pneumothorax", "Consolidation", "Pleural Effusion")


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/dense.py has no variant {arg!r}")
    true = dict(dataset="simulated_cxr_e1", kind="multi", labels="truth")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        f"masks of {finding}": dict(
            protocol="dense_prediction",
            task=dict(split="enriched", classes=(finding,), **true),
            train=dict(split="test", **true),
            training=dict(width=16, steps=150),  # for a CPU
        )
        for finding in MARKED
    }
    suite.tasks["prior image"] = dict(
        protocol="prior_image",
        task=dict(split="progression", classes=CLASSES, **true),  # where every study has a prior
        train=dict(split="test", **true),
    )
    return suite
