# SPDX-License-Identifier: Apache-2.0
"""Data sets whose raw form is tables, files and reports: the parts their pipelines share.

A pipeline reads its tables (`csv_table`, `cells`) into `Item`s, one for every image, and the
common `ListedSource` does the rest: patients, studies in time order, units, hashes, reports.
"""
