# SPDX-License-Identifier: Apache-2.0
"""PLACEHOLDER"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg: str | None = None) -> ConfigDict:
    config = common.image_text("unimodal")
    del config.system.text
    config = common.variant(config, arg)
    for dataset in config.data.mixture.values():
        dataset.text = "none"
    return config
