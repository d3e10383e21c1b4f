# SPDX-License-Identifier: Apache-2.0
"""PLACEHOLDER"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg: str | None = None) -> ConfigDict:
    config = common.image_text("dlilp")
    return common.variant(config, arg)
