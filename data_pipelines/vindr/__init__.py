# SPDX-License-Identifier: Apache-2.0
"""VinDr-CXR (adults) and VinDr-PCXR (children): DICOM with labels and boxes of radiologists."""
