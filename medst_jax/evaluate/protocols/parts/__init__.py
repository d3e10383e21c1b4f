# SPDX-License-Identifier: Apache-2.0
"""What protocols share: prompts, masks, maps, pairs and texts of reports. Only protocols import it."""
