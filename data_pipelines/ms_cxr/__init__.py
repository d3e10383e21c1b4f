# SPDX-License-Identifier: Apache-2.0
"""MS-CXR and MS-CXR-T: radiologists' phrases, boxes and comparisons of MIMIC-CXR images."""
