# SPDX-License-Identifier: Apache-2.0
"""Batch files for SLURM: one node, several nodes, and the step that both run."""
