# SPDX-License-Identifier: Apache-2.0
"""CheXpert v1.0 and the evaluation sets drawn from it."""
