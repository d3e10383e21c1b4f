# SPDX-License-Identifier: Apache-2.0
"""BIMCV-COVID19+ and -: radiographs of patients tested for COVID-19 in the Valencian Region."""
