# SPDX-License-Identifier: Apache-2.0
"""Data cards: what a build holds, as data_card.json and data_card.html. Only `build` and `annotate`
import it.
"""
