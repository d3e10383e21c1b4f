# SPDX-License-Identifier: Apache-2.0
"""PadChest-GR: reports of PadChest as sentences with boxes and progression."""
