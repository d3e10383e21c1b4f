# SPDX-License-Identifier: Apache-2.0
"""Small trainings of evaluation: heads on frozen maps, fine-tuning, the probes' regression.

They know systems, arrays and targets, no protocol; protocols import this room. May import `subjects`
and `statistics`.
"""
