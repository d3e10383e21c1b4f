# SPDX-License-Identifier: Apache-2.0
"""ReXGradient-160K: studies and reports of three American health systems."""
