# SPDX-License-Identifier: Apache-2.0
"""The SIIM-ACR pneumothorax segmentation challenge."""
