# SPDX-License-Identifier: Apache-2.0
"""Makes tests/models/weights/stored/released: small random models under the names of released checkpoints.

Run in an environment of its own that has torch, transformers, timm, open_clip and safetensors
(made with torch 2.13.0, transformers 5.24.0, timm 1.0.31, open_clip 3.3.0):
`python tests/models/weights/stored/make_released_models.py`. Each folder holds model.safetensors, where sizes
leave no trace in it a config.json, and expected.npz with inputs and results.
"""

import open_clip.model
import timm.models.vision_transformer as timm_vit
import torch
import transformers
from released_files import prepared, write
from released_parts import (
    JOINT,
    TEXT_CONFIG,
    Head,
    Pooler,
    bert,
    channels_last,
    draw,
    module,
    pooled,
    projector,
    resnet,
    rows,
    run_bert,
    stages,
    text_inputs,
    upsampled,
    words,
)
from torch import nn
from torch.nn import functional


def biovil():
    whole = module(encoder=module(encoder=resnet()), projector=projector(32))
    images = draw(2, 3, 64, 64)
    model = prepared(whole)
    grid = stages(model.encoder.encoder, images)[-1]
    projected = model.projector.model(grid)
    dilated = stages(model.encoder.encoder, images, dilate=True)[-1]
    write(
        "biovil",
        model,
        images=channels_last(images),
        features=pooled(grid),
        local=rows(projected),
        global_=pooled(projected),
        dilated=channels_last(dilated),
    )


def biovil_t():
    width, heads = 16, 4
    encoder = module(
        encoder=resnet(),
        backbone_to_vit=nn.Conv2d(32, width, 1, bias=False),
        vit_pooler=Pooler(width, 2),
        missing_previous_emb=nn.Parameter(torch.randn(1, width, 1, 1)),
    )
    model = prepared(module(encoder=encoder, projector=projector(2 * width)))
    images, prior = draw(2, 3, 64, 96), draw(2, 3, 64, 96)
    static, before = (
        encoder.backbone_to_vit(stages(encoder.encoder, x)[-1]) for x in (images, prior)
    )
    change = encoder.vit_pooler(static, before, heads)
    missing = encoder.missing_previous_emb.expand_as(static)
    out = {}
    for name, second in (("with", change), ("without", missing)):
        grid = torch.cat([static, second], 1)
        projected = model.projector.model(grid)
        out |= {f"{name}_features": pooled(grid), f"{name}_patches": rows(grid)}
        out |= {f"{name}_local": rows(projected), f"{name}_global": pooled(projected)}
    images, prior = channels_last(images), channels_last(prior)
    write("biovil-t", model, {"num_heads": heads}, images=images, prior=prior, **out)


def cxr_bert():
    config = bert()
    core = transformers.BertForMaskedLM(config)
    head = module(
        dense_to_hidden=nn.Linear(16, JOINT),
        LayerNorm=nn.LayerNorm(JOINT, 1e-12),
        dense_to_output=nn.Linear(JOINT, JOINT),
    )
    core.add_module("cls_projection_head", head)
    prepared(core)
    tokens, mask, _ = text_inputs()
    out = run_bert(core.bert, tokens, mask)
    first = functional.gelu(head.dense_to_hidden(out.last_hidden_state[:, 0]))
    projected = head.dense_to_output(head.LayerNorm(first))
    settings = {"num_attention_heads": 2}
    results = dict(
        tokens=tokens, token_mask=mask, global_=projected, logits=core(tokens, mask.long()).logits
    )
    results["hidden_states"] = torch.stack(out.hidden_states)
    write("cxr-bert", core, settings, **results)
    del core.cls_projection_head
    results["attentions"] = torch.stack(out.attentions)
    write("hf-bert", core, settings, **results)


def hf_swin():
    config = transformers.SwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=8,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=4,
        mlp_ratio=2.0,
        attn_implementation="eager",
    )
    model = prepared(transformers.SwinModel(config))
    images = draw(2, 3, 32, 32)
    out = model(images)
    write(
        "hf-swin",
        model,
        {"image_size": 32},
        images=channels_last(images),
        patches=out.last_hidden_state,
        pooled=out.pooler_output,
    )


class ViewExperts(timm_vit.VisionTransformer):
    """timm's ViT with Med-ST's second expert per block."""

    def __init__(self, **sizes):
        super().__init__(num_classes=0, **sizes)
        for block in self.blocks:
            block.norm2_l = nn.LayerNorm(sizes["embed_dim"], 1e-6)
            block.mlp_l = module(
                fc1=nn.Linear(sizes["embed_dim"], 2 * sizes["embed_dim"]),
                fc2=nn.Linear(2 * sizes["embed_dim"], sizes["embed_dim"]),
            )

    def tokens(self, frontal, lateral, has_lateral):
        x = self.patch_embed(frontal) + self.pos_embed[:, 1:]
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        second = self.patch_embed(lateral) + self.pos_embed[:, 1:]
        x, cut = torch.cat([first, x, second], 1), 1 + x.shape[1]
        seen = (torch.arange(x.shape[1]) < cut)[None] | has_lateral[:, None]
        for block in self.blocks:
            a = block.attn
            qkv = a.qkv(block.norm1(x)).unflatten(-1, (3, a.num_heads, -1)).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(*qkv, attn_mask=seen[:, None, None])
            x = x + a.proj(mixed.transpose(1, 2).flatten(2))
            ahead, behind = x[:, :cut], x[:, cut:]
            hidden = functional.gelu(block.mlp_l.fc1(block.norm2_l(behind)))
            x = x + torch.cat([block.mlp(block.norm2(ahead)), block.mlp_l.fc2(hidden)], 1)
        return self.norm(x)


VIT = dict(img_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2.0)


def image_text(name, image, image_forward, features, local_features, further, inputs):
    """MGCA's and Med-ST's checkpoint around an image encoder."""
    text = transformers.BertModel(bert(), add_pooling_layer=False)
    for layer in text.encoder.layer:  # built by the release, never used
        layer.crossattention = module(output=module(dense=nn.Linear(16, 16)))
    model = prepared(
        module(
            img_encoder_q=module(
                model=image,
                global_embed=Head(features, False),
                local_embed=Head(local_features, True),
            ),
            text_encoder_q=module(
                model=text, global_embed=Head(16, False), local_embed=Head(16, True)
            ),
            patch_local_atten_layer=nn.MultiheadAttention(JOINT, 1),
            **further,
        )
    )
    flat, local = image_forward()
    out = {"image_features": flat, "image_global": model.img_encoder_q.global_embed(flat)}
    out["image_local"] = model.img_encoder_q.local_embed(local)
    tokens, mask, continues = text_inputs()
    states = run_bert(text, tokens, mask)
    summed, found = words(states.last_hidden_state, mask, continues)
    out |= {"tokens": tokens, "token_mask": mask, "continues": continues}
    out["text_features"] = summed[:, 0]
    out["text_global"] = model.text_encoder_q.global_embed(summed[:, 0])
    out["text_local"] = model.text_encoder_q.local_embed(summed[:, 1:])
    out["word_mask"] = found[:, 1:]
    out["attention"] = states.attentions[-1]
    config = {"image_config": {"num_heads": 2}, "text_config": TEXT_CONFIG}
    write(name, model, config, **inputs, **out)


def mgca():
    prototypes = {"prototype_layer": nn.Linear(JOINT, 5, bias=False)}
    vit = timm_vit.VisionTransformer(num_classes=0, **VIT)
    images = draw(2, 3, 16, 16)

    def forward():
        tokens = vit.forward_features(images)
        return tokens[:, 0], tokens[:, 1:]

    image_text("mgca-vit", vit, forward, 16, 16, prototypes, {"images": channels_last(images)})
    net, large = resnet(), draw(2, 3, 40, 40)

    def forward_resnet():
        maps = stages(net, upsampled(large))
        return pooled(maps[-1]), rows(maps[-2])

    inputs = {"images": channels_last(large)}
    image_text("mgca-resnet", net, forward_resnet, 32, 24, prototypes, inputs)


def medst():
    image = ViewExperts(**VIT)
    frontal, lateral = draw(2, 3, 16, 16), draw(2, 3, 16, 16)
    has_lateral = torch.tensor([True, False])

    def forward():
        tokens = image.tokens(frontal, lateral, has_lateral)
        return tokens[:, 0], tokens[:, 1:]

    inputs = {"images": channels_last(frontal), "lateral": channels_last(lateral)}
    inputs["has_lateral"] = has_lateral
    further = {"word_element_wise_multi_head": nn.MultiheadAttention(JOINT, 1)}
    image_text("medst", image, forward, 16, 16, further, inputs)


def gloria():
    net, text = resnet(), transformers.BertModel(bert(num_hidden_layers=5))
    model = prepared(
        module(
            gloria=module(
                img_encoder=module(
                    model=net,
                    global_embedder=nn.Linear(32, JOINT),
                    local_embedder=nn.Conv2d(24, JOINT, 1, bias=False),
                ),
                text_encoder=module(model=text),
            )
        )
    )
    images = draw(2, 3, 40, 40)
    maps = stages(net, upsampled(images))
    tokens, mask, continues = text_inputs()
    total = sum(run_bert(text, tokens, mask).hidden_states[-4:])
    summed, found = words(total, mask, continues)
    write(
        "gloria",
        model,
        {"text_config": TEXT_CONFIG},
        images=channels_last(images),
        tokens=tokens,
        token_mask=mask,
        continues=continues,
        image_features=pooled(maps[-1]),
        image_global=model.gloria.img_encoder.global_embedder(pooled(maps[-1])),
        image_local=rows(model.gloria.img_encoder.local_embedder(maps[-2])),
        text_local=summed,
        text_global=summed.sum(1) / found.sum(1, keepdim=True),
        word_mask=found,
    )


def dlilp():
    net, text = resnet(), transformers.BertModel(bert())
    model = prepared(
        module(
            class_prototypes=nn.Parameter(torch.randn(6, JOINT)),
            logit_scale=nn.Parameter(torch.tensor(2.5)),
            logit_scale_head2=nn.Parameter(torch.tensor(1.5)),
            vision_model=module(
                model=net,
                projection_head_vision=module(projection=nn.Linear(32, JOINT, bias=False)),
                projection_head2=module(projection=nn.Linear(32, JOINT, bias=False)),
            ),
            text_model=module(
                model=text,
                projection_head_text=module(projection=nn.Linear(16, JOINT, bias=False)),
            ),
        )
    )
    images = draw(2, 3, 32, 32)
    flat = pooled(stages(net, images)[-1])
    tokens, mask, _ = text_inputs()
    states = run_bert(text, tokens, mask).hidden_states
    mean = (states[1] + states[2] + states[-1]) / 3
    weights = mask[..., None].float()
    pooled_text = (mean * weights).sum(1) / weights.sum(1)
    write(
        "dlilp",
        model,
        {"text_config": TEXT_CONFIG},
        images=channels_last(images),
        tokens=tokens,
        token_mask=mask,
        image_features=flat,
        image_global=model.vision_model.projection_head_vision.projection(flat),
        label_image=model.vision_model.projection_head2.projection(flat),
        text_features=pooled_text,
        text_global=model.text_model.projection_head_text.projection(pooled_text),
        prototypes=functional.normalize(model.class_prototypes, dim=-1),
        scale=model.logit_scale.exp(),
        label_scale=model.logit_scale_head2.exp(),
    )


def cxr_clip():
    for name in ("resnet", "swin"):
        text = transformers.BertModel(bert())
        if name == "resnet":
            net = resnet()
            image, size, features = module(resnet=net), 32, 32
        else:
            config = transformers.SwinConfig(
                image_size=16, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 2],
                window_size=4, mlp_ratio=2.0,
            )  # fmt: skip
            net = transformers.SwinModel(config)
            image, size, features = module(image_encoder=net), 16, 16
        model = prepared(
            module(
                image_encoder=image,
                text_encoder=module(text_encoder=text),
                image_projection=module(projection=nn.Linear(features, JOINT)),
                text_projection=module(projection=nn.Linear(16, JOINT)),
                logit_scale=nn.Parameter(torch.tensor(2.2)),
            )
        )
        images = draw(2, 3, size, size)
        if name == "resnet":
            flat = pooled(stages(net, images)[-1])
        else:
            flat = net(images).pooler_output
        tokens, mask, _ = text_inputs()
        states = run_bert(text, tokens, mask).last_hidden_state
        last = states[torch.arange(3), mask.sum(1) - 1]
        write(
            f"cxr-clip-{name}",
            model,
            {"text_config": TEXT_CONFIG, "image_config": {"image_size": size}},
            images=channels_last(images),
            tokens=tokens,
            token_mask=mask,
            image_features=flat,
            image_global=model.image_projection.projection(flat),
            text_features=last,
            text_global=model.text_projection.projection(last),
            scale=model.logit_scale.exp(),
        )


def clip():
    width = 32
    model = open_clip.model.CLIP(
        embed_dim=JOINT,
        vision_cfg=dict(layers=2, width=width, head_width=16, patch_size=4, image_size=16),
        text_cfg=dict(context_length=9, vocab_size=20, width=width, heads=2, layers=2),
        quick_gelu=True,
    )
    prepared(model)
    images = draw(2, 3, 16, 16)
    tokens, mask, _ = text_inputs()
    # The end token has the highest number, as in CLIP's vocabulary.
    tokens = tokens.clamp(max=18)
    tokens[torch.arange(3), mask.sum(1) - 1] = 19
    write(
        "open-clip",
        model,
        {"vision_cfg": {"num_heads": 2}, "text_cfg": {"num_heads": 2}},
        images=channels_last(images),
        tokens=tokens,
        token_mask=mask,
        image_global=model.encode_image(images),
        text_global=model.encode_text(tokens),
        scale=model.logit_scale.exp(),
    )


def timm_classifier():
    model = timm_vit.VisionTransformer(num_classes=3, **VIT)
    prepared(model)
    images = draw(2, 3, 16, 16)
    tokens = model.forward_features(images)
    write("timm", model, {"num_heads": 2}, images=channels_last(images), tokens=tokens)


if __name__ == "__main__":
    torch.manual_seed(0)
    for make in (
        biovil, biovil_t, cxr_bert, hf_swin, mgca, medst, gloria, dlilp, cxr_clip, clip,
        timm_classifier,
    ):  # fmt: skip
        make()
