# SPDX-License-Identifier: Apache-2.0
"""What a training step needs and costs on a TPU topology, without a TPU."""
