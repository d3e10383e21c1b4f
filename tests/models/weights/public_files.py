# SPDX-License-Identifier: Apache-2.0
"""Small files under the names of public encoders, of random numbers."""

import json

import numpy as np
import safetensors.numpy


class Draw:
    """Tensors by name; every number is random, norms and scales about 1."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.tensors = {}

    def normal(self, name, *shape, scale=0.5):
        self.tensors[name] = self.random.normal(0, scale, shape).astype(np.float32)

    def linear(self, name, inputs, outputs, bias=True):
        self.normal(f"{name}.weight", outputs, inputs, scale=inputs**-0.5)
        if bias:
            self.normal(f"{name}.bias", outputs, scale=0.2)

    def norm(self, name, width):
        self.normal(f"{name}.bias", width, scale=0.2)
        self.normal(f"{name}.weight", width, scale=0.2)
        self.tensors[f"{name}.weight"] += 1

    def tower(self, prefix, width, hidden, depth):
        for n in range(depth):
            layer = f"{prefix}encoder.layers.{n}"
            for norm in ("layer_norm1", "layer_norm2"):
                self.norm(f"{layer}.{norm}", width)
            for key in ("q", "k", "v", "out"):
                self.linear(f"{layer}.self_attn.{key}_proj", width, width)
            self.linear(f"{layer}.mlp.fc1", width, hidden)
            self.linear(f"{layer}.mlp.fc2", hidden, width)


def siglip(text=20, joint=24):
    draw, v, s = Draw(1), "vision_model.", "text_model."
    draw.normal(f"{v}embeddings.patch_embedding.weight", 24, 3, 4, 4)
    draw.normal(f"{v}embeddings.patch_embedding.bias", 24)
    draw.normal(f"{v}embeddings.position_embedding.weight", 9, 24)
    draw.tower(v, 24, 28, 2)
    draw.norm(f"{v}post_layernorm", 24)
    draw.normal(f"{v}head.probe", 1, 1, 24)
    draw.normal(f"{v}head.attention.in_proj_weight", 72, 24, scale=0.3)
    draw.normal(f"{v}head.attention.in_proj_bias", 72)
    draw.linear(f"{v}head.attention.out_proj", 24, 24)
    draw.norm(f"{v}head.layernorm", 24)
    draw.linear(f"{v}head.mlp.fc1", 24, 28)
    draw.linear(f"{v}head.mlp.fc2", 28, 24)
    draw.normal(f"{s}embeddings.token_embedding.weight", 30, text)
    draw.normal(f"{s}embeddings.position_embedding.weight", 7, text)
    draw.tower(s, text, 26, 2)
    draw.norm(f"{s}final_layer_norm", text)
    draw.linear(f"{s}head", text, joint)
    draw.normal("logit_scale", 1)
    draw.normal("logit_bias", 1)
    draw.tensors["logit_scale"] += 4.9  # released scales are above 100
    config = {
        "model_type": "siglip",
        "vision_config": {
            "num_attention_heads": 3,
            "hidden_act": "gelu_pytorch_tanh",
            "layer_norm_eps": 4e-4,
        },
        "text_config": {"num_attention_heads": 5, "hidden_act": "gelu", "layer_norm_eps": 3e-4},
    }
    return draw.tensors, config


def clip(end=2):
    draw, v, s = Draw(2), "vision_model.", "text_model."
    draw.normal(f"{v}embeddings.class_embedding", 24)
    draw.normal(f"{v}embeddings.patch_embedding.weight", 24, 3, 4, 4)
    draw.normal(f"{v}embeddings.position_embedding.weight", 10, 24)
    draw.norm(f"{v}pre_layrnorm", 24)
    draw.tower(v, 24, 28, 2)
    draw.norm(f"{v}post_layernorm", 24)
    draw.normal(f"{s}embeddings.token_embedding.weight", 30, 20)
    draw.normal(f"{s}embeddings.position_embedding.weight", 7, 20)
    draw.tensors[f"{s}embeddings.position_ids"] = np.arange(7)[None]
    draw.tower(s, 20, 26, 2)
    draw.norm(f"{s}final_layer_norm", 20)
    draw.linear("visual_projection", 24, 18, bias=False)
    draw.linear("text_projection", 20, 18, bias=False)
    draw.tensors["logit_scale"] = np.float32(3.0)
    config = {
        "model_type": "clip",
        "vision_config": {
            "num_attention_heads": 6,
            "hidden_act": "gelu",
            "layer_norm_eps": 6e-4,
        },
        "text_config": {
            "num_attention_heads": 5,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 2e-4,
            "eos_token_id": end,
        },
    }
    return draw.tensors, config


def dinov2(registers=0, gated=False):
    draw, e = Draw(3), "embeddings."
    draw.normal(f"{e}cls_token", 1, 1, 24)
    draw.normal(f"{e}mask_token", 1, 24)
    draw.normal(f"{e}patch_embeddings.projection.weight", 24, 3, 4, 4)
    draw.normal(f"{e}patch_embeddings.projection.bias", 24)
    draw.normal(f"{e}position_embeddings", 1, 10, 24)
    if registers:
        draw.normal(f"{e}register_tokens", 1, registers, 24)
    for n in range(2):
        layer = f"encoder.layer.{n}"
        for number in "12":
            draw.norm(f"{layer}.norm{number}", 24)
            draw.normal(f"{layer}.layer_scale{number}.lambda1", 24)
        for key in ("query", "key", "value"):
            draw.linear(f"{layer}.attention.attention.{key}", 24, 24)
        draw.linear(f"{layer}.attention.output.dense", 24, 24)
        if gated:
            draw.linear(f"{layer}.mlp.weights_in", 24, 80)
            draw.linear(f"{layer}.mlp.weights_out", 40, 24)
        else:
            draw.linear(f"{layer}.mlp.fc1", 24, 36)
            draw.linear(f"{layer}.mlp.fc2", 36, 24)
    draw.norm("layernorm", 24)
    config = {
        "model_type": "dinov2_with_registers" if registers else "dinov2",
        "num_attention_heads": 3,
        "hidden_act": "gelu",
        "layer_norm_eps": 5e-4,
        "use_swiglu_ffn": gated,
    }
    return draw.tensors, config


def dinov3(gated=False):
    draw, e = Draw(4), "embeddings."
    draw.normal(f"{e}cls_token", 1, 1, 24)
    draw.normal(f"{e}mask_token", 1, 1, 24)
    draw.normal(f"{e}register_tokens", 1, 4, 24)
    draw.normal(f"{e}patch_embeddings.weight", 24, 3, 4, 4)
    draw.normal(f"{e}patch_embeddings.bias", 24)
    for n in range(2):
        layer = f"layer.{n}"
        for number in "12":
            draw.norm(f"{layer}.norm{number}", 24)
            draw.normal(f"{layer}.layer_scale{number}.lambda1", 24)
        for key in "qkvo":
            draw.linear(f"{layer}.attention.{key}_proj", 24, 24, bias=key != "k")
        for linear in ("gate_proj", "up_proj") if gated else ("up_proj",):
            draw.linear(f"{layer}.mlp.{linear}", 24, 40)
        draw.linear(f"{layer}.mlp.down_proj", 40, 24)
    draw.norm("norm", 24)
    config = {
        "model_type": "dinov3_vit",
        "num_attention_heads": 2,
        "hidden_act": "silu" if gated else "gelu",
        "layer_norm_eps": 2e-4,
        "rope_theta": 90.0,
        "image_size": 12,
    }
    return draw.tensors, config


def write(folder, tensors, config=None, name="config.json"):
    """Into a folder, which is given back."""
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(
        {k: np.asarray(v) for k, v in tensors.items()}, folder / "model.safetensors"
    )
    if config is not None:
        (folder / name).write_text(json.dumps(config))
    return folder
