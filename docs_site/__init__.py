# SPDX-License-Identifier: Apache-2.0
"""How the documents become a site, and the pages that are written from the code.

A room of its own: it reads every room of the package, and nothing of the package needs it.
`reference.py` writes docs/reference, which is committed; `hooks.py` is what the site's builder calls.
"""
