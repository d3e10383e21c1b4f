# SPDX-License-Identifier: Apache-2.0
"""Med-ST's train step and its losses in plain PyTorch; run by benchmarks/medst.py.

    PYTHON benchmarks/torch_medst.py losses|step ARRAYS.npz STEPS THREADS

The equations of arXiv:2405.19654 without masks: the arrays are full. "losses": value and gradient
of the three terms on given embeddings. "step": ViT-B/16 with view experts, six layers of BERT,
heads, losses, clipping and AdamW on given pixels and tokens, float32, no augmentation. Prints
{"version", "value" or "parameters", "seconds"}.
"""

import json
import sys
import time

import numpy as np
import torch
import transformers
from torch import nn
from torch.nn import functional as F

GLOBAL, LOCAL, TEMPORAL = 0.07, 0.1, 0.1  # temperatures


def global_loss(image, text):
    """Cross-entropy of both directions, summed."""
    logits = image @ text.T / GLOBAL
    own = torch.arange(len(logits))
    return F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)


def attend(queries, keys):
    """Softmax-weighted means of keys."""
    return torch.softmax(queries @ keys.transpose(1, 2) / LOCAL, dim=2) @ keys


def local_term(tokens, attended, weights):
    """Weighted cross-entropy of tokens to their attended vectors, mean of both directions."""
    logits = tokens @ attended.transpose(1, 2) / LOCAL
    both = (torch.logsumexp(logits, 2) + torch.logsumexp(logits, 1)) / 2
    own = torch.diagonal(logits, dim1=1, dim2=2)
    return (weights * (both - own)).sum(1).mean()


def local_loss(words, patches, word_weights, patch_weights):
    """Word and patch term."""
    first = local_term(words, F.normalize(attend(words, patches), dim=2), word_weights)
    return first + local_term(patches, attend(patches, words), patch_weights)


def shares(queries, keys):
    """Log-softmax of minus the squared distance."""
    return torch.log_softmax(-torch.cdist(queries, keys).square() / TEMPORAL, dim=2)


def cycle_loss(image, text):
    """Forward mapping classification and reverse mapping regression, in both directions."""
    count = image.shape[1]
    own = torch.arange(count).repeat(len(image))
    times = torch.arange(count) / count
    total = 0.0
    for source, target in ((image, text), (text, image)):
        there = shares(source, target)
        total = total + F.nll_loss(there.flatten(0, 1), own)
        back = shares(there.exp() @ target, source).exp()
        mean = back @ times
        variance = (back * (times - mean[..., None]).square()).sum(2)
        log_variance = torch.log(variance + 1e-7)
        near = torch.exp(-log_variance) * (times - mean).square() + 0.001 * log_variance
        total = total + near.mean()
    return total


class Expert(nn.Module):
    """A view's own layer norm and MLP."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width, 1e-6),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )

    def forward(self, x):
        return self.layers(x)


class Layer(nn.Module):
    """Shared attention over both views, then each view's expert."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv = nn.LayerNorm(width, 1e-6), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.frontal, self.lateral = Expert(width), Expert(width)

    def forward(self, x, count):
        rows, length, width = x.shape
        qkv = self.qkv(self.norm(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*qkv)
        x = x + self.out(seen.transpose(1, 2).reshape(rows, length, width))
        parts = [self.frontal(x[:, :count]), self.lateral(x[:, count:])]
        return x + torch.cat(parts, dim=1)


class ViewExperts(nn.Module):
    """ViT-B/16 over two views."""

    def __init__(self, width=768, depth=12, heads=12):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, 1e-6)

    def embed(self, images):
        return self.patches(images).flatten(2).transpose(1, 2) + self.places[:, 1:]

    def forward(self, frontal, lateral):
        first = (self.first + self.places[:, :1]).expand(len(frontal), -1, -1)
        x = torch.cat([first, self.embed(frontal), self.embed(lateral)], dim=1)
        for layer in self.layers:
            x = layer(x, 197)
        return self.norm(x)


def head(features):
    """The projection of MGCA and Med-ST, over rows."""
    return nn.Sequential(
        nn.Linear(features, 2048),
        nn.BatchNorm1d(2048),
        nn.ReLU(),
        nn.Linear(2048, 128),
        nn.BatchNorm1d(128, affine=False),
    )


class Weights(nn.Module):
    """Attention of one head from the mean token to the tokens."""

    def __init__(self, features=128):
        super().__init__()
        self.query, self.key = nn.Linear(features, features), nn.Linear(features, features)

    def forward(self, tokens):
        query = self.query(tokens.mean(1)) * tokens.shape[-1] ** -0.5
        return torch.softmax((self.key(tokens) @ query[..., None])[..., 0], dim=1)


class Medst(nn.Module):
    """Encoders, heads and losses."""

    def __init__(self, vocabulary):
        super().__init__()
        config = transformers.BertConfig(vocab_size=vocabulary, num_hidden_layers=6)
        self.image = ViewExperts()
        self.text = transformers.BertModel(config, add_pooling_layer=False)
        self.heads = nn.ModuleList(head(768) for _ in range(4))
        self.word_weights, self.patch_weights = Weights(), Weights()

    def project(self, k, x):
        rows = self.heads[k](x.reshape(-1, x.shape[-1]))
        return F.normalize(rows.view(*x.shape[:-1], -1), dim=-1)

    def forward(self, frontal, lateral, tokens, studies):
        seen = self.image(frontal, lateral)
        read = self.text(tokens).last_hidden_state
        image, patches = self.project(0, seen[:, 0]), self.project(1, seen[:, 1:])
        text, words = self.project(2, read[:, 0]), self.project(3, read[:, 1:])
        attended = F.normalize(attend(words, patches), dim=2)
        word_weights = self.word_weights(F.normalize(words * attended, dim=2))
        attended = attend(patches, words)
        patch_weights = self.patch_weights(F.normalize(patches * attended, dim=2))
        return (
            global_loss(image, text)
            + local_loss(words, patches, word_weights, patch_weights)
            + cycle_loss(image.view(-1, studies, 128), text.view(-1, studies, 128))
        )


def losses(arrays):
    """A call that computes the value and all gradients of the three terms."""
    names = ("image", "text", "words", "patches")
    inputs = {name: torch.tensor(arrays[name], requires_grad=True) for name in names}
    weights = [torch.tensor(arrays[name]) for name in ("word_weights", "patch_weights")]
    shape = (-1, int(arrays["studies"]), inputs["image"].shape[-1])

    def call():
        for value in inputs.values():
            value.grad = None
        image, text, words, patches = inputs.values()
        loss = (
            global_loss(image, text)
            + local_loss(words, patches, *weights)
            + cycle_loss(image.view(shape), text.view(shape))
        )
        loss.backward()
        return loss.item()

    return call, {"value": call()}


def step(arrays):
    """A call that makes one train step."""
    model = Medst(int(arrays["vocabulary"])).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.05)
    frontal, lateral = (
        torch.tensor(arrays[name]).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1) / 255
        for name in ("frontal", "lateral")
    )
    tokens, studies = torch.tensor(arrays["tokens"]).long(), int(arrays["studies"])

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss = model(frontal, lateral, tokens, studies)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return call, {"parameters": sum(p.numel() for p in model.parameters())}


def main(part, path, steps, threads):
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    call, answer = {"losses": losses, "step": step}[part](np.load(path))
    call()
    seconds = []
    for _ in range(int(steps)):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"version": torch.__version__, **answer, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
