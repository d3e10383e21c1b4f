# SPDX-License-Identifier: Apache-2.0
"""Public encoders written once more, in float64 numpy, straight from the names in a file."""

import numpy as np
from scipy.special import erf

ACTIVATIONS = {
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "gelu_pytorch_tanh": lambda x: (
        x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    ),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
}


class Tensors(dict):
    """Tensors by name; `at` goes down a prefix."""

    def at(self, prefix):
        return Tensors({k.removeprefix(prefix): v for k, v in self.items() if k.startswith(prefix)})

    def linear(self, name, x):
        y = x @ self[f"{name}.weight"].T.astype(np.float64)
        return y + self[f"{name}.bias"] if f"{name}.bias" in self else y

    def norm(self, name, x, epsilon):
        centred = x - x.mean(-1, keepdims=True)
        y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return y * self[f"{name}.weight"] + self[f"{name}.bias"]


def attend(q, k, v, heads, allowed=None, turn=None):
    """[B, L, D] queries over [B, M, D]; `allowed` bool [L, M]; `turn` changes queries and keys."""

    def split(x):
        return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    q, k, v = split(q), split(k), split(v)
    if turn is not None:
        q, k = turn(q), turn(k)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(q.shape[0], q.shape[2], -1)


def patches(kernel, images, bias=0.0):
    """A convolution whose stride is its size, [D, c, p, p], in row order."""
    size = kernel.shape[-1]
    b, h, w, c = images.shape
    cut = images[:, : h // size * size, : w // size * size].astype(np.float64)
    cut = cut.reshape(b, h // size, size, w // size, size, c)
    y = np.einsum("bisjtc,dcst->bijd", cut, kernel)
    return y.reshape(b, -1, len(kernel)) + bias


def tower(t, x, heads, activation, epsilon, causal=False):
    """Layers of CLIP's and SigLIP's towers."""
    allowed = np.tri(x.shape[1], dtype=bool) if causal else None
    depth = len({name.split(".")[0] for name in t})
    for n in range(depth):
        layer = t.at(f"{n}.")
        y = layer.norm("layer_norm1", x, epsilon)
        q, k, v = (layer.linear(f"self_attn.{key}_proj", y) for key in "qkv")
        x = x + layer.linear("self_attn.out_proj", attend(q, k, v, heads, allowed))
        y = ACTIVATIONS[activation](layer.linear("mlp.fc1", layer.norm("layer_norm2", x, epsilon)))
        x = x + layer.linear("mlp.fc2", y)
    return x


def siglip(t, config, images, tokens):
    """Patches and pool of the images, tokens and vectors of the texts."""
    t = Tensors(t)
    c = config["vision_config"]
    how = c["num_attention_heads"], c["hidden_act"], c["layer_norm_eps"]
    v, e = t.at("vision_model."), "embeddings."
    x = patches(v[f"{e}patch_embedding.weight"], images, v[f"{e}patch_embedding.bias"])
    x = tower(v.at("encoder.layers."), x + v[f"{e}position_embedding.weight"], *how)
    x = v.norm("post_layernorm", x, how[2])
    head = v.at("head.")
    kernel, bias = head["attention.in_proj_weight"], head["attention.in_proj_bias"]
    query = np.repeat(head["probe"].astype(np.float64), len(x), 0)
    q, k, w = (
        y @ kernel_part.T + bias_part
        for y, kernel_part, bias_part in zip(
            (query, x, x), np.split(kernel, 3), np.split(bias, 3), strict=True
        )
    )
    y = head.linear("attention.out_proj", attend(q, k, w, how[0]))[:, 0]
    z = ACTIVATIONS[how[1]](head.linear("mlp.fc1", head.norm("layernorm", y, how[2])))
    pooled = y + head.linear("mlp.fc2", z)
    c = config["text_config"]
    how = c["num_attention_heads"], c["hidden_act"], c["layer_norm_eps"]
    s = t.at("text_model.")
    y = s[f"{e}token_embedding.weight"][tokens] + s[f"{e}position_embedding.weight"]
    y = s.norm("final_layer_norm", tower(s.at("encoder.layers."), y, *how), how[2])
    return x, pooled, y, s.linear("head", y[:, -1])


def clip(t, config, images, tokens, end):
    """Tokens, class token and vector of the images; tokens and vectors of texts read at `end`."""
    t = Tensors(t)
    c = config["vision_config"]
    how = c["num_attention_heads"], c["hidden_act"], c["layer_norm_eps"]
    v, e = t.at("vision_model."), "embeddings."
    x = patches(v[f"{e}patch_embedding.weight"], images)
    first = np.broadcast_to(v[f"{e}class_embedding"], (len(x), 1, x.shape[-1]))
    x = np.concatenate([first, x], 1) + v[f"{e}position_embedding.weight"]
    x = tower(v.at("encoder.layers."), v.norm("pre_layrnorm", x, how[2]), *how)
    pooled = v.norm("post_layernorm", x[:, 0], how[2])
    c = config["text_config"]
    how = c["num_attention_heads"], c["hidden_act"], c["layer_norm_eps"]
    s = t.at("text_model.")
    y = s[f"{e}token_embedding.weight"][tokens]
    y = y + s[f"{e}position_embedding.weight"][: tokens.shape[1]]
    y = tower(s.at("encoder.layers."), y, *how, causal=True)
    y = s.norm("final_layer_norm", y, how[2])
    text = t.linear("text_projection", y[np.arange(len(y)), end])
    return x, pooled, t.linear("visual_projection", pooled), y, text


def dinov2(t, config, images):
    """Tokens after the last norm, for images of the file's own size."""
    t, e = Tensors(t), "embeddings."
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    kernel = t[f"{e}patch_embeddings.projection.weight"]
    x = patches(kernel, images, t[f"{e}patch_embeddings.projection.bias"])
    x = np.concatenate([np.repeat(t[f"{e}cls_token"], len(x), 0), x], 1)
    x = x + t[f"{e}position_embeddings"]
    if f"{e}register_tokens" in t:
        registers = np.repeat(t[f"{e}register_tokens"], len(x), 0)
        x = np.concatenate([x[:, :1], registers, x[:, 1:]], 1)
    for n in range(sum(name.endswith("norm1.weight") for name in t)):
        layer = t.at(f"encoder.layer.{n}.")
        y = layer.norm("norm1", x, epsilon)
        keys = ("query", "key", "value")
        q, k, v = (layer.linear(f"attention.attention.{key}", y) for key in keys)
        y = layer.linear("attention.output.dense", attend(q, k, v, heads))
        x = x + layer["layer_scale1.lambda1"] * y
        y = layer.norm("norm2", x, epsilon)
        if config.get("use_swiglu_ffn"):
            gate, value = np.split(layer.linear("mlp.weights_in", y), 2, -1)
            y = layer.linear("mlp.weights_out", ACTIVATIONS["silu"](gate) * value)
        else:
            y = layer.linear(
                "mlp.fc2", ACTIVATIONS[config["hidden_act"]](layer.linear("mlp.fc1", y))
            )
        x = x + layer["layer_scale2.lambda1"] * y
    return t.norm("layernorm", x, epsilon)


def dinov3(t, config, images):
    """Tokens after the last norm, for images of any size."""
    t, e = Tensors(t), "embeddings."
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    kernel = t[f"{e}patch_embeddings.weight"]
    x = patches(kernel, images, t[f"{e}patch_embeddings.bias"])
    first = np.concatenate([t[f"{e}cls_token"], t[f"{e}register_tokens"]], 1)
    x = np.concatenate([np.repeat(first, len(x), 0), x], 1)
    rows, columns = (side // kernel.shape[-1] for side in images.shape[1:3])
    size = x.shape[-1] // heads
    angles = np.zeros((x.shape[1], size // 2))
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        for axis, (index, count) in enumerate(((row, rows), (column, columns))):
            centre = (index + 0.5) / count * 2 - 1
            for k in range(size // 4):
                place = number + first.shape[1], axis * (size // 4) + k
                angles[place] = 2 * np.pi * centre * config["rope_theta"] ** (-4 * k / size)

    def turn(y):  # complex numbers of the two halves; tokens before the patches stay
        z = (y[..., : size // 2] + 1j * y[..., size // 2 :]) * np.exp(1j * angles)
        return np.concatenate([z.real, z.imag], -1)

    for n in range(sum(name.endswith("norm1.weight") for name in t)):
        layer = t.at(f"layer.{n}.")
        y = layer.norm("norm1", x, epsilon)
        q, k, v = (layer.linear(f"attention.{key}_proj", y) for key in "qkv")
        y = layer.linear("attention.o_proj", attend(q, k, v, heads, turn=turn))
        x = x + layer["layer_scale1.lambda1"] * y
        y = layer.norm("norm2", x, epsilon)
        act, up = ACTIVATIONS[config["hidden_act"]], layer.linear("mlp.up_proj", y)
        gated = "mlp.gate_proj.weight" in layer
        y = act(layer.linear("mlp.gate_proj", y)) * up if gated else act(up)
        x = x + layer["layer_scale2.lambda1"] * layer.linear("mlp.down_proj", y)
    return t.norm("norm", x, epsilon)
