# SPDX-License-Identifier: Apache-2.0
"""Makes torch_resnet_{basic,bottleneck}, torch_vit and torch_bert fixtures with PyTorch.

Run in an environment of its own that has torch and safetensors (made with torch 2.13.0):
`python tests/models/weights/stored/make_torch_models.py`. PyTorch is imported here and nowhere else. Each
fixture is a safetensors file of weights under torchvision's, timm's or Hugging Face's names
and an .npz of inputs and expected results.
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).parent


class Block(nn.Module):
    """torchvision's BasicBlock and Bottleneck in one."""

    def __init__(self, features, width, stride, bottleneck):
        super().__init__()
        out = width * (4 if bottleneck else 1)
        shapes = [(3, stride), (3, 1)]
        if bottleneck:
            shapes = [(1, 1), (3, stride), (1, 1)]
        channels = [features] + [width] * (len(shapes) - 1) + [out]
        self.count = len(shapes)
        for i, (kernel, step) in enumerate(shapes):
            conv = nn.Conv2d(channels[i], channels[i + 1], kernel, step, kernel // 2, bias=False)
            setattr(self, f"conv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        self.downsample = None
        if stride != 1 or features != out:
            conv = nn.Conv2d(features, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(out))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = functional.relu(y) if i < self.count else y
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's ResNet with free widths and number of blocks."""

    def __init__(self, widths, blocks, bottleneck, stem_width, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, stem_width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem_width)
        features = stem_width
        self.stages = len(widths)
        for n, (width, count) in enumerate(zip(widths, blocks, strict=True), start=1):
            layer = []
            for i in range(count):
                layer.append(Block(features, width, 2 if n > 1 and i == 0 else 1, bottleneck))
                features = width * (4 if bottleneck else 1)
            setattr(self, f"layer{n}", nn.Sequential(*layer))
        self.fc = nn.Linear(features, 3)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        maps = []
        for n in range(1, self.stages + 1):
            x = getattr(self, f"layer{n}")(x)
            maps.append(x)
        return maps, x.mean((2, 3))


def perturb_norms(model):
    """Norm parameters and statistics that are not 0 and 1, so that a mix-up shows."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith("num_batches_tracked"):
            continue
        if tensor.ndim == 1:
            with torch.no_grad():
                tensor.add_(0.1 * torch.rand_like(tensor))


def resnet(name, bottleneck):
    """Evaluation outputs, then one training pass with its gradients and new statistics."""
    torch.manual_seed(0)
    model = ResNet((8, 12), (2, 1), bottleneck, 8, 3)
    perturb_norms(model)
    save_file(model.state_dict(), HERE / f"{name}.safetensors")
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        maps, pooled = model.eval()(x)
    out = {"images": x.permute(0, 2, 3, 1), "pooled": pooled}
    out |= {f"stage{i}": m.permute(0, 2, 3, 1) for i, m in enumerate(maps)}
    target = torch.randn(pooled.shape)
    maps, pooled = model.train()(x)
    loss = (pooled * target).sum()
    loss.backward()
    out |= {"target": target, "loss": loss, "train_pooled": pooled}
    for key, parameter in model.named_parameters():
        if not key.startswith("fc."):
            out[f"grad/{key}"] = parameter.grad
    for key, buffer in model.named_buffers():
        if "num_batches" not in key:
            out[f"after/{key}"] = buffer
    save_npz(name, out)


def attention(x, weight, bias, heads, mask=None):
    """Fused-projection attention, by torch's own scaled_dot_product_attention."""
    batch, length, width = x.shape
    qkv = functional.linear(x, weight, bias).reshape(batch, length, 3, heads, width // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    y = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return y.transpose(1, 2).reshape(batch, length, width)


def linear(w, name, x):
    return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def norm(w, name, x, epsilon):
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], epsilon)


def random_weights(shapes):
    return {
        k: (
            0.1 * torch.randn(s)
            + float(k.endswith("orm.weight") or ".norm" in k and k.endswith("weight"))
        ).requires_grad_()
        for k, s in shapes.items()
    }


def vit():
    torch.manual_seed(1)
    d, hidden, patch, heads = 16, 32, 4, 2
    shapes = {"cls_token": (1, 1, d), "pos_embed": (1, 17, d)}
    shapes |= {"patch_embed.proj.weight": (d, 3, patch, patch), "patch_embed.proj.bias": (d,)}
    for n in range(2):
        b = f"blocks.{n}."
        shapes |= {b + "norm1.weight": (d,), b + "norm1.bias": (d,)}
        shapes |= {b + "attn.qkv.weight": (3 * d, d), b + "attn.qkv.bias": (3 * d,)}
        shapes |= {b + "attn.proj.weight": (d, d), b + "attn.proj.bias": (d,)}
        shapes |= {b + "norm2.weight": (d,), b + "norm2.bias": (d,)}
        shapes |= {b + "mlp.fc1.weight": (hidden, d), b + "mlp.fc1.bias": (hidden,)}
        shapes |= {b + "mlp.fc2.weight": (d, hidden), b + "mlp.fc2.bias": (d,)}
    shapes |= {"norm.weight": (d,), "norm.bias": (d,)}
    w = random_weights(shapes)
    save_file({k: v.detach() for k, v in w.items()}, HERE / "torch_vit.safetensors")
    images = torch.randn(2, 3, 16, 16)
    x = functional.conv2d(images, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], patch)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"].expand(2, -1, -1), x], 1) + w["pos_embed"]
    for n in range(2):
        b = f"blocks.{n}."
        y = norm(w, b + "norm1", x, 1e-6)
        y = attention(y, w[b + "attn.qkv.weight"], w[b + "attn.qkv.bias"], heads)
        x = x + linear(w, b + "attn.proj", y)
        y = functional.gelu(linear(w, b + "mlp.fc1", norm(w, b + "norm2", x, 1e-6)))
        x = x + linear(w, b + "mlp.fc2", y)
    tokens = norm(w, "norm", x, 1e-6)
    finish("torch_vit", w, tokens, {"images": images.permute(0, 2, 3, 1), "tokens": tokens})


def bert():
    torch.manual_seed(2)
    d, hidden, heads, vocabulary = 16, 32, 2, 20
    e = "embeddings."
    shapes = {e + "word_embeddings.weight": (vocabulary, d)}
    shapes |= {
        e + "position_embeddings.weight": (10, d),
        e + "token_type_embeddings.weight": (2, d),
    }
    shapes |= {e + "LayerNorm.weight": (d,), e + "LayerNorm.bias": (d,)}
    names = {"attention.output.LayerNorm": None, "output.LayerNorm": None}
    names |= {f"attention.self.{p}": (d, d) for p in ("query", "key", "value")}
    names |= {"attention.output.dense": (d, d), "intermediate.dense": (hidden, d)}
    names |= {"output.dense": (d, hidden)}
    for n in range(2):
        for name, shape in names.items():
            shapes[f"encoder.layer.{n}.{name}.weight"] = shape or (d,)
            shapes[f"encoder.layer.{n}.{name}.bias"] = (shape or (d,))[:1]
    w = random_weights(shapes)
    tokens = torch.randint(0, vocabulary, (3, 8))
    mask = torch.arange(8)[None] < torch.tensor([8, 3, 5])[:, None]
    x = w[e + "word_embeddings.weight"][tokens] + w[e + "position_embeddings.weight"][:8]
    x = norm(w, e + "LayerNorm", x + w[e + "token_type_embeddings.weight"][0], 1e-12)
    states = [x]
    for n in range(2):
        b = f"encoder.layer.{n}."
        parts = [f"{b}attention.self.{p}." for p in ("query", "key", "value")]
        weight = torch.cat([w[p + "weight"] for p in parts])
        bias = torch.cat([w[p + "bias"] for p in parts])
        y = attention(x, weight, bias, heads, mask[:, None, None])
        x = norm(
            w,
            b + "attention.output.LayerNorm",
            x + linear(w, b + "attention.output.dense", y),
            1e-12,
        )
        y = linear(w, b + "output.dense", functional.gelu(linear(w, b + "intermediate.dense", x)))
        x = norm(w, b + "output.LayerNorm", x + y, 1e-12)
        states.append(x)
    save_file({k: v.detach() for k, v in w.items()}, HERE / "torch_bert.safetensors")
    out = {"tokens": tokens, "token_mask": mask, "hidden_states": torch.stack(states)}
    finish("torch_bert", w, x * mask[..., None], out)


def finish(name, weights, result, out):
    """Adds the gradient of a random weighting of `result`."""
    target = torch.randn(result.shape)
    loss = (result * target).sum()
    loss.backward()
    out |= {"target": target, "loss": loss}
    out |= {f"grad/{k}": v.grad for k, v in weights.items()}
    save_npz(name, out)


def save_npz(name, out):
    arrays = {k: v.detach().numpy() for k, v in out.items()}
    np.savez_compressed(HERE / f"{name}.npz", **arrays)


if __name__ == "__main__":
    resnet("torch_resnet_basic", False)
    resnet("torch_resnet_bottleneck", True)
    vit()
    bert()
