# SPDX-License-Identifier: Apache-2.0
"""The CLIP system's train step in plain PyTorch, for comparison; run by benchmarks/step.py.

    PYTHON benchmarks/torch_step.py '{"config": {...}, "steps": 10, "vocabulary": 1000}'

ResNet and BERT as torchvision and Hugging Face arrange them, projections, symmetric cross-entropy,
AdamW; float32, no augmentation, a batch that stays. Prints {"version", "parameters", "seconds"}.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

RESNETS = {
    "resnet50": dict(
        widths=(64, 128, 256, 512), blocks=(3, 4, 6, 3), stem_width=64, channels=3, small=False
    ),
    "resnet_small": dict(
        widths=(24, 48, 96, 192), blocks=(1, 1, 1, 1), stem_width=16, channels=1, small=True
    ),
}
BERTS = {
    "bert_base": dict(width=768, depth=12, heads=12, mlp=3072, dropout=0.1),
    "bert_small": dict(width=128, depth=2, heads=4, mlp=256, dropout=0.0),
}


class Block(nn.Module):
    """Basic or bottleneck residual block."""

    def __init__(self, features, width, stride, small):
        super().__init__()
        out = width if small else 4 * width
        if small:
            shapes = [(features, width, 3, stride), (width, width, 3, 1)]
        else:
            shapes = [(features, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))
            for i, o, k, s in shapes
        )
        self.shortcut = nn.Identity()
        if stride != 1 or features != out:
            convolution = nn.Conv2d(features, out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(out))
        self.out = out

    def forward(self, x):
        y = x
        for layer in self.layers[:-1]:
            y = F.relu(layer(y))
        return F.relu(self.layers[-1](y) + self.shortcut(x))


def resnet(widths, blocks, stem_width, channels, small):
    """Modules of a ResNet up to the average, and its features."""
    kernel = 3 if small else 7
    layers = [
        nn.Conv2d(channels, stem_width, kernel, 2, kernel // 2, bias=False),
        nn.BatchNorm2d(stem_width),
        nn.ReLU(),
    ]
    if not small:
        layers.append(nn.MaxPool2d(3, 2, 1))
    features = stem_width
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for index in range(count):
            stride = 2 if index == 0 and (small or stage > 0) else 1
            layers.append(Block(features, width, stride, small))
            features = layers[-1].out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), features


class Bert(nn.Module):
    """Post-norm transformer on summed embeddings; the first token's state."""

    def __init__(self, vocabulary, width, depth, heads, mlp, dropout):
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(512, width)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            width, heads, mlp, dropout, activation="gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.layers(self.dropout(self.norm(x)))[:, 0]


class Clip(nn.Module):
    """Both encoders, their projections and the temperature; the loss of a batch."""

    def __init__(self, config, vocabulary):
        super().__init__()
        image, text = dict(config["system"]["image"]), dict(config["system"]["text"])
        sizes = RESNETS[image.pop("name")]
        sizes = sizes | {k: v for k, v in image.items() if k in sizes}
        sizes["channels"] = config["system"]["preprocess"].get("channels", sizes["channels"])
        self.image, features = resnet(**sizes)
        berts = BERTS[text.pop("name")]
        self.text = Bert(vocabulary, **berts | {k: v for k, v in text.items() if k in berts})
        joint = config["system"]["joint"]
        self.from_image = nn.Linear(features, joint)
        self.from_text = nn.Linear(self.text.words.embedding_dim, joint)
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def forward(self, pixels, tokens):
        image = F.normalize(self.from_image(self.image(pixels)), dim=-1)
        text = F.normalize(self.from_text(self.text(tokens)), dim=-1)
        logits = self.log_scale.exp() * image @ text.T
        target = torch.arange(len(logits))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def main(argument):
    values = json.loads(argument)
    config = values["config"]
    if config["system"]["name"] != "clip":
        sys.exit(f"the system {config['system']['name']!r} is not written in PyTorch; use clip")
    torch.manual_seed(0)
    model = Clip(config, values["vocabulary"]).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-2)
    rows, size = config["train"]["batch_size"], config["system"]["preprocess"]["size"]
    channels = model.image[0].in_channels
    pixels = torch.rand(rows, 1, size, size).expand(rows, channels, size, size).contiguous()
    tokens = torch.randint(4, values["vocabulary"], (rows, config["data"]["text_length"]))
    seconds = []
    for _ in range(2 + values["steps"]):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model(pixels, tokens)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - began)
    parameters = sum(p.numel() for p in model.parameters())
    answer = {"version": torch.__version__, "parameters": parameters, "seconds": seconds[2:]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
