# SPDX-License-Identifier: Apache-2.0
"""Files of today's public encoders against numpy: sizes, heads, activations, epsilons, refusals."""

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medst_jax.models.encoders.clip_transformer import ClipImage, ClipImageOptions
from medst_jax.models.encoders.mixture_of_view_experts import MixtureOfViewExperts
from medst_jax.models.encoders.vit import ViT, ViTOptions
from medst_jax.models.weights.kinds import LayoutError
from medst_jax.models.weights.layouts.timm import Timm
from medst_jax.models.weights.pretrained import from_pretrained, load_pretrained, save_pretrained
from medst_jax.models.weights.weights_file import PretrainedError
from tests.models.compiled import build, run
from tests.models.weights import numpy_towers, public_files
from tests.models.weights.public_files import write

RANDOM = np.random.default_rng(5)
IMAGES = RANDOM.normal(size=(2, 12, 12, 3)).astype(np.float32)
TOKENS = RANDOM.integers(3, 28, (3, 7)).astype(np.int32)
MASK = np.arange(7) < np.array([[7], [4], [1]])

FILES = {
    "siglip": ("hf-siglip", public_files.siglip),
    "clip": ("hf-clip", public_files.clip),
    "dinov2": ("hf-dinov2", public_files.dinov2),
    "registers": ("hf-dinov2", lambda: public_files.dinov2(registers=3)),
    "swiglu": ("hf-dinov2", lambda: public_files.dinov2(gated=True)),
    "dinov3": ("hf-dinov3", public_files.dinov3),
    "dinov3-gated": ("hf-dinov3", lambda: public_files.dinov3(gated=True)),
}


def assert_close(found, expected):
    found = np.asarray(found, np.float64)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5)


def vit(**options):
    return build(lambda: ViT(ViTOptions(**options), rngs=nnx.Rngs(0)))


def opened(folder, name):
    layout, make = FILES[name]
    tensors, config = make()
    module, _ = from_pretrained(write(folder, tensors, config), layout)
    return module, tensors, config


@pytest.mark.parametrize("name", FILES)
def test_what_comes_in_leaves_byte_for_byte(tmp_path, name):
    module, tensors, _ = opened(tmp_path, name)
    save_pretrained(module, tmp_path / "out.safetensors", FILES[name][0])
    saved = safetensors.numpy.load_file(tmp_path / "out.safetensors")
    assert saved.keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert saved[key].shape == np.shape(tensor) and saved[key].dtype == tensor.dtype, key
        assert saved[key].tobytes() == tensor.tobytes(), key


def test_siglip_reads_the_padding_and_pools_at_the_last_position(tmp_path):
    module, tensors, config = opened(tmp_path, "siglip")
    patches, pooled, tokens, vectors = numpy_towers.siglip(tensors, config, IMAGES, TOKENS)
    image, text = run(module.image, IMAGES), run(module.text, TOKENS, MASK)
    assert_close(image.local, patches)
    assert_close(image.global_, pooled)
    assert_close(text.local, tokens)
    assert_close(text.global_, vectors)
    np.testing.assert_allclose(
        module.further["scale"](), np.exp(tensors["logit_scale"][0]), rtol=1e-6
    )
    assert float(module.further["bias"][...]) == tensors["logit_bias"][0]
    # Images that no whole number of patches covers lose their edge, as in the so400m of 384 px.
    larger = np.pad(IMAGES, ((0, 0), (0, 2), (0, 2), (0, 0)))
    assert_close(run(module.image, larger).global_, pooled)
    with pytest.raises(ValueError, match="takes texts padded to 7"):
        module.text(TOKENS[:, :5], MASK[:, :5])


def test_a_siglip_without_its_pool_averages_its_patches(tmp_path):
    tensors, config = public_files.siglip()
    patches, *_ = numpy_towers.siglip(tensors, config, IMAGES, TOKENS)
    alone = {
        k: v for k, v in tensors.items() if k.startswith("vision_model.") and ".head." not in k
    }
    settings = {"model_type": "siglip_vision_model", **config["vision_config"]}
    module, _ = from_pretrained(write(tmp_path, alone, settings), "hf-siglip")
    assert_close(run(module, IMAGES).pooled, patches.mean(1))


@pytest.mark.parametrize("end", [2, 29])
def test_clip_reads_a_text_at_its_end(tmp_path, end):
    """Old releases at the highest id, others at the first end token, whatever ids there are above."""
    tensors, config = public_files.clip(end)
    module, _ = from_pretrained(write(tmp_path, tensors, config), "hf-clip")
    tokens = TOKENS.copy()
    places = np.array([2, 5, 3])
    tokens[np.arange(3), places] = 29
    tokens[0, 4] = 29
    expected = numpy_towers.clip(tensors, config, IMAGES, tokens, places)
    image, text = run(module.image, IMAGES), run(module.text, tokens, MASK)
    found = (image.tokens, image.features, image.global_, text.local, text.global_)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)
    added = {**config, "text_config": {**config["text_config"], "eos_token_id": 27}}
    tokens[:, 6], tokens[:, 1] = 28, 27
    module, _ = from_pretrained(write(tmp_path, tensors, added), "hf-clip")
    *_, vectors = numpy_towers.clip(tensors, config, IMAGES, tokens, np.ones(3, int))
    assert_close(run(module.text, tokens, MASK).global_, vectors)


@pytest.mark.parametrize("name", ["dinov2", "registers", "swiglu"])
def test_dinov2(tmp_path, name):
    module, tensors, config = opened(tmp_path, name)
    expected = numpy_towers.dinov2(tensors, config, IMAGES)
    out = run(module, IMAGES)
    assert_close(out.tokens, expected)
    assert_close(out.pooled, expected[:, 0])
    assert_close(out.patches, expected[:, -9:])


@pytest.mark.parametrize("name", ["dinov3", "dinov3-gated"])
@pytest.mark.parametrize("size", [(12, 12), (20, 8)])
def test_dinov3_takes_images_of_any_size(tmp_path, name, size):
    module, tensors, config = opened(tmp_path, name)
    images = RANDOM.normal(size=(1, *size, 3)).astype(np.float32)
    assert_close(run(module, images).tokens, numpy_towers.dinov3(tensors, config, images))


@pytest.mark.parametrize("name", FILES)
def test_gradients_reach_every_parameter_and_agree_with_differences(tmp_path, name):
    module, *_ = opened(tmp_path, name)
    image = module.image if FILES[name][0] in ("hf-siglip", "hf-clip") else module
    graphdef, parameters, rest = nnx.split(image, nnx.Param, ...)

    def loss(parameters):
        out = nnx.merge(graphdef, parameters, rest, copy=True)(IMAGES)
        vector = out.global_ if hasattr(out, "global_") else out.pooled
        return (vector**2).sum()

    grads = jax.jit(jax.grad(loss))(parameters)
    for path, gradient in nnx.to_flat_state(grads):
        # The biases of keys change no attention; the last layers' patches do not reach the class.
        assert np.isfinite(gradient[...]).all(), path
        assert np.abs(gradient[...]).max() > 0, path
    direction = jax.tree.map(
        lambda x: np.random.default_rng(x.size).normal(size=x.shape).astype(np.float32), parameters
    )
    step = 2e-3
    moved = [
        jax.tree.map(lambda x, d, s=s: x + s * d, parameters, direction) for s in (-step, step)
    ]
    low, high = (float(jax.jit(loss)(p)) for p in moved)
    slope = sum(
        float((g * d).sum())
        for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True)
    )
    assert (high - low) / (2 * step) == pytest.approx(slope, rel=3e-2)


@pytest.mark.parametrize("name", FILES)
def test_heads_and_epsilon_of_the_config_are_those_of_the_module(tmp_path, name):
    """Neither leaves a trace in the tensors: another number gives other features and no error."""
    layout, make = FILES[name]
    tensors, config = make()
    part = config.get("vision_config", config)
    first, _ = from_pretrained(write(tmp_path / "a", tensors, config), layout)
    encoder = getattr(first, "image", first)
    encoder = getattr(encoder, "encoder", encoder)
    assert encoder.options.heads == part["num_attention_heads"]
    assert encoder.options.epsilon == part["layer_norm_eps"]
    load_pretrained(encoder, tmp_path / "a", layout)
    part["num_attention_heads"] = 1
    write(tmp_path / "b", tensors, config)
    with pytest.raises(PretrainedError, match="its config has heads 1, the module"):
        load_pretrained(encoder, tmp_path / "b", layout)
    bare = write(tmp_path / "c", tensors)
    with pytest.raises(PretrainedError, match=r"put the model's config\.json beside"):
        from_pretrained(bare, layout)


@pytest.mark.parametrize(("name", "heads"), [("siglip", (12, 12)), ("clip", (12, 8))])
def test_keys_that_a_config_lacks_have_the_librarys_defaults(tmp_path, name, heads):
    make = public_files.Draw(7)
    tensors, config = FILES[name][1]()
    small = {k: v for k, v in tensors.items() if "embeddings" not in k}
    assert len(small) < len(tensors)
    # Widths that 12 and 8 divide.
    if name == "clip":
        s = "text_model."
        tensors = {k: v for k, v in tensors.items() if not k.startswith(s)}
        make.normal(f"{s}embeddings.token_embedding.weight", 30, 24)
        make.normal(f"{s}embeddings.position_embedding.weight", 7, 24)
        make.tower(s, 24, 26, 2)
        make.norm(f"{s}final_layer_norm", 24)
        make.linear("text_projection", 24, 18, bias=False)
        tensors |= make.tensors
    else:
        tensors, _ = public_files.siglip(text=36)
    config = {"model_type": config["model_type"], "text_config": {}}
    module, _ = from_pretrained(write(tmp_path, tensors, config), FILES[name][0])
    image = module.image if name == "clip" else module.image.encoder
    text = module.text if name == "clip" else module.text.encoder
    assert (image.options.heads, text.options.heads) == heads
    activation = "quick_gelu" if name == "clip" else "gelu_tanh"
    assert image.options.activation == text.options.activation == activation
    assert image.options.epsilon == text.options.epsilon == (1e-5 if name == "clip" else 1e-6)


@pytest.mark.parametrize("name", ["siglip", "clip", "dinov2", "registers"])
def test_a_table_fitted_on_loading_is_that_of_larger_images(tmp_path, name):
    layout, _ = FILES[name]
    module, *_ = opened(tmp_path, name)
    larger = np.random.default_rng(0).normal(size=(1, 20, 20, 3)).astype(np.float32)
    fitted, _ = from_pretrained(tmp_path, layout, positions="resize", image_size=20)
    one, other = (run(getattr(m, "image", m), larger) for m in (module, fitted))
    vector = "global_" if hasattr(one, "global_") else "pooled"
    np.testing.assert_allclose(getattr(one, vector), getattr(other, vector), atol=2e-6)


def test_parts_load_alone_and_a_classifiers_prefix_comes_off(tmp_path):
    tensors, config = public_files.dinov2()
    wrapped = {f"dinov2.{k}": v for k, v in tensors.items()}
    wrapped["classifier.weight"] = np.ones((2, 48), np.float32)
    module, _ = from_pretrained(write(tmp_path, wrapped, config), "hf-dinov2")
    assert_close(run(module, IMAGES).tokens, numpy_towers.dinov2(tensors, config, IMAGES))
    whole, clip_tensors, _ = opened(tmp_path / "clip", "clip")
    options = whole.image.options
    alone = build(lambda: ClipImage(options, rngs=nnx.Rngs(3)))
    load_pretrained(alone, tmp_path / "clip", "hf-clip")
    np.testing.assert_array_equal(
        alone.class_embedding[...], clip_tensors["vision_model.embeddings.class_embedding"]
    )
    changed = ClipImageOptions(**{**vars(options), "epsilon": 1e-5})
    other = build(lambda: ClipImage(changed, rngs=nnx.Rngs(3)))
    with pytest.raises(PretrainedError, match=r"has epsilon 0\.0006, the module 1e-05"):
        load_pretrained(other, tmp_path / "clip", "hf-clip")


def test_files_that_contradict_their_config_are_refused(tmp_path):
    tensors, config = public_files.dinov2(gated=True)
    write(tmp_path, tensors, {**config, "use_swiglu_ffn": False})
    with pytest.raises(PretrainedError, match="use_swiglu_ffn False"):
        from_pretrained(tmp_path, "hf-dinov2")
    tensors, config = public_files.dinov3()
    tensors["layer.0.attention.k_proj.bias"] = np.ones(24, np.float32)
    with pytest.raises(PretrainedError, match="its keys have a bias"):
        from_pretrained(write(tmp_path, tensors, config), "hf-dinov3")
    tensors, config = public_files.siglip()
    del tensors["vision_model.head.probe"]
    with pytest.raises(PretrainedError, match="unexpected vision_model"):
        from_pretrained(write(tmp_path, tensors, config), "hf-siglip")


def test_what_a_layout_has_no_names_for_is_not_dropped(tmp_path):
    sizes = dict(patch=4, width=24, depth=1, heads=3, image_size=12)
    rotary = vit(**sizes, rotary=100.0, layer_scale=1.0)
    with pytest.raises(ValueError, match="timm has no names for a ViT with layer_scale, rotary"):
        save_pretrained(rotary, tmp_path / "x.safetensors", "timm")
    plain = vit(**sizes)
    for layout in ("hf-dinov2", "hf-dinov3"):
        with pytest.raises(ValueError, match=r"layer_scale 0\.0"):
            save_pretrained(plain, tmp_path / "x.safetensors", layout)
    with pytest.raises(ValueError, match="view experts know no registers"):
        MixtureOfViewExperts(ViTOptions(**sizes, registers=2), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="registers need a class token"):
        ViTOptions(**sizes, registers=2, pooling="mean")
    with pytest.raises(ValueError, match="rotary positions need heads whose size 4 divides"):
        vit(**{**sizes, "heads": 4}, rotary=100.0)(IMAGES)


def test_dinov2_under_its_original_names(tmp_path):
    """RAD-DINO's second file: layer scale and registers by the names of facebook's repository."""
    sizes = dict(patch=4, width=64, depth=2, heads=1, image_size=12, registers=2, layer_scale=0.5)
    source = vit(**sizes)
    save_pretrained(source, tmp_path / "model.safetensors", "timm")
    names = safetensors.numpy.load_file(tmp_path / "model.safetensors").keys()
    assert {"register_tokens", "blocks.1.ls2.gamma"} <= set(names)
    module, _ = from_pretrained(tmp_path, "timm")
    np.testing.assert_array_equal(run(module, IMAGES).tokens, run(source, IMAGES).tokens)


@pytest.mark.parametrize(
    ("architecture", "width", "heads"),
    [
        ("vit_so400m_patch14_siglip_384", 1152, 16),
        ("vit_huge_patch14_clip_224", 1280, 16),
        ("vit_giant_patch14_dinov2", 1536, 24),
        ("vit_giantopt_patch16_siglip_384", 1536, 16),
    ],
)
def test_wide_models_of_timm_have_their_own_heads(architecture, width, heads):
    shapes = {
        "patch_embed.proj.weight": (width, 3, 4, 4),
        "pos_embed": (1, 10, width),
        "blocks.0.mlp.fc1.weight": (8, width),
        "blocks.0.norm1.weight": (width,),
    }
    with pytest.raises(LayoutError, match="number of attention heads cannot be read"):
        Timm().options(shapes, {})
    assert Timm().options(shapes, {"architecture": architecture}).heads == heads
    told = {"architecture": architecture, "model_args": {"num_heads": 8}}
    assert Timm().options(shapes, told).heads == 8
