# SPDX-License-Identifier: Apache-2.0
"""The PyTorch side of benchmarks/encoders.py: times one call per line of its standard input.

Runs in an environment of its own, with torch, torchvision, timm and transformers. A line is
"NAME MODE BATCH" (resnet50, vit_b16 or bert_base; forward or backward); the answer is seconds.
"""

import sys
import time

import timm
import torch
import torchvision
import transformers


def make(name, batch):
    """The model in training arithmetic without dropout, and its inputs."""
    torch.manual_seed(0)
    if name == "bert_base":
        config = transformers.BertConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        tokens = torch.randint(5, 30_000, (batch, 128))
        inputs = (tokens, torch.ones_like(tokens))
        return transformers.BertModel(config, add_pooling_layer=False), inputs
    images = torch.randn(batch, 3, 224, 224)
    if name == "vit_b16":
        return timm.create_model("vit_base_patch16_224", num_classes=0), (images,)
    model = torchvision.models.resnet50()
    model.fc = torch.nn.Identity()
    return model, (images,)


def call(model, inputs, mode):
    """One forward pass, or one forward and backward pass of a mean."""
    if mode == "forward":
        with torch.no_grad():
            return model(*inputs)
    out = model(*inputs)
    out = getattr(out, "last_hidden_state", out)
    model.zero_grad(set_to_none=True)
    return out.square().mean().backward()


def main():
    models = {}
    for line in sys.stdin:
        name, mode, batch = line.split()
        if name not in models:
            models[name] = make(name, int(batch))
        model, inputs = models[name]
        model.train(mode == "backward")
        began = time.perf_counter()
        call(model, inputs, mode)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
