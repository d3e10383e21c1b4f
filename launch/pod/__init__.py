# SPDX-License-Identifier: Apache-2.0
"""Commands for TPU slices: create, install, stage, run, log, status, watch, delete; and GKE."""
