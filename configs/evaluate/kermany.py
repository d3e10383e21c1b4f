# SPDX-License-Identifier: Apache-2.0
"""Linear probe on the three classes of kermany_224 (paediatric pneumonia), train to val.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/kermany.py --output=DIR
    python launch/evaluate.py --baseline=frame_pixels --suite=configs/evaluate/kermany.py \
        --data_dir=data --output=DIR

The frame of the images alone (outer 3/64) reaches 0.72 balanced accuracy and all pixels at 32 x 32
reach 0.75: compare with those before reading anything into a number.
"""

from ml_collections import ConfigDict

CLASSES = ("No Finding", "Bacterial Pneumonia", "Viral Pneumonia")


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/kermany.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "probe": dict(
            protocol="linear_probe",
            task=dict(dataset="kermany_224", split="val", classes=CLASSES),
            train=dict(dataset="kermany_224", split="train"),
            fractions=(1.0,),
        ),
    }
    return suite
