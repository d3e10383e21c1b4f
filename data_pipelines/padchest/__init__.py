# SPDX-License-Identifier: Apache-2.0
"""PadChest: radiographs and Spanish reports of the San Juan hospital, Alicante."""
