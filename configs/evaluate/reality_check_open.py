# SPDX-License-Identifier: Apache-2.0
"""The reality check on four small open sets of real chest radiographs: that real files work, on one page.

    python launch/reality_check.py --suite=configs/evaluate/reality_check_open.py --data_dir=data --output=runs/open

Prepare the sets and the vocabulary as the docstring of configs/dlilp_open.py says. Judged by the three
classes of kermany_224 (paediatric pneumonia; 244 studies of 210 patients); "open" is trained without that
set, "open+K" with its training images and labels. There are 53 studies with notes in all, so nothing is
said about text, and the frame of these images alone reaches 0.72. About two minutes a cell on one
core; `:quick` trains 20 steps of one seed.
"""

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.kermany import CLASSES
from medst_jax.configs.evaluate.reality_check import FROZEN

OPEN = ("nih1000_64", "covid_cxr_cc", "mhh_covid")
KERMANY = "kermany_224"


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; `quick` is its short variant."""
    if arg not in (None, "", "quick"):
        raise ValueError(
            f"configs/evaluate/reality_check_open.py has no variant {arg!r}; it has: quick"
        )
    task = dict(dataset=KERMANY, split="val", classes=CLASSES)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "names": dict(protocol="zero_shot", task=task, mode="text", prompts="names"),
        "prototypes": dict(protocol="zero_shot", task=task, mode="prototypes"),
        "probe": dict(
            protocol="linear_probe",
            task=task,
            train=dict(dataset=KERMANY, split="train"),
            fractions=(1.0,),
        ),
    }
    suite.cells = dict(
        systems=("clip", "unicl", "unimodal", "dlilp"),
        mixtures={"K": (KERMANY,), "open": OPEN, "open+K": (*OPEN, KERMANY)},
        seeds=(0, 1, 2),
        variant="smoke",
        # As many steps as these 2,600 images bear.
        flags=("--config.data.vocabulary=open", "--config.train.steps=300"),
        columns={
            name: "balanced_accuracy"
            for name in ("names", "prototypes", "probe/16 shots", "probe/100%")
        },
        order=("names", "prototypes", "probe/16 shots", "probe/100%"),
        controls={
            "random encoder": dict(
                system="dlilp", mixture="open", flags=(*FROZEN, "--config.train.steps=50")
            ),
            # On the labels of the test's own set.
            "supervised on labels": dict(system="unimodal", mixture="K"),
            "shuffled notes": dict(
                system="clip", mixture="open", flags=("--config.data.shuffle=pairs",)
            ),
        },
        baselines=("all_pixels", "frame_pixels"),
        reference="random encoder",
        seconds=130.0,
    )
    if arg == "quick":
        suite.draws = 200
        suite.cells.update(seeds=(0,), variant="tiny", seconds=40.0)
        suite.cells.flags = suite.cells.flags[:1]
        suite.cells.controls["random encoder"].flags = FROZEN
    return suite
