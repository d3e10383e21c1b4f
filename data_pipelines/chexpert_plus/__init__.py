# SPDX-License-Identifier: Apache-2.0
"""CheXpert Plus: the reports of CheXpert's studies."""
