# SPDX-License-Identifier: Apache-2.0
"""A task for SkyPilot: GPUs of a cloud, one node or several."""
