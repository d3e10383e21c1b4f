# SPDX-License-Identifier: Apache-2.0
"""A suite as a published benchmark: what it judges, which data it needs, the numbers of its paper.

Nothing here imports JAX: `evaluate.py --dry_run` needs no more than this room.
"""
