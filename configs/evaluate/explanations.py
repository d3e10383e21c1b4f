# SPDX-License-Identifier: Apache-2.0
"""What a system looks at: saliency of its own logits, and the words that bear a report's score.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/explanations.py --output=DIR

Site E1, whose images never train a system. Saliency needs a severity head or label prototypes, word
attribution a text encoder; what a system lacks is skipped.
"""

from ml_collections import ConfigDict

LOGITS = ("Edema", "Pneumothorax", "Pleural Effusion")


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/explanations.py has no variant {arg!r}")
    true = dict(dataset="simulated_cxr_e1", kind="multi", labels="truth")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        f"saliency of {finding}": dict(
            protocol="saliency",
            task=dict(split="enriched", classes=(finding,), limit=1000, **true),
            train=dict(split="test", **true),
        )
        for finding in LOGITS
    }
    suite.tasks["words"] = dict(
        protocol="word_attribution", dataset="simulated_cxr_e1", split="enriched"
    )
    return suite
