# SPDX-License-Identifier: Apache-2.0
"""A torch model to safetensors under a release's names, with expected results beside it."""

import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent / "released"


def prepared(model):
    """Evaluation mode, and no parameter or statistic left at 0 or 1."""
    model.eval()
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if not tensor.is_floating_point() or "attn_mask" in name:
                continue
            if "running_var" in name:
                tensor.uniform_(0.5, 1.5)
            elif "running_mean" in name:
                tensor.normal_(0, 0.1)
            elif tensor.ndim == 1:
                tensor.add_(0.1 * torch.randn_like(tensor))
            elif "embeddings" in name or "bias_table" in name:
                tensor.normal_(0, 0.5)
    return model


# transformers 5 renames Swin's tensors in memory; files keep the names on the right.
SWIN_NAMES = (
    ("attention.q_proj", "attention.self.query"),
    ("attention.k_proj", "attention.self.key"),
    ("attention.v_proj", "attention.self.value"),
    ("attention.relative_position_bias.relative_", "attention.self.relative_"),
    ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
)


def file_name(name):
    if "encoder.layers." in name and ".blocks." in name:
        for inside, outside in SWIN_NAMES:
            name = name.replace(inside, outside)
    return name


def write(folder, model, config=None, **results):
    target = HERE / folder
    target.mkdir(parents=True, exist_ok=True)
    tensors = {file_name(k): v.contiguous().clone() for k, v in model.state_dict().items()}
    for name, tensor in tensors.items():
        if name.endswith("num_batches_tracked"):
            tensor += 7
    # Tied tensors are stored once, as Hugging Face stores them.
    tensors.pop("cls.predictions.decoder.weight", None)
    tensors.pop("cls.predictions.decoder.bias", None)
    save_file(tensors, target / "model.safetensors")
    if config:
        (target / "config.json").write_text(json.dumps(config) + "\n")
    arrays = {k: v.detach().numpy() for k, v in results.items()}
    np.savez_compressed(target / "expected.npz", **arrays)
