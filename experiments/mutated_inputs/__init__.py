# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile input to every reader: what each makes of it, in how long and how much memory."""
