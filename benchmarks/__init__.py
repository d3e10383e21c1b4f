# SPDX-License-Identifier: Apache-2.0
"""Speed alone: the input, the train step, the losses, the image banks; a peer beside each where one exists.

Each module measures, prints JSON and is a command; `launch/benchmark.py` calls three of them. May import
every room of the package; nothing but that command and tests imports them.
"""
