# SPDX-License-Identifier: Apache-2.0
"""NIH ChestX-ray14 and its long-tailed variant."""
