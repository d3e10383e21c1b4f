# SPDX-License-Identifier: Apache-2.0
"""The PyTorch side of experiments/exports_in_torch.py: runs a model card's lines on given inputs.

Runs in an environment of its own, with torch, torchvision, timm and transformers. Standard input is an
object with the folder, the lines and what is compared; the answer is the largest absolute difference.
"""

import json
import pathlib
import sys

import numpy as np
import safetensors.torch
import timm
import torch
import torchvision
import transformers


def main():
    asked = json.loads(sys.stdin.read())
    folder = pathlib.Path(asked["folder"])
    inputs = {k: torch.from_numpy(v) for k, v in np.load(folder / "inputs.npz").items()}
    names = {"safetensors": safetensors, "timm": timm, "torch": torch}
    names |= {"torchvision": torchvision, "transformers": transformers, **inputs}
    with torch.no_grad():
        exec(asked["lines"], names)  # noqa: S102  our own card says them
        theirs = eval(asked["theirs"], names).numpy()
    if "mask" in inputs:  # what stands at padding means nothing
        theirs = np.where(inputs["mask"].numpy()[..., None], theirs, 0.0)
    ours = np.load(folder / "ours.npy")
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    print(json.dumps({"difference": float(np.abs(ours - theirs).max())}))


if __name__ == "__main__":
    main()
