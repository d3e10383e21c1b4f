# SPDX-License-Identifier: Apache-2.0
"""HTML pages of one template and one style: evaluation report, data card, reality check.

A page is a tree of `blocks`; only the template writes markup, and it escapes whatever it is given.
"""
