# SPDX-License-Identifier: Apache-2.0
"""Prepared data sets on disk: the study record, its index, and annotations beside the studies.

The lowest part of the data room: it imports no other part. The data pipelines write what is read
here; mixture, loader and evaluation read it. TensorFlow is not needed to read.
"""
