# SPDX-License-Identifier: Apache-2.0
"""Files of the project: read whole or refused in one line, written whole, replaced, locked.

Comes first: imports no other room, and any may import it.
"""
