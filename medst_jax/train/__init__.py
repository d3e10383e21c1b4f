# SPDX-License-Identifier: Apache-2.0
"""The trainer: state, step, optimizer, loop and checkpoints."""
