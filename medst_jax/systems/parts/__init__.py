# SPDX-License-Identifier: Apache-2.0
"""What several systems share: towers, heads, masking of words, metrics.

May import losses, models and data; systems import it, and training the initialisation.
"""
