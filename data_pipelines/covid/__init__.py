# SPDX-License-Identifier: Apache-2.0
"""The COVID-19 collections: Radiography Database, COVIDx, covid-chestxray-dataset."""
