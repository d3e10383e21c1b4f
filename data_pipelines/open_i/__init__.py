# SPDX-License-Identifier: Apache-2.0
"""The Indiana University collection (Open-i): reports with manual MeSH tags, and their images."""
