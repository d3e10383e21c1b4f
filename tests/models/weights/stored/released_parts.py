# SPDX-License-Identifier: Apache-2.0
"""Small torch modules that the released checkpoints are put together from."""

import math

import torch
import transformers
from make_torch_models import ResNet, perturb_norms
from torch import nn
from torch.nn import functional

WIDTHS, BLOCKS = (4, 4, 6, 8), (1, 1, 2, 2)
JOINT, HIDDEN = 8, 12


def draw(*shape):
    """Coarse random images, which compress."""
    return torch.randint(-6, 7, shape) / 4


def resnet():
    model = ResNet(WIDTHS, BLOCKS, True, 4, 3)
    del model.fc
    perturb_norms(model)
    return model


def stages(model, x, dilate=False):
    """The maps of every stage, the last one dilated instead of halved where asked for."""
    if dilate:
        last = model.layer4
        for block in last:
            block.conv2.stride = (1, 1)
        last[0].downsample[0].stride = (1, 1)
        for block in list(last)[1:]:
            block.conv2.dilation, block.conv2.padding = (2, 2), (2, 2)
    return model(x)[0]


def bert(**changes):
    sizes = dict(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=12,
        attn_implementation="eager",
    )
    config = transformers.BertConfig(**{**sizes, **changes})
    return config


TEXT_CONFIG = {"num_attention_heads": 2}


def text_inputs():
    tokens = torch.randint(5, 20, (3, 9))
    mask = torch.arange(9)[None] < torch.tensor([[9], [5], [2]])
    continues = torch.rand(3, 9) < 0.4
    continues[:, 0] = False
    continues[torch.arange(3), mask.sum(1) - 1] = False  # the last token is [SEP]
    return tokens * mask, mask, continues & mask


def run_bert(model, tokens, mask):
    return model(
        tokens, mask.long(), output_hidden_states=True, output_attentions=True, return_dict=True
    )


class Head(nn.Module):
    """The batch-norm head of MGCA over features or, as a convolution, over positions."""

    def __init__(self, features, local):
        super().__init__()
        linear = (lambda i, o: nn.Conv1d(i, o, 1)) if local else nn.Linear
        self.head = nn.Sequential(
            linear(features, HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
            linear(HIDDEN, JOINT),
            nn.BatchNorm1d(JOINT, affine=False),
        )

    def forward(self, x):
        return self.head(x.transpose(1, 2)).transpose(1, 2) if x.ndim == 3 else self.head(x)


def words(values, mask, continues):
    """Sums of the pieces of each word, by the definition, one token at a time."""
    out, found = torch.zeros_like(values), torch.zeros(values.shape[:2], dtype=torch.bool)
    for b in range(len(values)):
        word = -1
        for t in range(values.shape[1]):
            if mask[b, t]:
                word += int(not continues[b, t])
                out[b, word] += values[b, t]
                found[b, word] = True
    return out, found


def module(**parts):
    """A module with these attributes, for its state dict alone."""
    whole = nn.Module()
    for name, part in parts.items():
        if isinstance(part, nn.Parameter):
            whole.register_parameter(name, part)
        else:
            whole.add_module(name, part)
    return whole


def upsampled(images):
    return functional.interpolate(images, (299, 299), mode="bilinear", align_corners=True)


def rows(grid):
    return grid.flatten(2).transpose(1, 2)


def pooled(grid):
    return grid.mean((2, 3))


def channels_last(x):
    return x.permute(0, 2, 3, 1)


class Pooler(nn.Module):
    """hi-ml's transformer over current and prior patches, evaluation only."""

    def __init__(self, width, depth):
        super().__init__()
        self.type_embed = nn.Parameter(torch.randn(2, 1, width))
        self.blocks = nn.ModuleList(
            module(
                norm1=nn.LayerNorm(width, 1e-6),
                attn=module(
                    proj_q=nn.Linear(width, width, bias=False),
                    proj_k=nn.Linear(width, width, bias=False),
                    proj_v=nn.Linear(width, width, bias=False),
                    proj=nn.Linear(width, width),
                ),
                norm2=nn.LayerNorm(width, 1e-6),
                mlp=module(fc1=nn.Linear(width, width), fc2=nn.Linear(width, width)),
            )
            for _ in range(depth)
        )
        self.norm_post = nn.LayerNorm(width, 1e-6)

    def forward(self, current, prior, heads):
        _, width, high, wide = current.shape
        half = width // 2
        wavelength = 10_000.0 ** (2 * (torch.arange(half) // 2) / half)

        def waves(length):
            place = torch.arange(1, length + 1) / (length + 1e-6) * 2 * math.pi
            angle = place[:, None] / wavelength
            return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], -1).flatten(1)

        y = waves(high)[:, None].expand(high, wide, half)
        x = waves(wide)[None].expand(high, wide, half)
        place = torch.cat([y, x], -1).reshape(high * wide, width)
        place = torch.cat([place + self.type_embed[0], place + self.type_embed[1]])
        tokens = torch.cat([rows(current), rows(prior)], 1)
        for block in self.blocks:
            e = block.norm1(tokens) + place
            q, k, v = (
                getattr(block.attn, f"proj_{n}")(e).unflatten(-1, (heads, -1)).transpose(1, 2)
                for n in "qkv"
            )
            mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            tokens = tokens + block.attn.proj(mixed)
            tokens = tokens + block.mlp.fc2(functional.gelu(block.mlp.fc1(block.norm2(tokens))))
        first = self.norm_post(tokens)[:, : high * wide]
        return first.transpose(1, 2).reshape(current.shape)


def projector(features):
    return module(
        model=nn.Sequential(
            nn.Conv2d(features, HIDDEN, 1, bias=False),
            nn.BatchNorm2d(HIDDEN),
            nn.ReLU(),
            nn.Conv2d(HIDDEN, JOINT, 1),
        )
    )
