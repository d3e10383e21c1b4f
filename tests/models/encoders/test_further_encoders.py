# SPDX-License-Identifier: Apache-2.0
"""View experts, hybrid, Swin, grid residual nets, variational, CLIP: axes, rows, dropout, errors."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import (
    ClipImage,
    ClipImageOptions,
    ClipText,
    ClipTextOptions,
    GridResNet,
    HybridTemporalEncoder,
    HybridTemporalOptions,
    HybridViewExperts,
    HybridViewExpertsOptions,
    MaskedLanguageBert,
    MixtureOfViewExperts,
    ResNetOptions,
    Swin,
    SwinOptions,
    VariationalAutoencoder,
    VariationalOptions,
    ViTOptions,
    grid_resnet_options,
)
from medst_jax.models.encoders.bert import BertOptions
from medst_jax.models.layers.dropout import drop_path
from medst_jax.models.layers.window_attention import relative_positions, same_region
from medst_jax.parallel import RULES
from tests.models.compiled import build, run

RESNET = ResNetOptions.small(widths=(4, 8), blocks=(1, 1), strides=(2, 2), stem_width=4, channels=1)
SWIN = dict(image_size=32, patch=4, width=8, depths=(2, 1), heads=(2, 2), window=4, channels=1)


def view_experts(**changes):
    options = ViTOptions.small(
        **{**dict(width=16, depth=2, heads=2, image_size=16, channels=1), **changes}
    )
    return build(lambda: MixtureOfViewExperts(options, rngs=nnx.Rngs(0)))


def hybrid(**changes):
    options = HybridTemporalOptions(backbone=RESNET, width=16, depth=2, heads=2, **changes)
    return build(lambda: HybridTemporalEncoder(options, rngs=nnx.Rngs(0)))


def hybrid_experts(**changes):
    sizes = dict(patch=8, width=16, depth=2, heads=2, image_size=16, channels=1, backbone=RESNET)
    options = HybridViewExpertsOptions.small(**{**sizes, **changes})
    return build(lambda: HybridViewExperts(options, rngs=nnx.Rngs(0)))


def swin(**changes):
    options = SwinOptions(**{**SWIN, **changes})
    return build(lambda: Swin(options, rngs=nnx.Rngs(0)))


def grid():
    options = grid_resnet_options(256, widths=(2, 2, 4, 4, 6, 8))
    return build(lambda: GridResNet(options, rngs=nnx.Rngs(0)))


def variational():
    options = VariationalOptions(encoder=RESNET, image_size=16, latent=5)
    return build(lambda: VariationalAutoencoder(options, rngs=nnx.Rngs(0)))


def clip_image():
    options = ClipImageOptions(4, 16, 2, 2, 32, 16, 1, 8)
    return build(lambda: ClipImage(options, rngs=nnx.Rngs(0)))


def clip_text():
    options = ClipTextOptions(30, 16, 2, 2, 32, 10, 8)
    return build(lambda: ClipText(options, rngs=nnx.Rngs(0)))


def masked_language():
    options = BertOptions.small(30, width=16, heads=2, mlp=32, max_length=10)
    return build(lambda: MaskedLanguageBert(options, rngs=nnx.Rngs(0)))


MAKERS = [
    view_experts,
    hybrid,
    hybrid_experts,
    swin,
    grid,
    variational,
    clip_image,
    clip_text,
    masked_language,
]


def images(count: int = 3, side: int = 16, seed: int = 1) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (count, side, side, 1))


def keys(count: int) -> jax.Array:
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(3), jnp.arange(count))


@pytest.mark.parametrize("make", MAKERS)
def test_every_axis_has_a_name_that_the_sharding_rules_know(make):
    known = set(RULES["dp"]) | {None}
    for path, variable in nnx.to_flat_state(nnx.state(make())):
        axes = variable.get_metadata("axes")
        assert len(axes) == variable.ndim, path
        assert set(axes) <= known, path


@pytest.mark.parametrize(
    ("make", "side"),
    [(view_experts, 16), (hybrid, 16), (hybrid_experts, 16), (swin, 32), (clip_image, 16)],
)
def test_a_batch_of_one_equals_its_row(make, side):
    model = make()
    out, one = run(model, images(3, side)), run(model, images(3, side)[1:2])
    assert out.pooled.dtype == jnp.float32
    assert out.pooled.shape == (3, model.features)
    np.testing.assert_allclose(out.pooled[1], one.pooled[0], atol=1e-5)
    np.testing.assert_allclose(out.patches[1], one.patches[0], atol=1e-5)


@pytest.mark.parametrize(
    ("make", "side"),
    [(lambda: view_experts(dropout=0.3), 16), (lambda: swin(dropout=0.3, path_rate=0.5), 32)],
)
def test_dropout_follows_the_example(make, side):
    model = make()
    out = run(model, images(3, side), keys=keys(3)).pooled
    flipped = run(model, images(3, side)[::-1], keys=keys(3)[::-1]).pooled
    np.testing.assert_allclose(out, flipped[::-1], atol=1e-5)
    assert not np.allclose(out, run(model, images(3, side)).pooled)


def test_hybrid_view_experts_read_the_map_of_their_resnet():
    model = hybrid_experts()
    cells = model.patch_embed.backbone(images()).stages[-1].reshape(3, 4, 8)
    embedded = model.patch_embed(images())
    kernel, bias = model.patch_embed.proj.kernel[...], model.patch_embed.proj.bias[...]
    np.testing.assert_allclose(embedded, cells @ kernel + bias, atol=1e-5)
    out = run(model, images(), images(seed=2), np.array([True, False, True]))
    assert out.patches.shape == (3, 8, 16)
    single = run(model, images())
    np.testing.assert_allclose(out.pooled[1], single.pooled[1], atol=1e-5)
    assert not np.allclose(out.pooled[0], single.pooled[0], atol=1e-3)
    np.testing.assert_allclose(out.pooled[0], out.patches[0].mean(0), atol=1e-5)
    np.testing.assert_allclose(out.pooled[1], out.patches[1, :4].mean(0), atol=1e-5)


def test_hybrid_view_experts_in_low_precision():
    low = dict(dtype="bfloat16", backbone=dataclasses.replace(RESNET, dtype="bfloat16"))
    full, half = (run(hybrid_experts(**kind), images(), images(seed=2)) for kind in ({}, low))
    assert half.tokens.dtype == jnp.bfloat16
    assert half.pooled.dtype == jnp.float32
    scale = float(jnp.abs(full.pooled).max())
    np.testing.assert_allclose(half.pooled / scale, full.pooled / scale, atol=0.05)


def test_gradient_of_hybrid_view_experts():
    graphdef, params, rest = nnx.split(hybrid_experts(), nnx.Param, ...)
    weights = jax.random.normal(jax.random.key(5), (2, 16))

    def value(params):
        model = nnx.merge(graphdef, params, rest)
        out = model(images(2), images(2, seed=2), np.array([True, False]))
        return jnp.sum(out.pooled * weights)

    gradient, call = jax.jit(jax.grad(value))(params), jax.jit(value)
    leaves, tree = jax.tree.flatten(params)
    drawn = np.random.default_rng(6)
    # Small: on the way no rectifier may switch.
    step = tree.unflatten([jnp.float32(3e-5 * drawn.normal(size=x.shape)) for x in leaves])
    ahead, behind = (jax.tree.map(move, params, step) for move in (jnp.add, jnp.subtract))
    products = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, step)
    expected = sum(jax.tree.leaves(products))
    np.testing.assert_allclose((call(ahead) - call(behind)) / 2, expected, rtol=1e-2)


def test_an_absent_lateral_image_enters_no_batch_statistic():
    has_lateral = np.array([True, False, True])
    absent = jnp.where(has_lateral[:, None, None, None], images(seed=2), 50.0)
    found = []
    for lateral in (images(seed=2), absent):
        model = hybrid_experts()
        out = model(images(), lateral, has_lateral, train=True)
        found.append((out.tokens[:, :5], nnx.state(model, nnx.BatchStat)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *found)
    before = nnx.state(hybrid_experts(), nnx.BatchStat)
    moved = jax.tree.map(lambda a, b: not np.allclose(a, b), found[0][1], before)
    assert all(jax.tree.leaves(moved))


def test_dropout_of_the_temporal_pooler():
    model = hybrid()
    out = run(model, images(), images(seed=2), keys=keys(3)).pooled
    alone = run(model, images()[2:], images(seed=2)[2:], keys=keys(3)[2:]).pooled
    np.testing.assert_allclose(out[2], alone[0], atol=1e-5)
    assert not np.allclose(out, run(model, images(), images(seed=2)).pooled)


@pytest.mark.usefixtures("without_shape_checks")
def test_what_stands_for_an_absent_prior_is_never_seen():
    model, has_prior = hybrid(), np.array([True, False, True])
    first = run(model, images(), images(seed=2), has_prior)
    other = jnp.where(has_prior[:, None, None, None], images(seed=2), 5.0)
    np.testing.assert_allclose(first.grid, run(model, images(), other, has_prior).grid, atol=1e-5)
    alone = run(model, images()).grid
    np.testing.assert_allclose(first.grid[1], alone[1], atol=1e-5)
    with pytest.raises(ValueError, match=r"prior images are \(1, 16, 16, 1\)"):
        model(images(), images()[:1])


def test_dropped_paths_keep_the_mean():
    x = jnp.ones((4000, 2))
    out = drop_path(x, 0.25, keys(4000), 0)
    np.testing.assert_allclose(out.mean(), 1.0, atol=0.05)
    np.testing.assert_array_equal(out[:, 0], out[:, 1])
    assert drop_path(x, 0.25, None, 0) is x


def test_shifted_windows_see_only_neighbours():
    together = same_region(8, 8, 4, 2)
    assert together.shape == (4, 16, 16)
    assert together[0].all()  # the first window wraps nowhere
    # The last window holds four corners of the map.
    quarters = np.add.outer(np.arange(4) // 2 * 2, np.arange(4) // 2).reshape(-1)
    np.testing.assert_array_equal(together[3], quarters[:, None] == quarters[None])
    assert relative_positions(2).tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]


def test_a_change_in_one_corner_stays_in_its_windows():
    model = swin(depths=(2,), heads=(2,))
    x = images(1, 32)
    moved = x.at[0, :4, :4].add(1.0)
    difference = np.abs(run(model, x).stages[0] - run(model, moved).stages[0])[0].max(-1)
    assert (difference[:6, :6] > 0).all()
    np.testing.assert_array_equal(difference[6:], 0.0)


@pytest.mark.parametrize("size", [256, 512, 1024, 2048])
def test_grid_nets_end_as_four_by_four(size):
    options = grid_resnet_options(size)
    x = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    out = nnx.eval_shape(lambda x: GridResNet(options, rngs=nnx.Rngs(0))(x), x)
    assert out.pooled.shape == (1, 768)
    assert out.grid.shape[1:3] == (8, 8)
    assert out.stages[-1].shape == (1, 4, 4, 192)


def test_the_grid_net_lays_regions_flat_channels_first():
    model = grid()
    out = run(model, images(2, 256))
    last = np.asarray(out.stages[-1])
    expected = last.reshape(2, 2, 2, 2, 2, 8).mean((2, 4)).transpose(0, 3, 1, 2).reshape(2, -1)
    np.testing.assert_allclose(out.pooled, expected, atol=1e-6)
    assert out.patches.shape == (2, 64, 6)
    with pytest.raises(ValueError, match="end as a map of 8 x 8"):
        nnx.eval_shape(model, jax.ShapeDtypeStruct((1, 512, 512, 1), jnp.float32))
    with pytest.raises(ValueError, match="size is 300; known: 256"):
        grid_resnet_options(300)


def test_the_autoencoder_draws_per_example():
    model = variational()
    mean = run(model, images())
    assert mean.images.shape == (3, 16, 16, 1)
    assert mean.mean.shape == mean.log_variance.shape == (3, 5)
    assert mean.severity.shape == (3, 1)
    drawn = run(model, images(), keys=keys(3))
    np.testing.assert_allclose(drawn.mean, mean.mean, atol=1e-6)
    assert not np.allclose(drawn.images, mean.images)
    flipped = run(model, images()[::-1], keys=keys(3)[::-1])
    np.testing.assert_allclose(drawn.images, flipped.images[::-1], atol=1e-5)
    with pytest.raises(ValueError, match="cannot be halved 3 times"):
        VariationalAutoencoder(VariationalOptions(RESNET, image_size=20), rngs=nnx.Rngs(0))


def test_clip_text_reads_no_token_behind_the_end():
    model = clip_text()
    tokens = jax.random.randint(jax.random.key(0), (2, 8), 1, 30)
    mask = jnp.arange(8)[None] < jnp.array([[8], [4]])
    out = run(model, tokens, mask)
    other = run(model, jnp.where(mask, tokens, 7), mask)
    np.testing.assert_allclose(out.global_, other.global_, atol=1e-6)
    np.testing.assert_allclose(out.pooled[1], out.tokens[1, 3], atol=1e-6)
    with pytest.raises(ValueError, match="11 tokens; this encoder takes 10"):
        model(jnp.zeros((1, 11), int), jnp.ones((1, 11), bool))


def test_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="view experts have a class token"):
        view_experts(pooling="map")
    with pytest.raises(ValueError, match="cells are 8 pixels apart .* patch is 4, channels 1"):
        hybrid_experts(patch=4)
    assert HybridViewExpertsOptions().patches == 49  # the default, a ResNet-50 at 224 px
    with pytest.raises(ValueError, match=r"images are \(8, 8, 1\); this encoder takes"):
        run(hybrid_experts(), jnp.zeros((1, 8, 8, 1)))
    with pytest.raises(ValueError, match="stage 1 is 9 tokens wide, which windows of 4"):
        SwinOptions(**{**SWIN, "image_size": 36})
    with pytest.raises(ValueError, match="need one value a stage"):
        SwinOptions(**{**SWIN, "heads": (2,)})
    with pytest.raises(ValueError, match=r"images are \(8, 8, 1\)"):
        run(swin(), jnp.zeros((1, 8, 8, 1)))


def test_paper_sizes():
    def parameters(make):
        shapes = nnx.eval_shape(make)
        return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(shapes, nnx.Param)))

    # timm's swin_tiny_patch4_window7_224 without its classifier.
    assert parameters(lambda: Swin(SwinOptions.tiny(), rngs=nnx.Rngs(0))) == 28_288_354 - 769_000
    # ViT-B/32 of OpenAI's CLIP: its visual part.
    vision = parameters(lambda: ClipImage(ClipImageOptions.vit_b32(), rngs=nnx.Rngs(0)))
    assert vision == 87_849_216
    text = parameters(lambda: ClipText(ClipTextOptions(), rngs=nnx.Rngs(0)))
    assert vision + text + 1 == 151_277_313
