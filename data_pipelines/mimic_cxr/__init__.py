# SPDX-License-Identifier: Apache-2.0
"""MIMIC-CXR (DICOM) and MIMIC-CXR-JPG 2.x with their reports, and the sets derived from them."""
