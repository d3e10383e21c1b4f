# SPDX-License-Identifier: Apache-2.0
"""Released weights in and out: names of other projects mapped to the parameters of these modules.

`pretrained.py` is what users call, `layout_registry.py` lists the layouts, each of which has a file
in `layouts/`. May import the models and the tokenizers of the data room; training, evaluation,
exports and commands import it.
"""
